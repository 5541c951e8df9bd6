"""One file a label tool: how a batch is written for it.

tool: what every file here says of its tool
label_studio: tasks in Label Studio's JSON, and the configuration of a project
cvat: CVAT's own XML, with scores and reasons as attributes
x_anylabeling: a JSON file beside each image, for X-AnyLabeling and labelme
coco: a COCO file
voc: an XML file an image, in VOC's folders
yolo: a text file an image; suggested boxes in a folder of their own
"""

from miaod_nb.labeling.export import coco, cvat, label_studio, voc, x_anylabeling, yolo
from miaod_nb.labeling.export.tool import Tool

TOOLS: dict[str, Tool] = {
    one.TOOL.name: one.TOOL for one in (label_studio, cvat, x_anylabeling, coco, voc, yolo)
}
