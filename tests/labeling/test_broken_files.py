"""Whatever stands in a file, a reader takes it, counts it or refuses it with words."""

import copy
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import MiaodError
from miaod_nb.labeling.importing import format_of, read_labels
from miaod_nb.labeling.ingest import FORMATS
from miaod_nb.labeling.names import Images
from miaod_nb.runs.label_store import AnsweredObject

NUMBERS = st.one_of(st.integers(-3, 700), st.floats(), st.just(10**400), st.just(1e308))
TEXTS = st.one_of(st.sampled_from(["a.jpg", "cam1/0001.jpg", "disc", "", "1", "90.0"]), st.text())
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.just("\ud800")),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXTS, inner, max_size=2)),
    max_leaves=3,
)
REGION = {
    "type": "rectanglelabels", "origin": "manual", "original_width": 64, "original_height": 48,
    "value": {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 30,
              "rectanglelabels": ["disc"]},
}  # fmt: skip
ABOUT = {"lead_time": 1.5, "updated_at": "2026-11-28T06:00:00Z", "was_cancelled": False}
JSON: dict[str, Any] = {  # a whole file of each format
    "label-studio": [{"data": {"image": "a.jpg"}, "drafts": [],
                      "annotations": [{"result": [REGION], "completed_by": 1, **ABOUT}]}],
    "label-studio-min": [{"image": "a.jpg", "annotation_id": 1, "annotator": 1,
                          "label": [{**REGION["value"], "original_width": 64}], **ABOUT}],
    "coco": {
        "info": {"contributor": "x"},
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
        "categories": [{"id": 1, "name": "disc", "supercategory": "x"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 9, 9],
                         "attributes": {"rotation": 9.0}}],
    },
    "x-anylabeling": {
        "version": "6.3.1", "checked": True, "imageWidth": 64, "imageHeight": 48,
        "shapes": [{"label": "disc", "shape_type": "polygon", "points": [[1, 2], [9, 9]]}],
    },
    "notebook": {
        "tool": "miaod-notebook", "run": "0badcafe", "cycle": 0,
        "images": {"a": {"state": "done", "note": "", "seconds": 1.5, "time": 9.0, "boxes": [
            {"name": "disc", "box": [1, 2, 9, 9], "score": None, "origin": "drawn"},
        ]}},
    },
}  # fmt: skip
XML: dict[str, Any] = {
    "cvat": ["annotations", {}, [
        ["meta", {}, [["source", {}, "x"]]],
        ["image", {"name": "a.jpg", "width": "64", "height": "48"}, [
            ["box", {"label": "disc", "source": "manual", "rotation": "30", "xtl": "1",
                     "ytl": "2", "xbr": "9", "ybr": "9"}, ""],
            ["polygon", {"label": "disc", "points": "1,2;9,9;3,4"}, ""],
        ]],
    ]],
    "voc": ["annotation", {}, [
        ["folder", {}, "VOC"], ["filename", {}, "a.jpg"],
        ["size", {}, [["width", {}, "64"], ["height", {}, "48"]]],
        ["object", {}, [["name", {}, "disc"], ["bndbox", {}, [
            ["xmin", {}, "1"], ["ymin", {}, "2"], ["xmax", {}, "9.5"], ["ymax", {}, "9"],
        ]]]],
    ]],
}  # fmt: skip
TOKENS = st.one_of(st.sampled_from(["0", "1", "0.5", "-1", "nan", "1e400", "1.0", "x"]), TEXTS)
ROW = st.one_of(st.just("1 0.5 0.5 0.25 0.25"), st.lists(TOKENS, max_size=8).map(" ".join))
ROWS = st.lists(ROW, max_size=3).map("\n".join)


@st.composite
def spoiled(draw: st.DrawFn, whole: Any) -> Any:
    """The value with up to three parts left out, repeated, or exchanged for something else."""
    root = [copy.deepcopy(whole)]
    for _ in range(draw(st.integers(0, 3))):
        place, key = draw(st.sampled_from([*parts_of(root)]))
        change = draw(st.sampled_from(["other", "gone", "twice"]))
        if change == "other" or place is root:
            place[key] = draw(JUNK)
        elif change == "gone":
            del place[key]
        elif isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
    return root[0]


