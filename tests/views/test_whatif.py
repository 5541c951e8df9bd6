"""What-if replay: the run's own settings change nothing, others change what they should."""

import pytest

from miaod_nb.inspection.anchor_values import keep_anchor_values
from miaod_nb.labeling.reviewing import apply_decisions, decide
from miaod_nb.views import what_if


@pytest.fixture
def run(copied):
    return copied


def selection(run):
    return [row["id"] for row in run.folder.load_json("cycle1/selection.json")["selected"]]


def test_the_own_settings_choose_the_own_batch(run):
    view = what_if(run)
    assert view.message == ""
    assert view.result["ids"] == selection(run)
    assert (view.result["added"], view.result["dropped"]) == ([], [])
    assert (view.result["kept"], view.result["jaccard"]) == (3, 1)


def test_images_that_were_set_aside_are_in_no_batch(run):
    first, *others = selection(run)
    decide(run.record, 1, first, "skip")
    batch = [row["id"] for row in apply_decisions(run.record, 1)["selected"]]
    view = what_if(run)
    assert view.result["ids"] == batch and batch[:2] == others
    view.settings = view.settings | {"budget": view.options["most"]}
    assert first not in view.result["ids"] and view.message == ""


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ({"k": 1}, "mean 1"), ({"aggregate": "max"}, "max"), ({"aggregate": "sum"}, "sum"),
        ({"weighted": True}, None), ({"strategy": "entropy"}, "entropy"),
    ],
)  # fmt: skip
def test_another_rule_chooses_by_its_column_of_the_table(run, changed, column):
    view = what_if(run)
    view.settings = view.settings | changed
    table = keep_anchor_values(run, 1)
    column = column or f"weighted mean {view.settings['k']}"
    best = table.sort_values([column, "rank"], ascending=[False, True])["id"].tolist()
    assert view.result["settings"] == view.settings
    assert view.result["ids"] == best[:3]
    assert {row["id"] for row in view.result["added"]} == set(best[:3]) - set(selection(run))
    assert {row["id"] for row in view.result["dropped"]} == set(selection(run)) - set(best[:3])
    for row in view.result["added"] + view.result["dropped"]:
        assert row["after"] == best.index(row["id"]) + 1
        assert view.pictures[row["id"]].startswith("data:image/jpeg")


def test_a_larger_budget_adds_the_next_best(run):
    view = what_if(run)
    view.settings = view.settings | {"budget": 6}
    next_best = keep_anchor_values(run, 1)["id"].tolist()[3:6]
    assert [row["id"] for row in view.result["added"]] == next_best
    assert [(row["before"], row["after"]) for row in view.result["added"]] == [
        (4, 4),
        (5, 5),
        (6, 6),
    ]
    assert view.result["dropped"] == [] and view.result["jaccard"] == 0.5


def test_a_random_batch_has_no_ranks_beyond_it(run):
    view = what_if(run)
    view.settings = view.settings | {"strategy": "random"}
    assert view.message == "" and len(view.result["ids"]) == 3
    assert all(row["after"] is None for row in view.result["dropped"])


@pytest.mark.parametrize(
    "changed", [{"k": 4}, {"budget": 0}, {"budget": "many"}, {"strategy": "wisdom"}, {"alpha": 1}]
)
def test_impossible_settings_are_a_sentence_and_the_result_stays(run, changed):
    view = what_if(run)
    before = view.result
    assert 4 not in view.options["ks"]
    view.settings = view.settings | changed
    assert "what to do" in view.message and view.result == before
    view.settings = view.options["run"]
    assert view.message == ""


def test_what_cannot_be_replayed_is_a_sentence(run):
    assert "no cycle 9" in what_if(run, 9).message
    run.folder.save_json("cycle1/steps.json", ["split"])
    assert "cycle 1 has not chosen images yet" in what_if(run, 1).message


def test_a_strategy_that_compares_images_is_replayed_as_it_chose(finished):
    run = finished.vary(strategy="coreset")
    run.run()
    view = what_if(run, 0)
    assert view.message == "" and view.options["strategies"]["coreset"] == "core-set"
    chosen = run.record.selected(0)
    assert view.result["ids"] == chosen and view.result["jaccard"] == 1
    view.settings = view.settings | {"strategy": "mi_aod"}
    assert view.message == "" and len(view.result["ids"]) == len(chosen)


def test_a_run_without_scores_is_a_sentence(random_run):
    view = what_if(random_run)
    assert "no scores" in view.message and view.options == {}
