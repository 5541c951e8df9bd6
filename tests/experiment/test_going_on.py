"""Cycles that go on from the detector before, and detectors that are averages of weights."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from miaod_nb.authors.work_folder_import import import_work_folder
from miaod_nb.commands.info_run import describe_run
from miaod_nb.config import make_config
from miaod_nb.errors import CheckpointError
from miaod_nb.experiment import open_run, steps
from miaod_nb.report.beginning import what_was_compared
from miaod_nb.report.loading import load_runs
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.sharing import equal_training
from tests.authors.work_folders import write_work_folder
from tests.experiment.helpers import (
    SETTINGS,
    Fate,
    log_of,
    miaod,
    results,
    run_arguments,
    run_child,
)

RECIPE = {
    "start_from": "previous", "label_set_epochs": 2, "later_epochs": 1, "weight_averaging": 0.9,
    "discrepancy_weight": "auto", "min_epoch_steps": 2,
}  # fmt: skip
SHORT = {"strategy": "random", "rounds": 0, "label_set_epochs": 1, "later_epochs": 0}
EVERY_STEP = 0.001  # seconds between saved states: less than any step takes
TRAIN = "miaod_nb.learning.train.optimization_step"
AVERAGE = "torch.optim.swa_utils.AveragedModel.update_parameters"
NEW = "hexagon"


@pytest.fixture(scope="module")
def alone(data_root, tmp_path_factory) -> Path:
    """The folder of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("alone")
    assert run_child(run_arguments(data_root, folder / "run", **RECIPE), folder / "out.txt") == 0
    return folder / "run"


def model_in(run_dir: Path, cycle: int) -> dict[str, torch.Tensor]:
    return torch.load(run_dir / f"cycle{cycle}/weights.pt", weights_only=True)["model"]


def test_it_is_said_what_a_cycle_starts_from_and_what_auto_is(alone):
    out = (alone.parent / "out.txt").read_text()
    assert out.count("starts from the detector of cycle 0") == 1
    # 0.25 x 2 classes / (2 images x 3 levels)
    assert out.count("minimize 1: discrepancy_weight=auto is 0.08333") == 2
    text = " ".join(" ".join(describe_run(open_run(run_dir=alone).record)).split())
    assert "lambda discrepancy_weight=auto was 0.08333 in cycles 0, 1" in text
    begun = [one["starts_from"] for one in log_of(alone, "begin of label_set")]
    assert begun == ["cycle 0"]


def test_later_cycles_have_epochs_of_their_own(alone):
    found = {(one["cycle"], one["stage"], one["epoch"]) for one in log_of(alone, "step")}
    stages = ("label_set", "label_set_1")
    epochs = [{e for c, s, e in found if (c, s) == (cycle, stage)}
              for cycle in (0, 1) for stage in stages]  # fmt: skip
    assert epochs == [{0, 1}, {0, 1}, {0}, {0}]


def test_a_report_tells_the_settings_that_few_recipes_have(alone, reference):
    told = []
    for run in (alone, reference):
        *_, settings = what_was_compared(load_runs([run])).pieces
        told.append(dict(zip(settings.frame["setting"], settings.frame["value"], strict=True)))
    ours = {name: told[0][name] for name in ("start_from", "later_epochs", "weight_averaging")}
    assert ours == {"start_from": "previous", "later_epochs": "1", "weight_averaging": "0.9"}
    assert not ours.keys() & told[1].keys()


@pytest.mark.slow
def test_killed_and_continued_it_ends_as_if_nothing_had_happened(alone, data_root, tmp_path):
    """In the middle of stages, between a step and its average, and before the detector is saved."""
    arguments = run_arguments(data_root, tmp_path / "run", save_every=EVERY_STEP, **RECIPE)
    fates = [
        Fate(TRAIN, 3), Fate(AVERAGE, 4, "after"), Fate("os.replace", 1, "before", "weights.pt"),
        Fate(TRAIN, 2), Fate("os.replace", 1, "before", "cycle1/weights.pt"),
    ]  # fmt: skip
    for number, fate in enumerate(fates):
        assert run_child(arguments, tmp_path / f"{number}.txt", fate) < 0, fate
    assert run_child(arguments, tmp_path / "last.txt") == 0
    assert results(tmp_path / "run") == results(alone)


def test_the_training_begins_with_the_weights_before(alone, data_root, tmp_path):
    """With a learning rate of next to nothing the detector of the next cycle is that before."""
    still = RECIPE | SHORT | {"learning_rate": 1e-12, "weight_averaging": 0}
    assert miaod(*run_arguments(data_root, tmp_path / "run", **still, cycles=1)).code == 0
    weights = tmp_path / "run/cycle0/weights.pt"
    saved = torch.load(weights, weights_only=True)
    torch.save(saved | {"model": model_in(alone, 1)}, weights)
    assert miaod(*run_arguments(data_root, tmp_path / "run", **still, cycles=2)).code == 0
    for name, value in model_in(tmp_path / "run", 1).items():
        torch.testing.assert_close(value, model_in(alone, 1)[name], rtol=1e-6, atol=1e-9)


