"""Whatever stands in a label file of a data set: it is read, counted or refused with words."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from miaod_nb.data.labels import Oracle
from miaod_nb.data.layouts.label_files import find_labels
from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.errors import MiaodError
from tests.labeling.test_broken_files import JSON, JUNK, ROWS, TEXTS, XML, element, spoiled

pytestmark = pytest.mark.slow

MANY = settings(
    max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "a.jpg"
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(path)
    return path


def read(photo: Path, folder: Path, files: dict[str, str | bytes]) -> None:
    """Reads these label files for the photo; only an error of ours may come of it."""
    for name, content in files.items():
        text = content if isinstance(content, bytes) else content.encode(errors="surrogatepass")
        (folder / name).write_bytes(text)
    faults = FaultCounts()
    try:
        labels = find_labels(folder)
        if labels is None:
            return
        labels.match({"a": photo}, faults)
        oracle = Oracle(labels, [ImageRecord("a", "s", photo, 64, 48)])
        names = list(labels.classes()) or oracle.class_names(["a"], faults)
        found = oracle.read(["a"], names, faults)
    except MiaodError as error:
        assert str(error)
        return
    assert all(np.isfinite(one.boxes).all() for one in found.values())
    assert all(line.encode() for line in faults.lines())


@MANY
@given(tree=spoiled(XML["voc"]))
def test_voc_xml(photo, tmp_path, tree):
    read(photo, tmp_path, {"a.xml": element(tree)})


@MANY
@given(content=st.binary(max_size=60))
def test_anything_as_xml(photo, tmp_path, content):
    read(photo, tmp_path, {"a.xml": content})


@MANY
@given(rows=ROWS, names=st.one_of(st.just("dog\ncat"), TEXTS))
def test_yolo_rows(photo, tmp_path, rows, names):
    read(photo, tmp_path, {"a.txt": rows, "classes.txt": names})


@MANY
@given(names=JUNK, more=JUNK)
def test_yolo_names(photo, tmp_path, names, more):
    text = json.dumps({"names": names, "nc": more})  # JSON is YAML
    read(photo, tmp_path, {"a.txt": "0 0.5 0.5 0.2 0.2", "data.yaml": text})


@MANY
@given(content=spoiled(JSON["coco"]))
def test_coco(photo, tmp_path, content):
    read(photo, tmp_path, {"all.json": json.dumps(content)})
