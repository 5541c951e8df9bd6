"""One file a label tool: what its files say of images.

archives: zip archives, as label tools write them
format: what every file here says of its tool, and how it finds and opens the tool's files
label_studio: Label Studio's JSON, the only one of its exports that tells all
json_min: Label Studio's JSON_MIN
cvat: CVAT's own XML
labelme: a JSON file beside each image, of X-AnyLabeling and labelme
coco: a COCO file, of any tool
voc: an XML file an image, of any tool
yolo: a text file an image, of any tool
notebook: what people drew in the notebook itself
"""

from miaod_nb.labeling.ingest import (
    coco,
    cvat,
    json_min,
    label_studio,
    labelme,
    notebook,
    voc,
    yolo,
)
from miaod_nb.labeling.ingest.format import Format

FORMATS: dict[str, Format] = {
    one.FORMAT.name: one.FORMAT
    for one in (label_studio, json_min, cvat, labelme, coco, voc, yolo, notebook)
}