def test_a_detector_that_is_an_average_lies_between_the_weights_of_the_steps(
    data_root, tmp_path, capsys
):
    """The first cycle's last weights are another thing, and what is evaluated is the average."""
    settings = SHORT | {"cycles": 1, "later_epochs": 2}
    last, mean = (
        open_run("tiny", data_root=data_root, run_dir=tmp_path / name,
                 overrides=SETTINGS | settings | {"weight_averaging": decay})
        for name, decay in (("last", 0.0), ("mean", 0.99))
    )  # fmt: skip
    last.run(), mean.run()
    assert "later_epochs does nothing" in capsys.readouterr().out
    ours, theirs = (model_in(run.folder.root, 0) for run in (mean, last))
    assert [one["terms"] for one in log_of(mean.folder.root, "step")] == [
        one["terms"] for one in log_of(last.folder.root, "step")
    ]  # training does not know of it
    bias = "head.regressor.output.bias"
    assert 0 < float(ours[bias].norm()) < float(theirs[bias].norm())
    for name in (name for name in ours if "running" in name):
        assert torch.equal(ours[name], theirs[name])


def test_a_new_class_is_said_and_the_others_are_kept(alone, data_root, tmp_path, voc_xml):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    run = shutil.copytree(
        alone, tmp_path / "run", ignore=shutil.ignore_patterns("cycle1", "X_?_1*")
    )
    (first, *_) = json.loads((run / "cycle0/selection.json").read_text())["selected"]
    path = data / "Annotations" / f"{first['id']}.xml"
    path.write_text(voc_xml([(NEW, (2, 2, 40, 40)), ("disc", (30, 10, 60, 40))]))
    outcome = miaod(*run_arguments(data, run, **RECIPE))
    assert outcome.code == 0, outcome
    assert f"new to it, with outputs that begin untrained: {NEW}" in outcome.out
    model = open_run(run_dir=run).load_model(1)
    assert model.num_classes == 3 and model.class_quality.shape == (2, 3)
    said = [one["discrepancy_weight"] for one in log_of(run, "begin of maximize_1")]
    assert said == pytest.approx([1 / 12, 1 / 8])  # with a class more


def test_missing_weights_of_the_cycle_before_are_named(alone, data_root, tmp_path):
    run = shutil.copytree(alone, tmp_path / "run", ignore=shutil.ignore_patterns("cycle1"))
    (run / "cycle0/weights.pt").unlink()
    with pytest.raises(CheckpointError, match="cycle 1 starts from the detector of cycle 0"):
        open_run(run_dir=run).detector_before(1)
    outcome = miaod(*run_arguments(data_root, run, **RECIPE))
    assert outcome.code == 1 and "cycle0/weights.pt" in outcome.err


def test_work_is_equal_only_where_the_detectors_before_are(data_root, tmp_path):
    """Both have all images labeled in the second cycle, and share it; not with other weights
    before."""
    settings = SETTINGS | RECIPE | SHORT | {"budget": 8}
    for name in ("random", "entropy"):
        overrides = settings | {"strategy": name}
        open_run("tiny", data_root=data_root, run_dir=tmp_path / name, overrides=overrides).run()
    one, two = (RunFolder(tmp_path / name) for name in ("random", "entropy"))
    assert two.exists("cycle0/taken_over.json") and two.exists("cycle1/taken_over.json")
    assert equal_training(two, 1) is not None
    saved = one.load_tensors("cycle0/weights.pt")
    saved["model"]["head.regressor.output.bias"] += 1e-3
    one.save_tensors("cycle0/weights.pt", saved)
    assert equal_training(two, 1) is None


def test_the_first_cycle_after_imported_ones_starts_from_the_pretrained_backbone(
    data_root, tmp_path, capsys
):
    ids = (data_root / "ImageSets/Main/trainval.txt").read_text().split()
    sets = ([[1, 4], [1, 4, 7]], [[2, 5], [2, 3, 5]])
    work = write_work_folder(tmp_path / "work", *sets, {"07": ids})
    run = import_work_folder(
        work, preset="tiny", data_root=data_root, run_dir=tmp_path / "run",
        overrides=RECIPE | {"cycles": 3, "device": "cpu"},
    )  # fmt: skip
    assert [run.goes_on(cycle) for cycle in range(3)] == [False, False, True]
    assert [run.stages_of(cycle)[0].epochs for cycle in range(3)] == [2, 2, 1]
    steps._say_what_it_starts_from(run, 1)
    assert "pretrained backbone: cycle 0 was imported" in capsys.readouterr().out


def test_settings_of_earlier_runs_have_their_old_fingerprint():
    named = make_config("voc").identity()
    assert not {"start_from", "later_epochs", "weight_averaging"} & named.keys()
    assert named["discrepancy_weight"] == 0.05
    assert "start_from" in make_config("voc", {"start_from": "previous"}).identity()
