"""One file a label tool: how a batch is written for it.

tool: what every file here says of its tool
label_studio: tasks in Label Studio's JSON, and the configuration of a project
"""

from miaod_nb.labeling.export import label_studio
from miaod_nb.labeling.export.tool import Tool

TOOLS: dict[str, Tool] = {one.name: one for one in (label_studio.TOOL,)}
