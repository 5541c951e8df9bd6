"""The table and the figure of several runs."""

import json

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from miaod_nb import plots
from miaod_nb.compare.curves import gather_metrics, metric_of, save_curves
from miaod_nb.config import make_config
from miaod_nb.errors import DataError, RunFolderError
from miaod_nb.evaluation import VOC07_AP, VOC12_AP
from tests.authors.work_folders import mean_ap_lines, write_work_folder
from tests.experiment.helpers import miaod


def write_run(folder, strategy, labeled, values):
    folder.mkdir()
    table = pd.DataFrame(
        {
            "cycle": range(len(labeled)),
            "strategy": strategy,
            "labeled_images": labeled,
            "evaluated_on": "test list (9 images)",
            VOC12_AP: values,
            VOC07_AP: [value + 0.1 for value in values],
        }
    )
    table.to_csv(folder / "metrics.csv", index=False)
    return folder


@pytest.fixture
def runs(tmp_path):
    return [
        write_run(tmp_path / "a0", "mi_aod", [10, 20], [0.2, 0.4]),
        write_run(tmp_path / "a1", "mi_aod", [10, 20], [0.4, 0.6]),
        write_run(tmp_path / "r", "random", [10, 20], [0.2, 0.3]),
        write_run(tmp_path / "f", "full", [100], [0.8]),
    ]


def test_gathered_table_has_every_row_and_the_ratio_to_full(runs):
    table = gather_metrics(runs)
    assert len(table) == 7
    ratio = table.set_index(["run", "cycle"])[f"{VOC12_AP}, ratio to full"]
    assert ratio["a0", 1] == pytest.approx(0.5)
    assert ratio["f", 0] == 1
    assert not any("ratio" in column for column in gather_metrics(runs[:3]))


def describe(folder, classes=("cat",), **overrides):
    """The folder with a config.json, as a run of these settings has it."""
    config = make_config("tiny", overrides)
    data = {"pool": ["a 64x64", "b 64x64"], "test": ["c 64x64"], "classes": list(classes)}
    document = {"settings": config.model_dump(mode="json"),
                "identity": config.identity() | {"data": data}}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(document))
    return folder


def test_different_trainings_of_one_strategy_stay_apart(tmp_path):
    """As seeds of one run they would be averaged: 0.4, which neither measured."""
    short = describe(write_run(tmp_path / "a", "random", [10], [0.2]), strategy="random")
    other = describe(
        write_run(tmp_path / "b", "random", [10], [0.6]), strategy="random", training="mi_aod"
    )
    seed = describe(write_run(tmp_path / "c", "random", [10], [0.4]), strategy="random", seed=7)
    table = gather_metrics([short, other, seed])
    means = table.groupby("strategy")[VOC12_AP].mean()
    assert means["random (training=mi_aod)"] == 0.6
    assert means["random (training=label_set)"] == pytest.approx(0.3)
    _, axes = plt.subplots()
    plots.learning_curves(axes, table)
    thick = [line for line in axes.lines if line.get_label().startswith("random")]
    assert sorted(line.get_ydata()[0] for line in thick) == pytest.approx([0.3, 0.6])
    plt.close("all")
    assert set(gather_metrics([short, seed])["strategy"]) == {"random"}


def test_two_kinds_of_full_supervision_are_two_ceilings(tmp_path):
    run = describe(write_run(tmp_path / "a", "random", [10], [0.2]), strategy="random")
    full = [
        describe(
            write_run(tmp_path / f"f-{training}", "full", [99], [value]), strategy="full",
            training=training,
        )
        for training, value in (("label_set", 0.8), ("mi_aod", 0.4))
    ]  # fmt: skip
    row = gather_metrics([run, *full]).iloc[0]
    ratios = {name: row[name] for name in row.index if "ratio" in name}
    assert ratios == {
        f"{VOC12_AP}, ratio to full (training=label_set)": pytest.approx(0.25),
        f"{VOC12_AP}, ratio to full (training=mi_aod)": pytest.approx(0.5),
    }


def test_two_spellings_of_one_training_are_one_kind(tmp_path):
    runs = [describe(write_run(tmp_path / name, "mi_aod", [10], [0.2]), training=name, seed=seed)
            for seed, name in enumerate(("auto", "mi_aod"))]  # fmt: skip
    assert set(gather_metrics(runs)["strategy"]) == {"mi_aod"}


