"""What an image is after it was asked for: labeled, labeled as empty, or still waiting."""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from miaod_nb.compare.comparison import labeling_cost
from miaod_nb.experiment import open_run
from miaod_nb.inspection.reasons import class_mix
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.label_store import Answer, AnsweredObject, LabelStore
from tests.coco import change, write_coco
from tests.experiment.helpers import SETTINGS, log_of, miaod, run_arguments

QUICK = {"rounds": 0, "min_epoch_steps": 1, "training": "label_set"}


@pytest.fixture
def data(data_root: Path, tmp_path: Path) -> Path:
    """A data set whose pool has the labels of the first labeled images alone."""
    data = shutil.copytree(data_root, tmp_path / "data")
    order = np.arange(12)
    np.random.RandomState(0).shuffle(order)
    pool = (data / "ImageSets/Main/trainval.txt").read_text().split()
    for place in order[4:]:
        (data / f"Annotations/{pool[place]}.xml").unlink()
    return data


def answer_for(
    run_dir: Path, image_id: str, *boxes: tuple[float, ...], name: str = "disc",
    difficult: Sequence[bool] = (),
) -> None:  # fmt: skip
    run = open_run(run_dir=run_dir)
    marks = [*difficult, *[False] * (len(boxes) - len(difficult))]
    objects = tuple(
        AnsweredObject(name=name, box=box, difficult=mark)  # type: ignore[arg-type]
        for box, mark in zip(boxes, marks, strict=True)
    )
    one = Answer(id=image_id, objects=objects, by="me", source="test", time=time.time())
    LabelStore(run.folder).answer([one], run.dataset.records)


def selected(run_dir: Path, cycle: int = 0) -> list[str]:
    selection = json.loads((run_dir / f"cycle{cycle}/selection.json").read_text())
    return [row["id"] for row in selection["selected"]]


def labels_of(run_dir: Path, cycle: int) -> dict[str, Any]:
    return json.loads((run_dir / f"cycle{cycle}/labels.json").read_text())


def about(run_dir: Path, cycle: int) -> dict[str, Any]:
    return json.loads((run_dir / f"cycle{cycle}/metrics.json").read_text())["about"]


def test_who_is_not_labeled_yet_does_not_count(data, tmp_path):
    """Of four selected images one comes back in the first cycle, another in the second."""
    run_dir = tmp_path / "run"
    settings = QUICK | {"budget": 4}
    assert miaod(*run_arguments(data, run_dir, **settings, cycles=1)).code == 0
    assert labels_of(run_dir, 0)["asked"] == [] and labels_of(run_dir, 0)["labeled"] == 4
    first, second, *others = selected(run_dir)
    answer_for(run_dir, first, (5, 5, 30, 30))
    outcome = miaod(*run_arguments(data, run_dir, **settings, cycles=2))
    assert outcome.code == 0, outcome.err
    assert "5 of 12 images are labeled, 5 train" in outcome.out
    assert "3 of the images that were asked for have no usable label yet" in outcome.out
    assert set(labels_of(run_dir, 1)["asked"]) == {second, *others}
    assert len(np.load(run_dir / "X_L_1.npy")) == 8  # the authors' set
    told = about(run_dir, 1)
    assert (told["labeled_images"], told["trained_images"]) == (5, 5)
    assert told["labeled_percent"] == round(100 * 5 / 12, 2)
    answer_for(run_dir, second)
    for image_id in selected(run_dir, 1):
        answer_for(run_dir, image_id, (5, 5, 30, 30))
    assert miaod(*run_arguments(data, run_dir, **settings, cycles=3)).code == 0
    assert about(run_dir, 2)["labeled_images"] == 5 + 1 + 4
    assert set(labels_of(run_dir, 2)["asked"]) == set(others)
    splits = log_of(run_dir, "split")
    assert [record["labeled"] for record in splits] == [4, 5, 10]
    assert [record["asked"] for record in splits] == [0, 3, 2]


def test_counts_of_a_cycle_are_of_its_labels(data, tmp_path):
    run_dir = tmp_path / "run"
    assert miaod(*run_arguments(data, run_dir, **QUICK, cycles=1)).code == 0
    before = labels_of(run_dir, 0)
    assert before["images"] == before["labeled"] == 4 and before["empty"] == 1
    first, second = selected(run_dir)
    answer_for(run_dir, first, (5, 5, 30, 30), (9, 9, 40, 40))
    answer_for(run_dir, second)
    assert miaod(*run_arguments(data, run_dir, **QUICK)).code == 0
    now = labels_of(run_dir, 1)
    assert (now["labeled"], now["empty"], now["asked"]) == (6, 2, [])
    assert now["boxes"] == before["boxes"] | {"disc": before["boxes"]["disc"] + 2}


