"""Experiments on COCO data: the same as on VOC data, and only the labels asked for are used."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from miaod_nb.boxes import Detections, Objects
from miaod_nb.data.layouts.coco_file import CocoFile
from miaod_nb.evaluation import evaluate
from miaod_nb.runs.files import RunFolder
from tests.coco import Document, annotation_file, change, write_coco
from tests.experiment.helpers import log_of, miaod, results, run_arguments

QUICK = {"rounds": 0, "min_epoch_steps": 1, "training": "label_set"}  # trains for two steps


@pytest.fixture(scope="module")
def coco(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of the reference run in COCO layout; tests must not change it."""
    return write_coco(tmp_path_factory.mktemp("data") / "coco", data_root)


def _selection(run_dir: Path, cycle: int = 0) -> dict:
    return json.loads((run_dir / f"cycle{cycle}/selection.json").read_text())


def _keep_labels_of(root: Path, source: Path, ids: set[str]) -> None:
    """Gives `root` the annotations of these images of `source`, and no others."""

    def edit(document: Document) -> None:
        everything = json.loads(annotation_file(source).read_text())["annotations"]
        numbers = {i["id"] for i in document["images"] if Path(i["file_name"]).stem in ids}
        document["annotations"] = [a for a in everything if a["image_id"] in numbers]

    change(root, edit)


# ---------------------------------------------------------------------------------- the same as VOC


def test_run_is_that_on_the_same_data_in_voc_layout(coco, reference, tmp_path):
    assert miaod(*run_arguments(coco, tmp_path / "run")).code == 0
    found, expected = results(tmp_path / "run"), results(reference)
    for document in (found, expected):
        for cycle in range(2):
            for letter in "LU":
                (name,) = [n for n in document if n.startswith(f"cycle{cycle}/trainval_{letter}_")]
                document[f"ids {cycle} {letter}"] = document.pop(name)  # named by the source
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name] == expected[name], name


def test_run_knows_nothing_of_labels_that_were_not_asked_for(coco, data_root, tmp_path):
    """With no other label in the file, and each cycle's put there only when the cycle before has
    asked for them, the results are the same."""
    assert miaod(*run_arguments(coco, tmp_path / "whole", **QUICK)).code == 0
    root = write_coco(tmp_path / "coco", data_root)
    pool = (data_root / "ImageSets/Main/trainval.txt").read_text().split()
    asked_for = {pool[i] for i in np.load(tmp_path / "whole/X_L_0.npy")}
    for cycle in range(2):
        _keep_labels_of(root, coco, asked_for)
        assert miaod(*run_arguments(root, tmp_path / "run", **QUICK, cycles=cycle + 1)).code == 0
        asked_for |= {one["id"] for one in _selection(tmp_path / "run", cycle)["selected"]}
    assert len(asked_for) == 4 + 2 + 2
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def test_annotations_are_read_of_labeled_and_test_images_alone(coco, tmp_path, monkeypatch):
    read: set[int] = set()
    original = CocoFile.objects
    monkeypatch.setattr(
        CocoFile, "objects", lambda file, number: read.add(number) or original(file, number)
    )
    assert miaod(*run_arguments(coco, tmp_path / "run", **QUICK)).code == 0
    labeled = {1000 + i for i in np.load(tmp_path / "run/X_L_1.npy")}
    tested = {
        image["id"] for image in json.loads(annotation_file(coco, "test").read_text())["images"]
    }
    assert len(labeled) == 6 and len(tested) == 4 and read == labeled | tested


def test_classes_are_the_categories_whether_or_not_an_image_shows_them(coco, data_root, tmp_path):
    root = write_coco(tmp_path / "coco", data_root)
    change(root, lambda d: d["categories"].append({"id": 1, "name": "zebra"}))
    outcome = miaod(*run_arguments(root, tmp_path / "run", **QUICK, cycles=1))
    assert outcome.code == 0 and "classes: zebra, disc, square" in outcome.out
    per_class = pd.read_csv(tmp_path / "run/cycle0/per_class.csv")
    assert per_class["class"].tolist() == ["zebra", "disc", "square"]
    assert per_class["COCO AP50"].isna().tolist() == [True, False, False]
    metrics = json.loads((tmp_path / "run/cycle0/metrics.json").read_text())["metrics"]
    assert all(math.isfinite(value) for value in metrics.values()) and "COCO AP small" in metrics


def test_class_that_is_no_category_is_refused(coco, tmp_path):
    outcome = miaod(*run_arguments(coco, tmp_path / "run", classes="disk"))
    assert outcome.code == 1 and "no label has the class 'disk'" in outcome.err
    assert "'disc'" in outcome.err and str(annotation_file(coco)) in outcome.err


# ------------------------------------------------------------------------------- what COCO brings