def test_runs_on_other_data_are_refused(tmp_path):
    """A list of the same name and length is not the same list: no ratio to full of another set."""
    partial = describe(write_run(tmp_path / "a", "random", [10], [0.3]), strategy="random")
    full = describe(write_run(tmp_path / "f", "full", [99], [0.9]), ("dog",), strategy="full")
    with pytest.raises(DataError, match="detect other classes") as caught:
        gather_metrics([partial, full])
    assert str(partial) in str(caught.value) and str(full) in str(caught.value)


def test_files_are_written_and_a_folder_without_metrics_is_named(runs, tmp_path):
    written = save_curves(runs, tmp_path / "out")
    assert [path.name for path in written] == ["curves.csv", "curves.png"]
    assert all(path.stat().st_size for path in written)
    with pytest.raises(DataError, match="no metrics") as error:
        save_curves([tmp_path / "nothing"], tmp_path / "out")
    assert "nothing" in str(error.value)


def test_saving_leaves_no_figure_open_and_no_setting_changed(runs, tmp_path):
    before, open_figures = dict(plt.rcParams), plt.get_fignums()
    save_curves(runs, tmp_path / "out")
    assert dict(plt.rcParams) == before
    assert plt.get_fignums() == open_figures


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", 'cycle,"strategy\n0,mi_aod\n'])
def test_foreign_table_is_named(runs, tmp_path, content):
    (runs[0] / "metrics.csv").write_text(content)
    with pytest.raises(DataError, match="not a table of metrics"):
        save_curves(runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_foreign_settings_are_named(runs, tmp_path):
    (runs[0] / "config.json").write_text("{}")
    with pytest.raises(RunFolderError, match="settings is missing"):
        save_curves(runs, tmp_path / "out")


def test_output_that_is_a_file_is_named(runs, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match="--out is a file"):
        save_curves(runs, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


# ------------------------------------------------------------------- beside the authors' own code


@pytest.fixture
def work(tmp_path):
    """A work folder of three cycles, the last of which was not evaluated."""
    sets = [[0, 1], [0, 1, 2, 3], list(range(6))]
    return write_work_folder(tmp_path / "MI-AOD", sets, sets, log=mean_ap_lines(0.5, 0.75))


def test_work_folder_of_the_authors_code_is_a_run_among_others(runs, work):
    table = gather_metrics([*runs, work])
    theirs = table[table["run"] == "MI-AOD"]
    assert theirs["cycle"].tolist() == [0, 1]
    assert theirs["labeled_images"].tolist() == [2, 4]
    assert theirs[VOC07_AP].tolist() == [0.5, 0.75] and theirs[VOC12_AP].isna().all()
    assert set(theirs["strategy"]) == {"MI-AOD, authors' code"}
    assert theirs["evaluated_on"].str.contains("authors' code").all()


def test_what_their_code_measured_is_not_averaged_with_ours(runs, work):
    table = gather_metrics([*runs, work])
    assert metric_of(table) == VOC07_AP  # the only one that all rows have
    assert metric_of(gather_metrics(runs)) == VOC12_AP
    ratios = table[f"{VOC07_AP}, ratio to full"]
    assert ratios[table["run"] == "a1"].tolist() == pytest.approx([0.5 / 0.9, 0.7 / 0.9])
    assert ratios[table["run"] == "MI-AOD"].isna().all()  # full supervision was measured elsewhere


def test_command_takes_work_folders(runs, work, tmp_path):
    outcome = miaod("curves", runs[0], work, "--out", tmp_path / "out")
    assert outcome.code == 0, outcome
    table = pd.read_csv(tmp_path / "out/curves.csv")
    assert table[VOC07_AP].tolist() == pytest.approx([0.3, 0.5, 0.5, 0.75])
    assert (tmp_path / "out/curves.png").stat().st_size


def test_work_folders_alone_make_a_figure(work, tmp_path):
    assert len(save_curves([work], tmp_path / "out")) == 2


def test_work_folder_without_a_log_is_named(work, tmp_path):
    for path in work.glob("*.log.json"):
        path.unlink()
    with pytest.raises(DataError, match="no mAP was logged in this work folder"):
        save_curves([work], tmp_path / "out")
    (work / "X_L_1.npy").unlink()
    with pytest.raises(RunFolderError, match="the sets of cycle 1 are missing"):
        save_curves([work], tmp_path / "out")
