"""An XML file an image, in VOC's folders. Coordinates count from 0 and have decimals, as CVAT's do:
so every reader that looks can tell, and a box comes back where it was."""

from pathlib import PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from miaod_nb.labeling.exchange import Batch, Suggestion, Task
from miaod_nb.labeling.export.tool import OURS, Tool, refuse_saved
from miaod_nb.runs.files import RunFolder


def write(batch: Batch, folder: RunFolder) -> None:
    """Writes the files, the list of images in the order of their rank, and labelmap.txt, in which
    CVAT and datumaro find the classes."""
    files = {f"Annotations/{task.id}.xml": annotation(task) for task in batch.tasks}
    refuse_saved(folder, files, f"<database>{OURS}</database>")
    for name, text in files.items():
        folder.save_text(name, text)
    folder.save_text("ImageSets/Main/default.txt", "".join(f"{t.id}\n" for t in batch.tasks))
    lines = ["# label:color_rgb:parts:actions", *[f"{name}:::" for name in batch.classes]]
    folder.save_text("labelmap.txt", "".join(f"{line}\n" for line in lines))


def annotation(task: Task) -> str:
    """The file of an image."""
    root = Element("annotation")
    _add(root, "folder", TOOL.images)
    _add(root, "filename", PurePosixPath(task.file).name)
    _add(SubElement(root, "source"), "database", OURS)
    size = SubElement(root, "size")
    for tag, value in zip(("width", "height", "depth"), (*task.size, 3), strict=True):
        _add(size, tag, str(value))
    _add(root, "segmented", "0")
    for one in task.suggestions:
        _add_object(root, one)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _add_object(root: Element, one: Suggestion) -> None:
    element = SubElement(root, "object")
    _add(element, "name", one.name)
    for tag, value in {"pose": "Unspecified", "truncated": "0", "difficult": "0"}.items():
        _add(element, tag, value)
    box = SubElement(element, "bndbox")
    for tag, side in zip(("xmin", "ymin", "xmax", "ymax"), one.box, strict=True):
        _add(box, tag, f"{side:.4f}")
    score = SubElement(SubElement(element, "attributes"), "attribute")
    _add(score, "name", "score")
    _add(score, "value", f"{one.score:.4f}")


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = text


TOOL = Tool(
    name="voc", label="VOC XML", write=write, images="JPEGImages",
    next_step="open {out}/JPEGImages in a label tool that counts pixels from 0, as labelImg and "
    "CVAT do, with {out}/Annotations as the folder of its files. Save every image that is done: a "
    "file that no tool saved is no answer. FILE is that folder",
)  # fmt: skip