@pytest.mark.parametrize(
    ("name", "shown"), [("a\nb", r"'a\nb'"), ("\ud800", r"'\ud800'")], ids=["break", "no text"]
)
def test_a_class_name_that_no_line_can_hold_is_refused(data_root, tmp_path, name, shown):
    root = write_coco(tmp_path / "coco", data_root)
    change(root, lambda document: document["categories"][0].update(name=name))
    outcome = miaod(*run_arguments(root, tmp_path / "run"))
    assert outcome.code == 1 and f"the class name {shown} holds a line break" in outcome.err
    assert "what to do: rename the class there" in outcome.err


def test_a_data_set_without_a_test_list_is_measured_on_a_part(data_root, tmp_path):
    root = write_coco(tmp_path / "coco", data_root)
    annotation_file(root, "test").unlink()
    outcome = miaod(*run_arguments(root, tmp_path / "run", **QUICK, cycles=1, holdout=0.5))
    assert outcome.code == 0 and "measured on the holdout (2 of" in outcome.out


def test_images_without_objects_are_left_out_when_asked(coco, tmp_path):
    arguments = run_arguments(coco, tmp_path / "run", **QUICK, cycles=1, empty_images="drop")
    outcome = miaod(*arguments)
    assert outcome.code == 0 and "4 of 11 images are labeled" in outcome.out
    assert "1 x image without objects, left out (empty_images=drop) (000012)" in outcome.out
    exclusions = json.loads((tmp_path / "run/cycle0/exclusions.json").read_text())
    assert exclusions["image without objects, left out (empty_images=drop)"]["count"] == 1


def test_voc_refuses_to_leave_images_out(data_root, tmp_path):
    outcome = miaod(*run_arguments(data_root, tmp_path / "run", empty_images="drop"))
    assert outcome.code == 1 and "set empty_images=keep" in outcome.err
    assert not (tmp_path / "run").exists()


def test_pool_without_annotations_says_what_to_label(coco, data_root, tmp_path):
    root = write_coco(tmp_path / "coco", data_root)
    change(root, lambda d: d.pop("annotations"))
    outcome = miaod(*run_arguments(root, tmp_path / "run"))
    assert outcome.code == 1
    assert "none of the 4 labeled images has a usable annotation (4 x annotation" in outcome.err
    assert str(annotation_file(root)) in outcome.err


def _say_that_it_is_empty(root: Path, image_id: str) -> None:
    def edit(document: Document) -> None:
        (number,) = (i["id"] for i in document["images"] if Path(i["file_name"]).stem == image_id)
        document["annotations"].append(
            {"id": 9999, "image_id": number, "category_id": 3, "bbox": [0, 0, 0, 0]}
        )

    change(root, edit)


def test_selection_that_nobody_labeled_waits_for_labels(coco, data_root, tmp_path):
    """Also when it might show no object; said to be so, it trains as background."""
    root, run_dir = write_coco(tmp_path / "coco", data_root), tmp_path / "run"
    assert miaod(*run_arguments(root, run_dir, **QUICK, cycles=1)).code == 0
    pool = (data_root / "ImageSets/Main/trainval.txt").read_text().split()
    _keep_labels_of(root, coco, {pool[i] for i in np.load(run_dir / "X_L_0.npy")})
    outcome = miaod(*run_arguments(root, run_dir, **QUICK))
    assert outcome.code == 1 and str(annotation_file(root)) in outcome.err
    assert "none of the 2 images that cycle 0 selected has a usable annotation" in outcome.err
    assert "an annotation with the bbox [0, 0, 0, 0]" in outcome.err
    _say_that_it_is_empty(root, _selection(run_dir)["selected"][0]["id"])
    outcome = miaod(*run_arguments(root, run_dir, **QUICK))
    assert outcome.code == 0 and "6 of 12 images are labeled, 6 train" in outcome.out
    assert "1 x box smaller than a pixel" in outcome.out


def test_first_images_that_nobody_labeled_are_refused(coco, data_root, tmp_path):
    root = write_coco(tmp_path / "coco", data_root)
    assert miaod(*run_arguments(coco, tmp_path / "other", **QUICK, cycles=1)).code == 0
    pool = (data_root / "ImageSets/Main/trainval.txt").read_text().split()
    first = {pool[i] for i in np.load(tmp_path / "other/X_L_0.npy")}
    _keep_labels_of(root, coco, set(pool) - first)
    outcome = miaod(*run_arguments(root, tmp_path / "run", **QUICK))
    assert outcome.code == 1
    assert "none of the 4 labeled images has a usable annotation (4 x image with" in outcome.err
    assert "cannot tell images without objects from unlabeled ones" in outcome.err


def test_crowds_alone_are_nothing_to_evaluate(coco, data_root, tmp_path):
    root = write_coco(tmp_path / "coco", data_root)

    def only_crowds(document: Document) -> None:
        for entry in document["annotations"]:
            entry["iscrowd"] = 1

    change(root, only_crowds, "test")
    outcome = miaod(*run_arguments(root, tmp_path / "run"))
    assert outcome.code == 1 and "none of the 4 images to evaluate on" in outcome.err
    assert "difficult or crowd" in outcome.err


