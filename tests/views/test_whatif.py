"""What-if replay: the run's own settings change nothing, others change what they should."""

import pytest

from miaod_nb.inspection.anchor_values import keep_anchor_values
from miaod_nb.labeling.reviewing import apply_decisions, decide
from miaod_nb.views import uncertainty_viewer, what_if


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


def test_what_people_ask_for_is_said_to_be_left_out(run):
    words = "What people accepted or asked for is not taken into account."
    assert words not in what_if(run).options["scope"]
    decide(run.record, 1, selection(run)[0], "accept")
    assert what_if(run).options["scope"].endswith(words)


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


def test_settings_that_are_added_to_a_strategy(run):
    view = what_if(run)
    own, table = view.options["run"], keep_anchor_values(run, 1)
    for added in ({"max_similarity": 0.95}, {"class_target": "even"}, {"second": "entropy"}):
        view.settings = own | added
        assert view.message == "" and len(view.result["ids"]) == 3, added
        assert view.result["settings"] == own | added
    assert view.result["ids"][0] == table["id"][0]  # half of the batch is the run's own
    view.settings = own | {"unit": "boxes", "budget": view.options["costs"]["boxes"]}
    boxes = table.set_index("id").filter(like="class ").sum(axis=1).clip(lower=1)
    assert view.message == ""
    assert boxes[view.result["ids"]].sum() <= max(view.settings["budget"], boxes.min())
    view.settings = own
    assert view.result["ids"] == selection(run)


def test_a_run_with_something_added_replays_its_own_batch(finished):
    settings = {"max_similarity": 0.95, "class_target": "even", "budget": "4boxes"}
    run = finished.vary(**settings)
    run.run()
    view = what_if(run, 0)
    assert view.message == "" and view.result["ids"] == run.record.selected(0)
    shown = {name: view.settings[name] for name in ("max_similarity", "class_target", "unit")}
    assert shown == {"max_similarity": 0.95, "class_target": "even", "unit": "boxes"}
    view.settings = view.settings | {"max_similarity": 1.0, "class_target": ""}
    assert view.message == "" and view.result["ids"]


@pytest.mark.parametrize(
    "changed",
    [
        {"k": 4},
        {"budget": 0},
        {"budget": "many"},
        {"strategy": "wisdom"},
        {"alpha": 1},
        {"unit": "days"},
        {"class_target": "even,"},
        {"second": "wisdom"},
    ],
)
def test_impossible_settings_are_a_sentence_and_the_result_stays(run, changed):
    view = what_if(run)
    before = view.result
    assert 4 not in view.options["ks"]
    view.settings = view.settings | changed
    assert "what to do" in view.message and view.result == before
    still = view.still()
    assert still is not None and "with the run's own settings" in still.sentence
    assert not {"many", "wisdom", "alpha"} & set(still.sentence.replace(",", "").split())
    view.settings = view.options["run"] | {"budget": 2}
    again = view.still()
    assert view.message == "" and again is not None and "with budget 2, 2 images" in again.sentence


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
    view.settings = view.options["run"] | {"budget": len(chosen) + 1}
    assert f"beyond the {len(chosen)} that it chose is not known" in view.message
    view.settings = view.options["run"] | {"strategy": "mi_aod"}
    assert view.message == "" and len(view.result["ids"]) == len(chosen)
    added, dropped = view.result["added"], view.result["dropped"]
    assert added and {row["before"] for row in added} == {None}
    assert [row["before"] for row in dropped] == [chosen.index(row["id"]) + 1 for row in dropped]


@pytest.fixture(scope="module")
def comparing(finished):
    """A run of a strategy that compares images with each other."""
    run = finished.vary(strategy="coreset", seed=1)
    run.run()
    return run


def test_images_that_nobody_ranked_have_no_rank_in_the_viewer(comparing):
    view = uncertainty_viewer(comparing, 0)
    chosen = comparing.record.selected(0)
    assert view.message == ""
    ranks = {image["id"]: image["rank"] for image in view.index if not image["labeled"]}
    assert {i: rank for i, rank in ranks.items() if rank} == {
        i: place for place, i in enumerate(chosen, start=1)
    }
    assert all(image.get("disagreement") is None for image in view.index)
    other = next(i for i, rank in ranks.items() if rank is None)
    (panel,) = view.payload_of(other)["panels"]
    assert panel["rank"] is None and panel["score"] is None and panel["state"] == "pool"


@pytest.mark.parametrize("which", ["comparing", "random_run"])
def test_images_that_are_named_are_shown_whatever_chose(which, request):
    run = request.getfixturevalue(which)
    ids = list(run.record.sample(0)[:2])
    view = uncertainty_viewer(run, 0, ids=ids)
    assert view.message == ""
    assert [(image["id"], image["rank"]) for image in view.index] == [(i, None) for i in ids]


def test_a_run_without_scores_is_a_sentence(random_run):
    view = what_if(random_run)
    assert "no scores" in view.message and view.options == {}
