"""What `miaod run` refuses: the error names what, where and a remedy, and there is no traceback."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.runs.files import RunFolder
from tests.experiment.helpers import Outcome, miaod, results, run_arguments


def assert_refused(outcome: Outcome, *words: str) -> None:
    """Exit code 1, and an error with these words, a place and a remedy."""
    assert outcome.code == 1, outcome
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.out + outcome.err
    for word in ("  what to do: ", *words):
        assert word in outcome.err


@pytest.fixture
def data(data_root: Path, tmp_path: Path) -> Path:
    """A data set that the test may damage."""
    return shutil.copytree(data_root, tmp_path / "VOC2007")


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def unfinished(reference: Path, run_dir: Path) -> Path:
    """A copy of the reference run in which cycle 1 is trained, but its state is gone, and not yet
    evaluated."""
    shutil.copytree(reference, run_dir)
    steps = ["split", "label_set", "minimize_1", "maximize_1", "label_set_1"]
    (run_dir / "cycle1/steps.json").write_text(json.dumps(steps))
    return run_dir


def ids_at(data_root: Path, indices: object) -> list[str]:
    ids = (data_root / "ImageSets/Main/trainval.txt").read_text().split()
    return [ids[i] for i in indices]  # type: ignore[attr-defined]


def annotation(data: Path, image_id: str) -> Path:
    return data / "Annotations" / f"{image_id}.xml"


# ----------------------------------------------------------------------------------- the settings


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "tinny"], ["no preset 'tinny'", "did you mean 'tiny'?"]),
        (["--set", "lerning_rate=1"], ["unknown setting", "did you mean 'learning_rate'?"]),
        (["--set", "cycles=0"], ["cycles = 0", "at least 1, at most 1000"]),
        (["--set", "initial=0"], ["initial = 0", "above 0"]),
        (["--set", "seed"], ["'seed' is not a setting", "key=value"]),
        (["--set", "strategy=oracle"], ["no strategy 'oracle'", "coreset, entropy, full"]),
        (["--set", "detector=yolo"], ["no detector 'yolo'", "retinanet"]),
    ],
)  # fmt: skip
def test_wrong_settings(data_root, run_dir, arguments, words):
    assert_refused(miaod(*run_arguments(data_root, run_dir), *arguments), *words)
    assert not run_dir.exists()


def test_cuda_that_is_not_there(data_root, run_dir, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    outcome = miaod(*run_arguments(data_root, run_dir, device="cuda"))
    assert_refused(outcome, "'cuda' is not there", "where: device", "device=auto or device=cpu")
    assert not run_dir.exists()


# --------------------------------------------------------------------------------------- the data


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"train_list": "train"}, ["no image list 'train'", "train.txt", "test, trainval"]),
        ({"classes": "disc,sqare"}, ["no label has the class 'sqare'", "known name is 'square'"]),
        ({"budget": 9}, ["budget of 9 images is larger than the pool", "where: budget, initial"]),
        ({"initial": 12}, ["larger than the pool", "12 are labeled from the start"]),
        ({"initial": 13}, ["initial = 13 of 12 images", "more than there are"]),
    ],
)  # fmt: skip
def test_data_that_do_not_fit_the_settings(data_root, run_dir, settings, words):
    assert_refused(miaod(*run_arguments(data_root, run_dir, **settings)), *words)
    assert not run_dir.exists()


def test_no_data_folder(tmp_path, run_dir):
    outcome = miaod(*run_arguments(tmp_path / "VOC2070", run_dir))
    assert_refused(outcome, "no such data folder", f"where: {tmp_path / 'VOC2070'}", "data_root")


def test_no_listed_image_exists(data, run_dir):
    (data / "ImageSets/Main/trainval.txt").write_text("one\ntwo\n")
    outcome = miaod(*run_arguments(data, run_dir))
    assert_refused(
        outcome, "no image of the list 'trainval'", "2 x listed image missing", "<id>.jpg"
    )


@pytest.mark.parametrize("setting", ["train_list", "test_list"])
@pytest.mark.parametrize(
    ("name", "remedy"), [("tset", "did you mean 'test'?"), ("other", "use one that exists: ")]
)
def test_a_list_that_is_not_there_is_refused(data, run_dir, setting, name, remedy):
    """Also that to evaluate on: without one, images are held out only where none was named."""
    outcome = miaod(*run_arguments(data, run_dir, **{setting: name}))
    assert_refused(outcome, f"there is no image list '{name}'", f"Main/{name}.txt", remedy)
    assert not run_dir.exists()


def test_two_images_with_one_id(tmp_path, make_voc, run_dir):
    for seed, year in enumerate(("VOC2007", "VOC2012")):
        make_voc(tmp_path / "devkit" / year, seed=seed)
    outcome = miaod(*run_arguments(tmp_path / "devkit", run_dir))
    assert_refused(outcome, "two different images have the id '000001'", "VOC2007", "VOC2012")


def test_test_list_without_labels(data, run_dir):
    for image_id in (data / "ImageSets/Main/test.txt").read_text().split():
        annotation(data, image_id).unlink()
    outcome = miaod(*run_arguments(data, run_dir))
    assert_refused(
        outcome, "none of the 4 images to evaluate on", "annotation missing", "test_list"
    )


def test_first_images_without_labels(data, reference, run_dir):
    for image_id in ids_at(data, np.load(reference / "X_L_0.npy")):
        annotation(data, image_id).unlink()
    outcome = miaod(*run_arguments(data, run_dir))
    assert_refused(outcome, "none of the 4 labeled images has a usable annotation", "Annotations")


# ----------------------------------------------------------------------------------- the run folder


def test_run_folder_of_another_experiment(data_root, reference, run_dir):
    shutil.copytree(reference, run_dir)
    before = results(run_dir)
    outcome = miaod(*run_arguments(data_root, run_dir, seed=7, budget=3))
    assert_refused(outcome, "budget: 2.0 there, 3.0 now", "seed: 0 there, 7 now", "config.json")
    assert results(run_dir) == before


def test_run_folder_of_other_data(data, reference, run_dir):
    shutil.copytree(reference, run_dir)
    (data / "ImageSets/Main/test.txt").write_text("000013\n")
    outcome = miaod(*run_arguments(data, run_dir))
    assert_refused(outcome, "holds another experiment", "test: 4 there, 1 now", "another run_dir")


def test_run_folder_in_use(data_root, run_dir):
    with RunFolder(run_dir).lock():
        outcome = miaod(*run_arguments(data_root, run_dir))
    assert_refused(outcome, f"in use by process {os.getpid()}", f"where: {run_dir}")


def test_run_folder_that_cannot_be_made(data_root, tmp_path):
    (tmp_path / "file").touch()
    outcome = miaod(*run_arguments(data_root, tmp_path / "file/run"))
    assert_refused(outcome, f"where: {tmp_path / 'file/run'}", "choose another run_dir")


def test_run_folder_without_permission(data_root, run_dir, monkeypatch):
    monkeypatch.setattr(os, "mkdir", failing(errno.EACCES))
    outcome = miaod(*run_arguments(data_root, run_dir))
    assert_refused(outcome, "no write permission", f"where: {run_dir}", "make the folder writable")


def test_disk_that_is_full_for_a_while(data_root, run_dir, reference, monkeypatch):
    """What was saved before stays, and the same command goes on when there is space again."""
    shutil.copytree(reference, run_dir)
    shutil.rmtree(run_dir / "cycle1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing(errno.ENOSPC, "cycle1/weights.pt"))
        outcome = miaod(*run_arguments(data_root, run_dir))
    assert_refused(outcome, "no space left", "cycle1/weights.pt", "free some space there")
    assert miaod(*run_arguments(data_root, run_dir)).code == 0
    assert results(run_dir) == results(reference)


def failing(number: int, file: str = "") -> Callable[..., None]:
    """A replacement for os.mkdir or os.replace that fails for paths that end in `file`."""
    original = os.replace

    def fail(*paths: object, **kwargs: object) -> None:
        if any(str(path).endswith(file) for path in paths):
            raise OSError(number, os.strerror(number))
        original(*paths)  # type: ignore[arg-type]

    return fail


# --------------------------------------------------------------------------------- the checkpoints


@pytest.mark.parametrize(
    ("settings", "num_classes"), [({}, 3), ({"fpn_channels": 24}, 2), ({"num_levels": 4}, 2)]
)
def test_weights_of_another_detector(data_root, unfinished, settings, num_classes):
    other = build_detector(make_config("tiny", settings), num_classes)
    checkpoint = {"model": other.state_dict(), "classes": ["disc", "square"]}
    torch.save(checkpoint, unfinished / "cycle1/weights.pt")
    outcome = miaod(*run_arguments(data_root, unfinished))
    assert_refused(
        outcome, "weights are of another detector", str(unfinished / "cycle1/weights.pt")
    )


def test_checkpoint_without_weights(data_root, unfinished):
    torch.save({"classes": ["disc", "square"]}, unfinished / "cycle1/weights.pt")
    outcome = miaod(*run_arguments(data_root, unfinished))
    assert_refused(outcome, "is missing, expected", str(unfinished / "cycle1/weights.pt"))


def test_weights_that_are_broken(data_root, unfinished):
    (unfinished / "cycle1/weights.pt").write_bytes(b"no weights")
    outcome = miaod(*run_arguments(data_root, unfinished))
    assert_refused(outcome, "broken", str(unfinished / "cycle1/weights.pt"), "from a copy")


@pytest.mark.parametrize("broken", [True, False])
def test_state_that_is_broken_or_of_another_detector(data_root, unfinished, broken):
    (unfinished / "cycle1/steps.json").write_text('["split", "label_set"]')
    state = unfinished / "cycle1/state.pt"
    other = build_detector(make_config("tiny"), 3)
    torch.save({"model": other.state_dict(), "stage": 0, "step": 3}, state)
    if broken:
        state.write_bytes(state.read_bytes()[:1000])
    outcome = miaod(*run_arguments(data_root, unfinished))
    assert_refused(outcome, "broken" if broken else "another detector", str(state))


def test_state_that_is_missing(data_root, unfinished, reference):
    """The remedy that the error names leads to the results of a run that lost nothing."""
    (unfinished / "cycle1/steps.json").write_text('["split", "label_set"]')
    outcome = miaod(*run_arguments(data_root, unfinished))
    assert_refused(outcome, "state after label_set is missing", f"delete {unfinished / 'cycle1'}")
    shutil.rmtree(unfinished / "cycle1")
    assert miaod(*run_arguments(data_root, unfinished)).code == 0
    assert results(unfinished) == results(reference)


@pytest.mark.parametrize("file", ["config.json", "cycle1/steps.json", "cycle0/selection.json"])
def test_file_of_the_run_that_is_broken(data_root, unfinished, file):
    (unfinished / file).write_text("{")
    assert_refused(miaod(*run_arguments(data_root, unfinished)), "broken", str(unfinished / file))


# ------------------------------------------------------------------------------------- the training


def test_loss_that_is_not_finite(data_root, run_dir):
    settings = {"optimizer": "sgd", "learning_rate": 10, "clip_norm": 0, "warmup_steps": 0}
    outcome = miaod(*run_arguments(data_root, run_dir, **settings, min_epoch_steps=20))
    assert_refused(
        outcome, "the loss term", "where: cycle 0, label_set, step", "lower learning_rate"
    )


def test_lists_with_common_images(data, run_dir):
    shutil.copy(data / "ImageSets/Main/trainval.txt", data / "ImageSets/Main/val.txt")
    outcome = miaod(*run_arguments(data, run_dir, test_list="val"))
    assert_refused(outcome, "12 images stand in both lists", "'trainval'", "'val'", "000001")
    assert not run_dir.exists()


def test_test_labels_that_are_all_difficult(data, run_dir):
    for image_id in (data / "ImageSets/Main/test.txt").read_text().split():
        path = annotation(data, image_id)
        text = path.read_text().replace("</name>", "</name><difficult>1</difficult>")
        path.write_text(text.replace("<difficult>0</difficult>", ""))
    outcome = miaod(*run_arguments(data, run_dir))
    assert_refused(outcome, "none of the 4 images to evaluate on", "all are marked difficult")


def test_weights_of_other_classes(data_root, reference, run_dir):
    shutil.copytree(reference, run_dir)
    checkpoint = torch.load(run_dir / "cycle1/weights.pt", weights_only=True)
    torch.save(checkpoint | {"classes": ["zebra", "ant"]}, run_dir / "cycle1/weights.pt")
    steps = json.loads((run_dir / "cycle1/steps.json").read_text())
    unfinished = steps[: steps.index("evaluate")]
    (run_dir / "cycle1/steps.json").write_text(json.dumps(unfinished))
    outcome = miaod(*run_arguments(data_root, run_dir))
    assert_refused(outcome, "of other classes: ['zebra', 'ant']", "cycle1/weights.pt")


def test_labels_that_changed_within_a_cycle(data, run_dir):
    """Labels added while a run is stopped do not slip into a cycle that began without them."""
    assert miaod(*run_arguments(data, run_dir, cycles=1)).code == 0
    steps = json.loads((run_dir / "cycle0/steps.json").read_text())
    (run_dir / "cycle0/steps.json").write_text(json.dumps(steps[:1]))
    trained = ids_at(data, np.load(run_dir / "X_L_0.npy"))
    path = annotation(data, trained[0])
    path.write_text(path.read_text().replace("<xmin>", "<xmin>1"))
    outcome = miaod(*run_arguments(data, run_dir, cycles=1))
    assert_refused(outcome, "the labels have changed since cycle 0 began", "Annotations", "cycle0")


def test_images_of_another_size(data, run_dir):
    assert miaod(*run_arguments(data, run_dir, cycles=1)).code == 0
    shutil.copy(data / "JPEGImages/000001.jpg", data / "JPEGImages/000002.jpg")  # landscape now
    outcome = miaod(*run_arguments(data, run_dir, cycles=1))
    assert_refused(outcome, "another experiment", "pool: 12 there, 12 now, or others")


@pytest.mark.parametrize("content", ["{}", "null", '{"identity": {}}', '{"identity": 3}'])
def test_config_file_that_describes_nothing(data_root, reference, run_dir, content):
    shutil.copytree(reference, run_dir)
    (run_dir / "config.json").write_text(content)
    outcome = miaod(*run_arguments(data_root, run_dir))
    assert_refused(outcome, "the file does not describe what it should", "config.json")


def test_run_folder_without_its_config(data_root, reference, run_dir):
    shutil.copytree(reference, run_dir)
    (run_dir / "config.json").unlink()
    outcome = miaod(*run_arguments(data_root, run_dir))
    assert_refused(outcome, "log.jsonl and cycle0", "no config.json")


def test_full_supervision_needs_no_budget(data_root, run_dir):
    """A budget that would be refused elsewhere is not even looked at."""
    outcome = miaod(*run_arguments(data_root, run_dir, strategy="full", budget=0.01, cycles=1))
    assert outcome.code == 0


@pytest.mark.parametrize(
    "fault", ["CUDA out of memory. Tried to allocate 2 GiB", "DataLoader worker (pid 7) is killed"]
)
def test_lack_of_memory(data_root, run_dir, monkeypatch, fault):
    def fail(*arguments: object) -> None:
        raise RuntimeError(fault)

    monkeypatch.setattr("miaod_nb.learning.train.optimization_step", fail)
    outcome = miaod(*run_arguments(data_root, run_dir))
    assert_refused(outcome, "not enough memory", fault[:12], "batch_size", "workers")