def test_damaged_file_is_refused_before_anything_is_written(coco, data_root, tmp_path):
    root = write_coco(tmp_path / "coco", data_root)
    path = annotation_file(root, "test")
    path.write_bytes(path.read_bytes()[:-9])
    outcome = miaod(*run_arguments(root, tmp_path / "run"))
    assert outcome.code == 1 and "damaged or cut off" in outcome.err and str(path) in outcome.err
    assert not (tmp_path / "run").exists()


def test_info_counts_what_the_labels_hold(coco):
    outcome = miaod("info", coco, "--list", "trainval", "--audit")
    assert outcome.code == 0
    assert "trainval: 12 usable images from trainval" in outcome.out
    assert "disc" in outcome.out and "1 x image without objects (000012)" in outcome.out


# --------------------------------------------------------------------------- a part of the pool


def test_part_of_the_pool_is_scored_and_selected_from(data_root, tmp_path):
    """Of 12 images 4 are labeled; 0.4 of 12 are 4 that are scored, of the other 8 and then 6."""
    run_dir = tmp_path / "run"
    outcome = miaod(*run_arguments(data_root, run_dir, **QUICK, score_fraction=0.4))
    assert outcome.code == 0
    assert "scored and selected from: 4 of the 8 images in the pool" in outcome.out
    scored = []
    for cycle, in_pool in ((0, 8), (1, 6)):
        selection = _selection(run_dir, cycle)
        table = RunFolder(run_dir).load_parquet(f"cycle{cycle}/scores.parquet")
        scored.append(set(table["index"]))
        assert (selection["pool"], selection["scored"], len(table)) == (in_pool, 4, 4)
        assert not scored[cycle] & set(np.load(run_dir / f"X_L_{cycle}.npy"))
        best = table.sort_values("score")["index"].tolist()[-2:]
        assert [one["index"] for one in selection["selected"]] == best[::-1]
    assert scored[0] != scored[1]
    assert [record["scored"] for record in log_of(run_dir, "select")] == [4, 4]
    assert [record["images"] for record in log_of(run_dir, "score")] == [4, 4]


def test_part_of_the_pool_is_all_that_is_left(data_root, tmp_path):
    arguments = run_arguments(data_root, tmp_path / "run", **QUICK, score_fraction=0.99, cycles=1)
    assert miaod(*arguments).code == 0
    assert (_selection(tmp_path / "run")["pool"], _selection(tmp_path / "run")["scored"]) == (8, 8)


def test_random_choice_scores_nothing_and_takes_from_the_whole_pool(data_root, tmp_path):
    settings = QUICK | {"strategy": "random", "score_fraction": 0.2, "cycles": 1}
    assert miaod(*run_arguments(data_root, tmp_path / "run", **settings)).code == 0
    selection = _selection(tmp_path / "run")
    assert (selection["pool"], selection["scored"]) == (8, 0) and len(selection["selected"]) == 2


def test_part_that_is_smaller_than_the_budget_is_refused(data_root, tmp_path):
    outcome = miaod(*run_arguments(data_root, tmp_path / "run", score_fraction=0.1))
    assert outcome.code == 1 and "of 12 images 1 are scored in a cycle" in outcome.err
    assert "score_fraction = 0.1" in outcome.err and "lower budget" in outcome.err


def test_second_images_train_without_labels_until_the_pool_is_used_up(data_root, tmp_path):
    run_dir = tmp_path / "run"
    settings = {"first_unlabeled": "second", "initial": 5, "budget": 4, "cycles": 3}
    settings |= {"min_epoch_steps": 1, "repeats": 1}
    assert miaod(*run_arguments(data_root, run_dir, **settings)).code == 0
    order = np.arange(12)
    np.random.RandomState(0).shuffle(order)
    samples = [np.load(run_dir / f"X_U_{cycle}.npy").tolist() for cycle in range(3)]
    labeled = [set(np.load(run_dir / f"X_L_{cycle}.npy")) for cycle in range(3)]
    assert samples[0] == sorted(order[5:10])
    assert samples[1] == sorted(set(range(12)) - labeled[1]) and len(samples[1]) == 3
    assert len(labeled[2]) == 12 and samples[2] == list(range(12))


def test_crowds_and_areas_reach_the_metrics():
    boxes = np.array([[10, 10, 30, 30], [60, 60, 90, 90]], np.float32)
    labels, crowd = np.zeros(2, np.int64), np.array([False, True])
    objects = Objects(boxes, labels, np.zeros(2, bool), crowd, area=np.array([32.0**2 + 1, 1.0]))
    found = Detections(boxes[:1], np.ones(1, np.float32), labels[:1])
    evaluation = evaluate([found], [objects], ["dog"])
    assert evaluation.metrics["COCO AP medium"] == pytest.approx(1)
    assert evaluation.metrics["COCO AP@[.5:.95]"] == pytest.approx(1)  # the crowd is not missed
    assert "COCO AP small" not in evaluation.metrics