def parts_of(place: Any) -> Iterator[tuple[Any, Any]]:
    """Each part of a value, as what holds it and where."""
    keys: Any = place if isinstance(place, dict) else range(len(place))
    for key in list(keys):
        yield place, key
        if isinstance(place[key], dict | list):
            yield from parts_of(place[key])


def element(parts: Any) -> str:
    """XML of an element: [tag, attributes, text or elements]."""
    if not (isinstance(parts, list) and len(parts) == 3 and isinstance(parts[0], str)):
        return escape(str(parts))
    tag, attributes, inside = parts
    pairs = attributes.items() if isinstance(attributes, dict) else []
    said = "".join(f" {key}={quoteattr(str(value))}" for key, value in pairs if key.isalpha())
    text = "".join(map(element, inside)) if isinstance(inside, list) else escape(str(inside))
    return f"<{tag}{said}>{text}</{tag}>"


@st.composite
def spoiled_archive(draw: st.DrawFn) -> bytes:
    """A zip archive of labels in which some bytes are others, or that ends too early."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", draw(st.sampled_from([zipfile.ZIP_DEFLATED, 0]))) as archive:
        archive.writestr("a.xml", element(XML["voc"]))
        archive.writestr(draw(st.sampled_from(["a.jpg", "a.xml/b.json", "b/a.json"])), b"{}")
    spoiled = bytearray(content.getvalue())
    for _ in range(draw(st.integers(0, 4))):
        spoiled[draw(st.integers(0, len(spoiled) - 1))] = draw(st.integers(0, 255))
    return bytes(spoiled[: draw(st.sampled_from([None, None, None, len(spoiled) // 2]))])


def encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


DOCUMENTS = {
    name: (".json", st.one_of(st.binary(), spoiled(whole).map(json.dumps).map(encoded)))
    for name, whole in JSON.items()
} | {
    name: (".xml", st.one_of(st.binary(), spoiled(whole).map(element).map(encoded)))
    for name, whole in XML.items()
} | {"yolo": (".txt", st.one_of(st.binary(), ROWS.map(encoded)))}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> tuple[Path, Images]:
    """A folder with two images of a run, and the classes of YOLO's labels."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "classes.txt").write_text("disc\nring\n")
    records = {}
    for image_id in ("a", "cam1/0001"):
        path = folder / f"{image_id}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 48)).save(path)
        records[image_id] = ImageRecord(image_id, "s", path, 64, 48)
    return folder, Images(records)


EXAMPLES = settings(
    max_examples=2000, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def test_every_reader_is_tried():
    assert DOCUMENTS.keys() == FORMATS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_file_breaks_a_reader(name, place):
    folder, images = place
    suffix, documents = DOCUMENTS[name]
    path, read = folder / f"a{suffix}", []

    @EXAMPLES
    @given(document=documents, named=st.sampled_from([path, folder]))
    def try_it(document: bytes, named: Path) -> None:
        path.write_bytes(document)
        assert FORMATS[name].fits(named) in (True, False)
        with suppress(MiaodError):
            _, boxes = read_labels(named, FORMATS[name], images, True, FaultCounts())
            for box in (box for given in boxes.values() for box in given):
                AnsweredObject(name=box.name, box=box.box).model_dump_json().encode()
                read.append(box)

    try_it()
    path.unlink()
    assert read  # some were good


@pytest.mark.slow
def test_no_archive_breaks_the_import(place):
    folder, images = place
    path, read = folder / "a.zip", []

    @EXAMPLES
    @given(content=spoiled_archive())
    def try_it(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(MiaodError):
            read.append(read_labels(path, format_of(path), images, True, FaultCounts()))

    try_it()
    path.unlink()
    assert read
