"""A run is begun by a preset and its data, and continued by its folder alone, part by part."""

import shutil
from pathlib import Path

import pytest

from miaod_nb.config import changes, make_config
from miaod_nb.data.records import ImageRecord
from miaod_nb.errors import ConfigError, DataError, RunFolderError
from miaod_nb.experiment import Run, open_run
from miaod_nb.experiment import opening as module
from tests.experiment.helpers import SETTINGS, miaod

TRAINING = ["label_set", "minimize_1", "maximize_1", "label_set_1"]


@pytest.fixture
def finished(reference: Path, tmp_path: Path) -> Path:
    """A finished run of two cycles that the test may change."""
    return shutil.copytree(reference, tmp_path / "run")


@pytest.fixture
def fresh(data_root: Path, tmp_path: Path) -> Run:
    return open_run("tiny", data_root=data_root, run_dir=tmp_path / "new", overrides=SETTINGS)


# --------------------------------------------------------------------------------------- opening


def test_the_folder_alone_is_enough(finished, data_root):
    run = open_run(run_dir=finished)
    assert run.config == make_config("tiny", SETTINGS)
    assert run.data_root == data_root.resolve()
    assert run.run()["cycle"].tolist() == [0, 1]


def test_more_cycles_may_be_asked_of_a_folder(finished):
    assert open_run(run_dir=str(finished), overrides={"cycles": 3}).config.cycles == 3


def test_another_fingerprint_is_refused_by_its_differences(finished, data_root):
    for preset, overrides in (("", {"seed": 9}), ("tiny", SETTINGS | {"top_k": 5})):
        with pytest.raises(RunFolderError, match="another experiment; .*: .* there, .* now"):
            open_run(preset, data_root=data_root, run_dir=finished, overrides=overrides)


def test_preset_follows_from_what_is_given(data_root, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "Run", lambda config, data, folder, **how: opened.append(config))
    monkeypatch.setattr(module, "make_toy", lambda folder, **size: folder)
    open_run(data_root=data_root)
    open_run()
    open_run("tiny")
    assert [config.preset for config in opened] == ["voc", "toy", "tiny"]


