"""A run is read without torch, images, labels or a registry; damaged documents are named."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from miaod_nb.errors import RunFolderError
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import RunRecord, is_run
from miaod_nb.runs.schema import VERSION, Metrics, Selection, read_document
from miaod_nb.runs.steps import stage_names, step_names

BEFORE = Path(__file__).parents[1] / "fixtures/run-before.tar.gz"


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A run folder that an earlier version wrote: two cycles, an image skipped in the first."""
    with tarfile.open(BEFORE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "before"


def test_a_run_of_an_earlier_version_is_read(before: Path) -> None:
    record = RunRecord.open(before)
    assert (record.name, record.config.preset, record.cycles) == ("before", "tiny", 2)
    assert len(record.pool) == 48 and len(record.test) == 16 and len(record.classes) > 1
    assert [len(record.labeled(cycle)) for cycle in (0, 1)] == [4, 6]
    chosen = [row["id"] for row in record.selection(0)["selected"]]
    assert set(record.labeled(1)) == {*record.labeled(0), *chosen}
    assert record.last_selection == 1 and record.trained == [0, 1]
    assert list(record.scores(0)["id"]) == [i for i in record.pool if i not in record.labeled(0)]
    assert record.metrics()["labeled_images"].tolist() == [4, 6]
    assert list(record.per_class(1)["class"]) == list(record.classes)
    assert record.exclusions(0) == {} and "boxes" not in record.labels(0)
    assert set(record.training_log(1)["stage"]) == set(stage_names(record.config, True))
    assert len(record.fingerprint) == 64 and "torch" in record.environment()
    assert record.discrepancies(0).keys() == set(record.training_log(0)["stage"])


def test_reading_a_run_imports_no_torch(before: Path) -> None:
    code = (
        "import sys; from miaod_nb.runs.record import RunRecord\n"
        f"record = RunRecord.open({str(before)!r})\n"
        "record.selection(1), record.scores(1), record.metrics(), record.training_log(0)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    assert not is_run(tmp_path)
    with pytest.raises(RunFolderError, match="there is no run in this folder"):
        RunRecord.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "field", "fault"),
    [
        ("config.json", {"identity": None}, "identity", "is wrong"),
        ("cycle0/selection.json", {"selected": {}}, "selected", "is wrong"),
        ("cycle0/selection.json", {"selected": [{"id": "a"}]}, "selected.0.rank", "is missing"),
        ("cycle0/selection.json", {"budget": "2"}, "budget", "is wrong"),
        ("cycle0/metrics.json", {"metrics": {"AP": "high"}}, "metrics.AP", "is wrong"),
    ],
)
def test_a_field_of_wrong_shape_is_named(before, name, change, field, fault) -> None:
    path = before / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunFolderError) as caught:
        record = RunRecord.open(before)
        record.selection(0), record.metrics_of(0)
    assert fault in caught.value.what and str(caught.value.where).endswith(f"{name}, field {field}")


def test_a_document_keeps_the_order_of_its_fields(before: Path) -> None:
    """That of the columns of metrics.csv follows from it."""
    folder, name = RunFolder(before), "cycle0/metrics.json"
    content = folder.load_json(name)
    turned = {key: content[key] for key in reversed(content)}
    turned["about"] = dict(reversed(content["about"].items()))
    folder.save_json(name, turned)
    found = read_document(folder, name, Metrics)
    assert list(found) == list(turned) and list(found["about"]) == list(turned["about"])


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"', "{"])
def test_another_document_is_no_run(before: Path, content: str) -> None:
    (before / "config.json").write_text(content)
    with pytest.raises(RunFolderError, match="config.json"):
        RunRecord.open(before)


def test_a_document_of_a_newer_version_is_refused(before: Path) -> None:
    path = before / "cycle0/selection.json"
    document = json.loads(path.read_text())
    for version in (VERSION, VERSION + 1):
        path.write_text(json.dumps(document | {"version": version}))
        if version == VERSION:
            assert read_document(RunFolder(before), "cycle0/selection.json", Selection)["budget"]
    with pytest.raises(RunFolderError, match="a newer version of miaod"):
        RunRecord.open(before).selection(0)


def test_indices_of_other_images_are_refused(before: Path) -> None:
    (before / "X_L_0.npy").write_bytes((before / "X_L_1.npy").read_bytes())
    document = json.loads((before / "config.json").read_text())
    del document["identity"]["data"]["pool"][2:]
    (before / "config.json").write_text(json.dumps(document))
    with pytest.raises(RunFolderError, match="not of the 2 images of this run"):
        RunRecord.open(before).labeled(0)


def test_steps_follow_from_what_there_is_to_do() -> None:
    steps = step_names(["label_set"], evaluates=False, scores=True, chooses=True)
    assert steps == ["split", "label_set", "score", "select"]
    assert step_names(["a"], evaluates=True, scores=True, chooses=False) == [
        "split",
        "a",
        "evaluate",
    ]
