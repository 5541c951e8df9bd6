"""Every image's story: chosen, exported, labeled, taken back, in the order in which it happened."""

import json

import pandas as pd
import pytest

from miaod_nb.errors import ConfigError
from miaod_nb.labeling.history import COLUMNS, history, history_lines
from miaod_nb.labeling.imports import undo_import
from miaod_nb.labeling.reviewing import decide
from tests.experiment.helpers import miaod


@pytest.fixture
def story(asking):
    """Its first image was chosen, exported, labeled in nine seconds and that was taken back."""
    root, first = asking.folder.root, asking.record.selected(0)[0]
    assert miaod("export", root, "--to", "label-studio").code == 0
    task = {"data": {"image_id": first}, "annotations": [
        {"result": [], "lead_time": 9.4, "completed_by": {"email": "=1+1"},
         "updated_at": "2100-01-01T00:00:00Z"}]}  # fmt: skip
    (root / "back.json").write_text(json.dumps([task]))
    assert miaod("import", root, root / "back.json").code == 0
    return asking, first


def test_an_image_tells_its_story(story):
    run, first = story
    chosen = run.record.selection(0)["selected"][0]
    table = history(run.record, first)
    assert list(table) == list(COLUMNS)
    assert list(table["event"]) == ["chosen by mi_aod", "exported", "labeled"]
    one, out, labeled = table.to_dict("records")
    assert (one["rank"], one["score"], one["what"]) == (1, chosen["score"], chosen["reason"])
    assert one["detector"] == f"{run.record.fingerprint[:8]}/cycle0"
    assert one["time"] < out["time"] and out["what"] == "to label-studio"
    assert (labeled["by"], labeled["seconds"]) == ("=1+1", 9.4)
    assert labeled["what"].startswith("nothing there (label-studio, import ")
    last = history_lines(table)[-1]
    assert last.startswith("2100-01-01 00:00:00  ") and "9 seconds" in last


def test_what_was_taken_back_is_part_of_it(story):
    run, first = story
    name = undo_import(run).name
    decide(run.record, 0, first, "skip", "blurred")
    table = history(run.record, first)
    undone = table[table["event"] == "import undone"]
    assert undone["what"].tolist() == [name]
    assert "blurred" in table["what"].tolist() and "decided: skip" in table["event"].tolist()
    assert "labeled" in table["event"].tolist()  # it was


def test_all_images_are_in_one_table(story, tmp_path):
    run, first = story
    outcome = miaod("history", run.folder.root, "--out", tmp_path / "all.csv")
    assert outcome.code == 0, outcome.err
    table = pd.read_csv(tmp_path / "all.csv", dtype={"image": str})
    assert set(table["image"]) == {*run.record.labeled(0), *run.record.selected(0)}
    assert "'=1+1" in set(table["by"])  # no formula of a spreadsheet
    assert (table["event"] == "began the run").sum() == len(run.record.labeled(0))
    assert first in miaod("history", run.folder.root, first).out


def test_an_unknown_image_is_named(story):
    with pytest.raises(ConfigError, match="no image 'nobody'"):
        history(story[0].record, "nobody")
