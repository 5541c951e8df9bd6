"""Controls that train on equal labels train once, and get what they would have got alone."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch

from miaod_nb.detector.retinanet import build_retinanet
from miaod_nb.experiment import open_run, state
from miaod_nb.runs import code
from miaod_nb.runs.files import RunFolder
from tests.experiment.helpers import SETTINGS


def run(data_root: Path, folder: Path, strategy: str, **settings: object) -> RunFolder:
    overrides = SETTINGS | {"strategy": strategy, "cycles": 1} | settings
    experiment = open_run("tiny", data_root=data_root, run_dir=folder, overrides=overrides)
    experiment.run()
    return experiment.folder


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return folder.load_tensors("cycle0/weights.pt")["model"]


def training_log(folder: RunFolder) -> list[dict]:
    timing = ("time", "images_per_s", "memory_mb")
    return [
        {key: value for key, value in record.items() if key not in timing}
        for record in folder.read_log()
        if "stage" in record
    ]


@pytest.fixture
def random(data_root: Path, tmp_path: Path) -> RunFolder:
    return run(data_root, tmp_path / "random", "random")


def test_the_second_control_takes_over_what_it_would_have_trained(
    random, data_root, tmp_path, capsys
):
    capsys.readouterr()
    shared = run(data_root, tmp_path / "entropy", "entropy")
    assert f"taken over from {random.root}" in capsys.readouterr().out
    alone = run(data_root, tmp_path / "elsewhere/entropy", "entropy")
    assert "taken over" not in capsys.readouterr().out
    for name, value in weights(alone).items():
        assert torch.equal(weights(shared)[name], value)
    assert training_log(shared) == training_log(alone) != []
    for file in ("cycle0/selection.json", "metrics.csv", "cycle0/steps.json"):
        assert shared.load_text(file) == alone.load_text(file)
    assert shared.load_tensors("cycle0/weights.pt")["settings"]["strategy"] == "entropy"


def test_what_a_setting_adds_to_the_choice_changes_no_training(random, data_root, tmp_path, capsys):
    run(data_root, tmp_path / "other", "random", max_similarity=0.9)
    assert f"taken over from {random.root}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [
        ("mi_aod", {}),  # has other stages
        ("entropy", {"seed": 1}),
        ("entropy", {"split_seed": 1}),  # other labels
        ("entropy", {"learning_rate": 0.002}),
        ("random", {}),  # the same experiment: run twice on purpose
    ],
)
def test_unequal_work_is_not_shared(random, data_root, tmp_path, strategy, settings, capsys):
    run(data_root, tmp_path / "other", strategy, **settings)
    assert "taken over" not in capsys.readouterr().out


def test_damaged_neighbors_are_passed_over(random, data_root, tmp_path, capsys):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/config.json").write_text("[]")
    random.delete("cycle0/labels.json")
    run(data_root, tmp_path / "entropy", "entropy")
    assert "taken over" not in capsys.readouterr().out


def test_weights_of_other_code_are_not_taken_over(random, data_root, tmp_path, capsys, monkeypatch):
    """As after an edit of a loss: the digest of the code is another one."""
    monkeypatch.setattr(state, "code_digest", lambda maker: "edited")
    run(data_root, tmp_path / "entropy", "entropy")
    assert "taken over" not in capsys.readouterr().out


def test_an_edited_file_or_another_detector_changes_the_digest(tmp_path, monkeypatch):
    def other_detector() -> None: ...

    package = shutil.copytree(code.PACKAGE, tmp_path / "package")
    monkeypatch.setattr(code, "PACKAGE", package)
    digest = code.code_digest.__wrapped__
    before = digest(build_retinanet)
    assert digest(build_retinanet) == before != digest(other_detector)
    with (package / "learning/losses.py").open("a") as file:
        file.write("# ten times as much")
    assert digest(build_retinanet) != before


def test_what_a_maker_was_made_with_counts_and_unreadable_code_equals_none():
    digest = code.code_digest.__wrapped__
    narrow, wide = (partial(build_retinanet, width=width) for width in (8, 16))
    assert digest(narrow) == digest(partial(build_retinanet, width=8)) != digest(wide)
    names: dict = {}
    exec("def make(config, num_classes): ...", names)  # as in a shell: its text is not kept
    assert digest(names["make"]) != digest(names["make"])


def test_changed_code_is_a_warning_when_a_run_goes_on(random, data_root, capsys):
    path = random.path("environment.json")
    environment = json.loads(path.read_text())
    path.write_text(json.dumps(environment | {"code": "0" * 64}))
    run(data_root, random.root, "random")
    assert "the code of data, detector or losses has changed" in capsys.readouterr().out
    del environment["code"]  # of a version that did not note it
    path.write_text(json.dumps(environment))
    run(data_root, random.root, "random")
    assert "warning:" not in capsys.readouterr().out
