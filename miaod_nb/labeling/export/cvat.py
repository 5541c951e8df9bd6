"""CVAT's own XML ("CVAT for images 1.1"). The score of a box, and why its image was chosen, are
attributes: CVAT keeps those that the labels of its project declare, and so does labels.json."""

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from miaod_nb.labeling.exchange import Batch, Task
from miaod_nb.labeling.export.tool import OURS, Tool, refuse_saved
from miaod_nb.runs.files import RunFolder

ANNOTATIONS = "annotations.xml"
ABOUT = "why this image"  # the label of the tag that tells it, in these attributes:
ABOUT_FIELDS = ("rank", "uncertainty", "reason")


def write(batch: Batch, folder: RunFolder) -> None:
    """Writes annotations.xml, and labels.json for CVAT's constructor of labels."""
    labels = [
        *[_label(name, "rectangle", ["score"]) for name in batch.classes],
        _label(ABOUT, "tag", ABOUT_FIELDS),
    ]
    refuse_saved(folder, [ANNOTATIONS], f"<source>{OURS}</source>")
    folder.save_json("labels.json", labels)
    root = Element("annotations")
    _add(root, "version", "1.1")
    meta = SubElement(root, "meta")
    _add(meta, "source", OURS)
    declared = SubElement(SubElement(meta, "task"), "labels")
    for label in labels:
        _declare(declared, label)
    for number, task in enumerate(batch.tasks):
        _add_image(root, number, task)
    indent(root)
    folder.save_text(ANNOTATIONS, tostring(root, encoding="unicode") + "\n")


def _label(name: str, kind: str, attributes: Sequence[str]) -> dict[str, Any]:
    """A label as CVAT has it. Numbers are texts: it would take whole ones only."""
    fields = {"mutable": False, "input_type": "text", "default_value": "", "values": [""]}
    return {"name": name, "type": kind, "attributes": [{"name": a, **fields} for a in attributes]}


def _declare(labels: Element, label: dict[str, Any]) -> None:
    """The same label in XML."""
    element = SubElement(labels, "label")
    _add(element, "name", label["name"])
    _add(element, "type", label["type"])
    attributes = SubElement(element, "attributes")
    for one in label["attributes"]:
        attribute = SubElement(attributes, "attribute")
        for key, value in one.items():
            _add(attribute, key, "".join(value) if isinstance(value, list) else str(value))


def _add_image(root: Element, number: int, task: Task) -> None:
    width, height = map(str, task.size)
    image = SubElement(root, "image", id=str(number), name=task.file, width=width, height=height)
    tag = SubElement(image, "tag", label=ABOUT, source="auto")
    for name in ABOUT_FIELDS:
        value = getattr(task, name)
        _add(tag, "attribute", "" if value is None else str(value), name=name)
    for one in task.suggestions:
        x1, y1, x2, y2 = (f"{side:.4f}" for side in one.box)
        box = SubElement(image, "box", label=one.name, source="auto", occluded="0",
                         xtl=x1, ytl=y1, xbr=x2, ybr=y2, z_order="0")  # fmt: skip
        _add(box, "attribute", f"{one.score:.4f}", name="score")


def _add(parent: Element, tag: str, text: str, **attributes: str) -> None:
    SubElement(parent, tag, attributes).text = text


TOOL = Tool(
    name="cvat", label="CVAT", write=write,
    next_step="make a CVAT task with the labels of {out}/labels.json (Raw) and the images of "
    "{out}/images, and upload {out}/annotations.xml to it as CVAT 1.1. Afterwards export the task "
    "as 'CVAT for images 1.1'",
)  # fmt: skip
