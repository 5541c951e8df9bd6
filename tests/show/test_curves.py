"""The table and the figure of several runs."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from miaod_nb.errors import DataError
from miaod_nb.evaluation import VOC12_AP
from miaod_nb.show.curves import gather_metrics, save_curves


def write_run(folder, strategy, labeled, values):
    folder.mkdir()
    table = pd.DataFrame(
        {
            "cycle": range(len(labeled)),
            "strategy": strategy,
            "labeled_images": labeled,
            "evaluated_on": "test list (9 images)",
            VOC12_AP: values,
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


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
def test_foreign_table_is_named(runs, tmp_path, content):
    (runs[0] / "metrics.csv").write_text(content)
    with pytest.raises(DataError, match="not a table of metrics"):
        save_curves(runs, tmp_path / "out")


def test_output_that_is_a_file_is_named(runs, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match="cannot be made"):
        save_curves(runs, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"
