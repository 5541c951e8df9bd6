"""What other strategies would have chosen with a cycle's detector."""

import json

import pytest

from miaod_nb.errors import ConfigError, RunFolderError
from miaod_nb.experiment.run import Run
from miaod_nb.inspection import otherwise as module
from miaod_nb.inspection.otherwise import choose_with, strategies_side_by_side
from miaod_nb.labeling.reviewing import apply_decisions, decide
from miaod_nb.passes.kept_detections import kept_detections


def rows_of(run: Run) -> list[dict]:
    return run.folder.load_json("cycle0/selection.json")["selected"]


@pytest.mark.parametrize("settings", [{}, {"budget": "6boxes"}])
def test_the_own_strategy_chooses_the_own_batch(copied, settings, monkeypatch):
    run = copied(**settings)
    monkeypatch.setattr(module, "see_all", None)  # what the run has seen is there
    assert choose_with(run, 0, "mi_aod") == rows_of(run)


@pytest.mark.parametrize("strategy", ["entropy", "coreset", "random"])
def test_another_strategy_chooses_what_a_run_of_it_would(copied, strategy, monkeypatch):
    run = copied()
    beside = run.vary(strategy=strategy, training="mi_aod")  # takes over the same detector
    beside.run()
    assert beside.folder.exists("cycle0/taken_over.json")
    before = (run.folder.path("cycle0/selection.json")).read_bytes()
    assert choose_with(run, 0, strategy) == rows_of(beside)
    assert (run.folder.path("cycle0/selection.json")).read_bytes() == before
    monkeypatch.setattr(module, "see_all", None)  # nothing is looked at twice
    assert choose_with(run, 0, strategy) == choose_with(beside, 0, strategy) == rows_of(beside)


def test_settings_and_budget_of_the_other_strategy(copied):
    run = copied()
    largest = choose_with(run, 0, "entropy", budget=5)
    summed = choose_with(run, 0, "entropy", {"entropy_aggregate": "sum"}, budget=5)
    assert len(largest) == len(summed) == 5
    assert largest[:2] == choose_with(run, 0, "entropy")
    assert min(row["score"] for row in summed) > max(row["score"] for row in largest)
    few = choose_with(run, 0, "entropy", budget="3boxes")
    assert all("cost" in row for row in few)
    assert len(choose_with(run, 0, "margin", budget=16)) == 12  # all that are left


def test_images_that_were_set_aside_are_in_no_batch(copied):
    run = copied()
    first = choose_with(run, 0, "entropy")[0]["id"]
    decide(run.record, 0, first, "skip")
    ids = [row["id"] for row in choose_with(run, 0, "entropy")]
    assert len(ids) == 2 and first not in ids
    apply_decisions(run.record, 0)
    assert choose_with(run, 0, "mi_aod") == rows_of(run)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strategy": "entropi"}, "did you mean 'entropy'"),
        ({"strategy": "full"}, "chooses no images"),
        ({"strategy": "entropy", "settings": {"detector": "ssd300"}}, "entropy_aggregate"),
        ({"strategy": "entropy", "settings": {"entropy_aggregate": "median"}}, "not allowed"),
        ({"strategy": "entropy", "budget": 17}, "17 images, more than there are"),
    ],
)
def test_what_cannot_be_chosen_is_a_sentence(copied, given, said):
    with pytest.raises(ConfigError, match=said):
        choose_with(copied(), 0, **given)


def test_a_cycle_without_a_detector_is_a_sentence(copied):
    run = copied()
    run.folder.delete("cycle0/weights.pt")
    with pytest.raises(RunFolderError, match="not trained yet"):
        choose_with(run, 0, "entropy")
    with pytest.raises(ConfigError, match="cycle"):
        choose_with(run, 5, "entropy")


def test_side_by_side(copied, monkeypatch):
    monkeypatch.setattr(module, "SHOWN_SCORE", 0.0)  # of a detector that has learned little
    run = copied()
    names = ["mi_aod", "entropy", "random"]
    table = strategies_side_by_side(run, 0, names)
    taken = [[row["id"] for row in choose_with(run, 0, name)] for name in names]
    assert table["strategy"].tolist() == ["MI-AOD", "entropy", "random"]
    assert table["images"].tolist() == [2, 2, 2]
    common = [len({*taken[0]} & {*ids}) / len({*taken[0]} | {*ids}) for ids in taken]
    assert table["in_common"].tolist() == common and common[0] == 1
    found = kept_detections(run.folder, 0, ())
    boxes = [sum(int((found[i].scores >= 0.0).sum()) for i in ids) for ids in taken]
    assert table["boxes"].tolist() == boxes
    assert table.filter(like="class ").sum(axis=1).tolist() == boxes
    config = run.config
    assert all(boxes)
    seconds = [2 * config.image_seconds + n * config.box_seconds for n in boxes]
    assert table["minutes"].tolist() == pytest.approx([one / 60 for one in seconds])
    json.dumps(table.to_dict("records"))  # plain numbers