def test_a_run_folder_that_is_not_there_is_never_invented(
    finished, data_root, tmp_path, monkeypatch
):
    """Nothing is generated for a misspelled name, in a notebook or on the command line."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    near = finished.with_name(finished.name + "s")
    with pytest.raises(RunFolderError, match="there is no run in this folder") as error:
        open_run(run_dir=near)
    assert error.value.where == near and f"did you mean {finished}?" in error.value.remedy
    for command in (["run", "--run-dir", near], ["notebooks", "05", "--run-dir", "far"]):
        outcome = miaod(*command, "--set", "seed=1")
        assert outcome.code == 1 and "a preset, or the folder of your images" in outcome.err
    assert not any(Path().iterdir()) and not near.exists()
    begun = open_run("tiny", data_root=data_root, run_dir="runs/new", overrides=SETTINGS)
    assert begun.folder.root == Path("runs/new")


def test_paths_mean_the_same_from_notebooks(finished, tmp_path, monkeypatch):
    """Of the project, and in the copies that lie in a run folder; `~` is the home folder."""
    project = tmp_path / "project"
    shutil.copytree(finished, project / "runs/mine")
    (project / "pyproject.toml").touch()
    for place in (".", "notebooks", "runs/mine/notebooks", "runs/mine/lab"):
        (project / place).mkdir(exist_ok=True)
        monkeypatch.chdir(project / place)
        root = open_run(run_dir="runs/mine").folder.root
        assert root.resolve() == project / "runs/mine", place
    monkeypatch.setenv("HOME", str(project))
    assert open_run(run_dir="~/runs/mine").folder.root == project / "runs/mine"
    monkeypatch.chdir(project / "notebooks")  # what only the current folder has is meant too
    assert open_run(run_dir="../runs/mine").folder.root.resolve() == project / "runs/mine"


def test_generated_data_lie_in_the_project_also_from_its_notebooks(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(module, "make_toy", lambda folder, **size: made.append(folder) or folder)
    monkeypatch.setattr(module, "Run", lambda config, data, folder, **how: None)
    (tmp_path / "notebooks").mkdir()
    for folder in (tmp_path, tmp_path / "notebooks"):
        monkeypatch.chdir(folder)
        open_run("toy")
    (tmp_path / "pyproject.toml").touch()
    open_run("toy")
    assert made == [Path("data/toy"), Path("data/toy"), Path("../data/toy")]


def test_voc_is_downloaded_for_the_authors_presets_alone(data_root, tmp_path, monkeypatch):
    asked, opened = [], []
    monkeypatch.setattr(module, "download_voc", lambda folder: asked.append(folder) or data_root)
    monkeypatch.setattr(module, "Run", lambda config, data, folder, **how: opened.append(data))
    monkeypatch.chdir(tmp_path)
    open_run("voc0712", run_dir="mine")
    open_run("voc0712", data_root=tmp_path)
    assert asked == [Path("data")]
    assert opened == [data_root, tmp_path]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"preset": 3}, "preset = 3 is not allowed"),
        ({"preset": "voc"}, "the preset 'voc' needs a data set"),
        ({"preset": "toi"}, "did you mean 'toy'"),
        ({"overrides": "seed=1"}, "overrides = 'seed=1' is not allowed"),
        ({"run_dir": 1.5}, "run_dir = 1.5 is not allowed"),
        ({"preset": "tiny", "overrides": {"seed": "one"}}, "seed = 'one' is not allowed"),
        (
            {"preset": "tiny", "data_root": "x", "overrides": {"controls": "random,entropi"}},
            "no strategy 'entropi'",
        ),
    ],
)
def test_wrong_parameters_are_named(arguments, words):
    with pytest.raises(ConfigError, match=words):
        open_run(**arguments)


@pytest.mark.parametrize("content", ["[]", "{}", '{"settings": 3}', "{"])
def test_a_folder_that_describes_no_experiment_is_refused(content, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RunFolderError, match="config.json"):
        open_run(run_dir=tmp_path)


def test_a_run_without_test_images_has_a_table_without_rows(data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    (data / "ImageSets/Main/test.txt").unlink()
    overrides = SETTINGS | {"holdout": 0}
    run = open_run("tiny", data_root=data, run_dir=tmp_path / "new", overrides=overrides)
    assert len(run.metrics()) == 0 and "cycle" in run.metrics()


def test_missing_data_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such data folder"):
        open_run("tiny", data_root=tmp_path / "nowhere")


def test_changes_make_the_configuration_again():
    assert changes(make_config("toy")) == {}
    config = make_config("voc", {"batch_size": 4, "image_size": "320x240", "cycles": 9})
    assert make_config("voc", changes(config)) == config
    assert changes(config).keys() == {"batch_size", "learning_rate", "image_size", "cycles"}


# ------------------------------------------------------------------------------------- in parts


def test_parts_make_the_same_files_as_the_whole_run(fresh, reference, capsys):
    for names in (["split"], ["label_set"], ["minimize_1", "maximize_1"], TRAINING[3:],
                  ["evaluate", "score", "select"]):  # fmt: skip
        fresh.advance(0, names)
    said = capsys.readouterr().out
    assert "cycle 0 minimize 1: done in " in said
    for name in ("selection.json", "per_class.csv", "trainval_L_07.txt"):
        path = f"cycle0/{name}"
        assert fresh.folder.load_text(path) == (reference / path).read_text()
    assert not fresh.folder.exists("cycle0/state.pt")
    fresh.advance(0, ["split", *TRAINING])
    assert capsys.readouterr().out.count("done before, loaded from") == 5


def test_earlier_steps_must_be_done(fresh):
    with pytest.raises(RunFolderError, match="label-set of cycle 0 is missing"):
        fresh.advance(0, ["split"])
        fresh.advance(0, ["minimize_1"])
    with pytest.raises(RunFolderError, match="cycle 1 has not got this far: label-set of cycle 0"):
        fresh.advance(1, ["split"])


@pytest.mark.parametrize("cycle", [2, -1, "one", 0.5])
def test_a_cycle_that_the_run_does_not_have_is_refused(fresh, cycle):
    with pytest.raises(ConfigError, match="choose a whole number from 0 to 1"):
        fresh.advance(cycle, ["split"])


def test_steps_of_other_strategies(fresh, data_root, tmp_path, capsys):
    control = fresh.control("random")
    assert control.folder.root == tmp_path / "new-random"
    assert control.config.strategy == "random" and control.config.seed == fresh.config.seed
    with pytest.raises(ConfigError, match="no step minimize 1: the strategy 'random'"):
        control.advance(0, ["minimize_1"])
    control.advance(0, ["split", "minimize_1"])
    assert "minimize 1: not part of this run" in capsys.readouterr().out


# ------------------------------------------------------------------------------------ the record


def test_loss_terms_run_through_the_stages(finished):
    run = open_run(run_dir=finished)
    table = run.record.loss_terms(0, ["label_set", "label_set_1"])
    assert table.columns.tolist() == ["step", "classification", "box", "image_classification"]
    steps = table["step"].tolist()
    assert steps == list(range(1, len(steps) + 1))  # tiny logs every step
    assert "unlabeled_agreement" in run.record.loss_terms(0, ["maximize_1"])
    with pytest.raises(RunFolderError, match="was logged"):
        run.record.loss_terms(0, ["minimize_7"])


def test_discrepancy_is_noted_after_each_stage(finished):
    values = open_run(run_dir=finished).record.discrepancies(1)
    assert list(values) == TRAINING
    assert all(0 < value < 1 for value in values.values())


def test_discrepancy_is_the_mean_over_images(finished):
    from miaod_nb.passes.inference import mean_discrepancy

    run = open_run(run_dir=finished)
    model = run.load_model(0)
    records: list[ImageRecord] = list(run.dataset.pool[:3])
    single = [mean_discrepancy(model, [record], run.config) for record in records]
    assert mean_discrepancy(model, records, run.config) == pytest.approx(sum(single) / 3)
