"""Evaluation of what a run left: its own numbers, and the same ones from a prediction file."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from miaod_nb.boxes import Detections
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.evaluation import COCO_AP, VOC12_AP
from miaod_nb.trained.evaluating import evaluate_what, write_evaluation
from miaod_nb.trained.prediction_files import categories_beside, read_entries, to_entries
from tests.coco import write_coco
from tests.experiment.helpers import miaod, run_arguments


@pytest.fixture(scope="module")
def evaluated(reference):
    return evaluate_what(reference, cycle=1)


@pytest.fixture(scope="module")
def written(evaluated, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("evaluated") / "out"
    files = write_evaluation(evaluated, out)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in files)
    return out


@pytest.fixture
def changed(written, tmp_path):
    """`changed(change)`: the prediction file after `change` of its entries."""

    def change_file(change) -> Path:
        out = shutil.copytree(written, tmp_path / "out")
        entries = json.loads((out / "predictions.json").read_text())
        change(entries)
        (out / "predictions.json").write_text(json.dumps(entries))
        return out / "predictions.json"

    return change_file


def test_the_numbers_are_the_runs_own(reference, evaluated):
    recorded = json.loads((reference / "cycle1/metrics.json").read_text())["metrics"]
    assert evaluated.evaluation.metrics == pytest.approx(recorded, rel=1e-6)
    assert max(recorded.values()) > 0
    other = evaluate_what(reference / "cycle0/weights.pt").evaluation.metrics
    assert other != evaluated.evaluation.metrics


def test_written_predictions_give_the_same_numbers(written, evaluated, data_root):
    again = evaluate_what(written / "predictions.json", data_root=data_root)
    assert again.evaluation.metrics == evaluated.evaluation.metrics
    pd.testing.assert_frame_equal(again.evaluation.per_class, evaluated.evaluation.per_class)
    assert again.test.described == "test list (4 images)"


def test_files_are_in_coco_format(written, evaluated, data_root):
    entries = json.loads((written / "predictions.json").read_text())
    assert len(entries) == evaluated.evaluation.per_class["num_detections"].sum() > 0
    listed = (data_root / "ImageSets/Main/test.txt").read_text().split()
    for entry in entries:
        assert entry.keys() == {"image_id", "category_id", "bbox", "score"}
        assert entry["image_id"] in listed and entry["category_id"] in (1, 2)
        assert len(entry["bbox"]) == 4 and min(entry["bbox"][2:]) >= 0
    categories = json.loads((written / "categories.json").read_text())
    assert categories == [{"id": 1, "name": "disc"}, {"id": 2, "name": "square"}]
    metrics = json.loads((written / "metrics.json").read_text())
    assert metrics["metrics"] == evaluated.evaluation.metrics
    table = pd.read_csv(written / "per_class.csv")
    assert table["class"].tolist() == ["disc", "square"]


def test_in_coco_layout_other_tools_read_the_file(reference, evaluated, data_root, tmp_path):
    """Images and categories have the numbers of the COCO file, so that pycocotools finds the same
    AP in the two files."""
    root = write_coco(tmp_path / "coco", data_root)
    found = evaluate_what(reference, data_root=root)
    assert found.evaluation.metrics[VOC12_AP] == evaluated.evaluation.metrics[VOC12_AP]
    write_evaluation(found, tmp_path / "out")
    predictions = tmp_path / "out/predictions.json"
    again = evaluate_what(predictions, data_root=root)
    assert again.evaluation.metrics == found.evaluation.metrics

    truth = COCO(str(root / "annotations/instances_test.json"))
    categories = json.loads((tmp_path / "out/categories.json").read_text())
    assert {c["id"]: c["name"] for c in categories} == {k: c["name"] for k, c in truth.cats.items()}
    evaluator = COCOeval(truth, truth.loadRes(str(predictions)), "bbox")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    assert evaluator.stats[0] == pytest.approx(found.evaluation.metrics[COCO_AP], abs=1e-9)


def test_boxes_come_back_as_they_were():
    rng = np.random.default_rng(0)
    corners = 1000 * rng.random((50, 2))
    boxes = np.concatenate([corners, corners + 90 * rng.random((50, 2))], axis=1)
    found = Detections(
        boxes.astype(np.float32), rng.random(50, np.float32), rng.integers(3, size=50)
    )
    results = {"a": found, "b": found.above(2)}
    ids, categories = {"a": 139, "b": 285}, {1: "x", 5: "y", 90: "z"}
    entries = to_entries(results, ids, categories)
    assert {entry["image_id"] for entry in entries} == {139}
    assert {entry["category_id"] for entry in entries} == {1, 5, 90}
    path = Path("predictions.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", lambda self, encoding: json.dumps(entries))
        again, others = read_entries(path, ids, {"a": Path("a"), "b": Path("b")}, categories)
    assert others == []
    for name, result in results.items():
        for field in ("boxes", "scores", "labels"):
            np.testing.assert_array_equal(getattr(result, field), getattr(again[name], field))


def test_lines_name_every_metric_and_class(evaluated):
    text = "\n".join(evaluated.lines())
    for name, value in evaluated.evaluation.metrics.items():
        assert f"{name} " in text and f"{value:.4f}" in text
    assert "\ndisc " in text and "\nsquare " in text
    assert max(map(len, text.splitlines())) <= 100


def test_run_without_a_test_list_is_evaluated_on_what_it_held_out(make_voc, tmp_path):
    data = make_voc(tmp_path / "VOC2007")
    (data / "ImageSets/Main/test.txt").unlink()
    arguments = run_arguments(data, tmp_path / "run", cycles=1, holdout=0.5)
    assert miaod(*arguments).code == 0
    recorded = json.loads((tmp_path / "run/cycle0/metrics.json").read_text())
    for what in (tmp_path / "run", tmp_path / "run/cycle0/weights.pt"):
        found = evaluate_what(what)
        assert found.test.described == recorded["about"]["evaluated_on"]
        assert found.test.described.startswith("holdout (2 of the first labeled images")
        assert found.evaluation.metrics == pytest.approx(recorded["metrics"], rel=1e-6)
    with pytest.raises(DataError, match="no image list 'test'") as caught:
        evaluate_what(tmp_path / "run", data_root=data)
    assert "never trained on" in str(caught.value) and "trainval" not in str(caught.value)
    write_evaluation(found, tmp_path / "run/evaluated")
    with pytest.raises(DataError, match="images that a run held out"):
        evaluate_what(tmp_path / "run/evaluated/predictions.json", data_root=data)


def test_predictions_say_their_list(reference, data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    lists = data / "ImageSets/Main"
    (lists / "mine.txt").write_text((lists / "test.txt").read_text().splitlines()[0])
    found = evaluate_what(reference, data_root=data, list_name="mine")
    write_evaluation(found, tmp_path / "out")
    again = evaluate_what(tmp_path / "out/predictions.json", data_root=data)
    assert again.test.described == "mine list (1 images)"
    assert again.evaluation.metrics == found.evaluation.metrics
    (tmp_path / "out/metrics.json").unlink()
    again = evaluate_what(tmp_path / "out/predictions.json", data_root=data)
    assert again.test.described == "test list (4 images)"
    (tmp_path / "out/metrics.json").write_text('{"about": {"list": 3}}')
    with pytest.raises(DataError, match="list = 3 is no name of an image list"):
        evaluate_what(tmp_path / "out/predictions.json", data_root=data)


# --------------------------------------------------------------------------------------- refusals


def test_files_of_a_run_are_not_overwritten(reference, evaluated, tmp_path, monkeypatch):
    run = shutil.copytree(reference, tmp_path / "run")
    before = (run / "cycle1/metrics.json").read_bytes()
    with pytest.raises(DataError, match="files of this run would be overwritten"):
        write_evaluation(evaluated, run / "cycle1")

    def computed(*arguments, **settings):
        raise AssertionError("this comes after the refusal")

    monkeypatch.setattr("miaod_nb.trained.evaluating.evaluate_what", computed)
    (tmp_path / "file").write_text("mine")
    for out, words in (
        (run, "files of this run would be overwritten"),
        (run / "cycle1", "files of this run would be overwritten"),
        (tmp_path / "file", "--out is a file"),
        (tmp_path / "file/below", "--out lies below a file"),
    ):
        outcome = miaod("evaluate", run, "--out", out)
        assert outcome.code == 1 and words in outcome.err
    assert (run / "cycle1/metrics.json").read_bytes() == before
    assert write_evaluation(evaluated, run / "evaluated")


def test_path_that_is_not_there(tmp_path):
    for name in ("run", "weights.pt", "predictions.json"):
        with pytest.raises(DataError, match="there is no such file or folder"):
            evaluate_what(tmp_path / name)


def test_boxes_outside_the_list_are_counted(changed, data_root):
    path = changed(lambda entries: entries.append(entries[0] | {"image_id": "000001"}))
    again = evaluate_what(path, data_root=data_root)
    assert "1 x predicted box in an image outside the list" in "\n".join(again.lines())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e[1].update(image_id=["000013"]), "entry 1 .* neither a text nor a whole"),
        (lambda e: e[1].update(bbox="1234"), "entry 1 .* bbox is no list of four numbers"),
        (lambda e: e[1].update(score=10**400), "entry 1 cannot be used: int too large"),
        (lambda e: e[1].update(bbox=[1e39, 0, 1, 1]), "a number is not finite, or too large"),
        (lambda e: e[3].pop("score"), "entry 3 cannot be used: there is no 'score'"),
        (lambda e: e[0].update(category_id=7), "entry 0 .* category 7 is not in categories.json"),
        (lambda e: e[1].update(bbox=[1, 2, 3]), "entry 1 cannot be used"),
        (lambda e: e[1].update(bbox=[1, 2, -3, 4]), "a side is negative"),
        (lambda e: e[1].update(score=float("nan")), "a number is not finite"),
        (lambda e: e.insert(2, "box"), "entry 2 cannot be used"),
        (lambda e: e[2].update(category_id=[1]), "entry 2 cannot be used"),
        (lambda e: [x.update(image_id="other") for x in e], "none of the .* boxes lies"),
    ],
)  # fmt: skip
def test_entries_that_cannot_be_used(changed, data_root, change, words):
    path = changed(change)
    with pytest.raises(DataError, match=words):
        evaluate_what(path, data_root=data_root)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("predictions.json", "[{", "the file cannot be used"),
        ("predictions.json", "{}", "it is not a list"),
        ("predictions.json", "[" * 100_000, "the file cannot be used"),
        ("categories.json", None, "the file is missing"),
        ("categories.json", "[]", "there is no category"),
        ("categories.json", '[{"id": 1}]', "there is no 'name'"),
    ],
)
def test_files_that_cannot_be_used(written, tmp_path, data_root, name, text, words):
    out = shutil.copytree(written, tmp_path / "out")
    (out / name).unlink() if text is None else (out / name).write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        evaluate_what(out / "predictions.json", data_root=data_root)
    assert str(out / name) in str(caught.value) and "what to do" in str(caught.value)


def test_what_an_evaluation_needs(written, reference, data_root, tmp_path):
    predictions = written / "predictions.json"
    with pytest.raises(ConfigError, match="no labels to evaluate against"):
        evaluate_what(predictions)
    with pytest.raises(ConfigError, match="evaluated as they are"):
        evaluate_what(predictions, data_root=data_root, overrides={"nms_iou": 0.3})
    weights = shutil.copy(reference / "cycle0/weights.pt", tmp_path)
    with pytest.raises(ConfigError, match="name the data set that has the labels"):
        evaluate_what(Path(weights))
    with pytest.raises(DataError, match="there is no image list 'tset'") as error:
        evaluate_what(reference, list_name="tset")
    assert "did you mean 'test'?" in str(error.value)


def test_labels_of_other_classes(reference, make_voc, tmp_path):
    data = make_voc(tmp_path / "VOC2007", classes=("cat", "dog"))
    with pytest.raises(DataError, match="no label of the list 'test' is of the classes disc, sq"):
        evaluate_what(reference, data_root=data)


def test_faults_of_evaluated_images_are_counted(reference, make_voc, tmp_path):
    data = make_voc(tmp_path / "VOC2007")
    (data / "JPEGImages/000013.jpg").unlink()
    (data / "Annotations/000014.xml").write_text("")
    lines = evaluate_what(reference, data_root=data, overrides={"device": "cpu"}).lines()
    assert "evaluated images: 1 x listed image missing (000013)" in lines
    assert "evaluated images: 1 x annotation malformed: empty file (000014)" in lines
    assert lines[0] == "evaluated on the test list (2 images):"


def test_categories_are_read_in_the_order_of_the_file(tmp_path):
    (tmp_path / "categories.json").write_text('[{"id": 3, "name": "b"}, {"id": 1, "name": "a"}]')
    assert list(categories_beside(tmp_path / "x.json").items()) == [(3, "b"), (1, "a")]
