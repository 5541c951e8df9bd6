"""One file a label tool: what its files say of images.

format: what every file here says of its tool
label_studio: Label Studio's JSON, the only one of its exports that tells all
"""

from miaod_nb.labeling.ingest import label_studio
from miaod_nb.labeling.ingest.format import Format

FORMATS: dict[str, Format] = {one.name: one for one in (label_studio.FORMAT,)}