def test_difficult_boxes_are_drawn_but_do_not_count_as_objects(data, tmp_path):
    """Whoever asks what labels cost gets all boxes; the mix of classes is of those that count."""
    run_dir = tmp_path / "run"
    assert miaod(*run_arguments(data, run_dir, **QUICK, cycles=1)).code == 0
    before = labels_of(run_dir, 0)
    assert before["ignored"] == dict.fromkeys(before["boxes"], 0)
    for image_id in selected(run_dir):
        answer_for(run_dir, image_id, (5, 5, 30, 30), (9, 9, 40, 40), difficult=[True])
    assert miaod(*run_arguments(data, run_dir, **QUICK)).code == 0
    now = labels_of(run_dir, 1)
    assert now["boxes"]["disc"] == before["boxes"]["disc"] + 4
    assert now["ignored"] == before["ignored"] | {"disc": 2}
    run = open_run(run_dir=run_dir)
    assert labeling_cost([run])["labeled_boxes"].iloc[1] == sum(now["boxes"].values())
    mix = class_mix(run, 1).set_index("class")["labeled"]
    assert mix["disc"] == now["boxes"]["disc"] - 2
    path = run_dir / "cycle1/labels.json"  # as a version before this wrote it
    noted = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in noted.items() if k != "ignored"}))
    assert open_run(run_dir=run_dir).labels(1)["ignored"] == now["ignored"]


def test_labels_that_arrive_while_a_cycle_trains_wait_for_the_next_one(data, tmp_path):
    run_dir = tmp_path / "run"
    assert miaod(*run_arguments(data, run_dir, **QUICK, cycles=1)).code == 0
    first, second = selected(run_dir)
    answer_for(run_dir, first, (5, 5, 30, 30))
    run = open_run("tiny", data_root=data, run_dir=run_dir, overrides=SETTINGS | QUICK)
    run.advance(1, ["split"])
    answer_for(run_dir, second, (5, 5, 30, 30))
    assert miaod(*run_arguments(data, run_dir, **QUICK)).code == 0
    assert about(run_dir, 1)["trained_images"] == 5


def test_an_answer_overrides_the_file_and_says_that_a_coco_image_is_empty(data_root, tmp_path):
    """No fake box is needed: of a selection that nobody labeled one image is said to be empty."""
    root, run_dir = write_coco(tmp_path / "coco", data_root), tmp_path / "run"
    assert miaod(*run_arguments(root, run_dir, **QUICK, cycles=1)).code == 0
    chosen = selected(run_dir)

    def forget(document: Any) -> None:
        numbers = {i["id"] for i in document["images"] if Path(i["file_name"]).stem in chosen}
        kept = [a for a in document["annotations"] if a["image_id"] not in numbers]
        document["annotations"] = kept

    change(root, forget)
    outcome = miaod(*run_arguments(root, run_dir, **QUICK))
    assert outcome.code == 1 and "none of the 2 images that cycle 0 selected" in outcome.err
    answer_for(run_dir, chosen[0])
    outcome = miaod(*run_arguments(root, run_dir, **QUICK))
    assert outcome.code == 0 and "zero-area" not in outcome.out
    assert labels_of(run_dir, 1)["labeled"] == 6


def test_another_spelling_of_a_class_in_an_answer_is_refused_with_the_file(data, tmp_path):
    run_dir = tmp_path / "run"
    assert miaod(*run_arguments(data, run_dir, **QUICK, cycles=1)).code == 0
    answer_for(run_dir, selected(run_dir)[0], (5, 5, 30, 30), name="Disc")
    outcome = miaod(*run_arguments(data, run_dir, **QUICK))
    assert outcome.code == 1 and "the label 'Disc'" in outcome.err
    assert "answers.jsonl" in outcome.err and "'disc'" in outcome.err


def test_a_run_in_its_default_folder_has_its_answers(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert miaod(*run_arguments(data, None, **QUICK, cycles=1)).code == 0
    (run_dir,) = (tmp_path / "runs").iterdir()
    answer_for(run_dir, selected(run_dir)[0], (5, 5, 30, 30))
    assert miaod(*run_arguments(data, None, **QUICK)).code == 0
    assert about(run_dir, 1)["labeled_images"] == 5
    assert RunFolder(run_dir).exists("labels/answers.jsonl")
