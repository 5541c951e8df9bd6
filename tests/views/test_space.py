"""The selection space: where points lie, what they are, and what is decided about some of them."""

import pytest

from miaod_nb.labeling.reviewing import apply_decisions, decide
from miaod_nb.selection.decisions import decisions_of
from miaod_nb.views import board, page, selection_space
from miaod_nb.views import space as module


@pytest.fixture
def run(copied):
    return copied


def test_every_image_is_a_point_of_its_kind(run):
    view = selection_space(run)
    assert view.message == ""
    by_id = {point["id"]: point for point in view.points}
    assert by_id.keys() == {record.id for record in run.dataset.pool}  # the pool is small
    labeled = set(run.dataset.ids(run.sets(1).labeled))
    selected = {row["id"] for row in run.folder.load_json("cycle1/selection.json")["selected"]}
    assert {i for i, point in by_id.items() if point["kind"] == "labeled"} == labeled
    assert {i for i, point in by_id.items() if point["kind"] == "selected"} == selected
    assert all((point["score"] is None) == (i in labeled) for i, point in by_id.items())
    assert len({(point["x"], point["y"]) for point in view.points}) > 1


def test_scores_are_those_that_the_run_recorded(run):
    table = run.folder.load_parquet("cycle1/scores.parquet")
    recorded = dict(zip(table["id"], table["score"], strict=True))
    found = {p["id"]: p["score"] for p in selection_space(run).points if p["score"] is not None}
    assert found == pytest.approx(recorded)


def test_encircled_ids_are_there_in_python(run):
    view = selection_space(run)
    assert view.ids == []
    view.lasso_ids = [view.points[0]["id"]]
    assert view.ids == [view.points[0]["id"]]


def test_a_thumbnail_comes_on_demand(run):
    view = selection_space(run)
    assert view.thumbnail == {}
    view.wanted = view.points[3]["id"]
    assert view.thumbnail["id"] == view.points[3]["id"]
    assert view.thumbnail["source"].startswith("data:image/jpeg")


def test_the_axes_say_their_share_of_the_variance(run):
    first, second = selection_space(run).shares
    assert 1 > first >= second > 0


def test_pictures_of_what_is_encircled_are_small_and_few(run, monkeypatch):
    monkeypatch.setattr(module, "SHOWN", 2)
    view = selection_space(run)
    ids = [point["id"] for point in view.points[:3]]
    view.lasso_ids = ids
    assert [picture["id"] for picture in view.gallery] == ids[:2]
    assert all(picture["source"].startswith("data:image/jpeg") for picture in view.gallery)


# --------------------------------------------------------------------------------- deciding


def act(view, action, ids=None):
    """What the script does when a button is pressed."""
    if ids is not None:
        view.lasso_ids = ids
    view.wish = {"n": view.answered + 1, "action": action}


def of_kind(view, kind):
    return [point["id"] for point in view.points if point["kind"] == kind]


def written(run):
    return [(one.id, one.action) for one in decisions_of(run.record, 1)]


def test_what_is_encircled_is_skipped_without_the_labeled(run):
    view = selection_space(run)
    skipped = [of_kind(view, "selected")[0], of_kind(view, "pool")[0]]
    act(view, "skip", [*skipped, *of_kind(view, "labeled")[:2]])
    assert view.answered == 1 and view.message == ""
    assert written(run) == [(image_id, "skip") for image_id in skipped]
    assert "2 images skipped: saved in" in view.status and "decisions.jsonl" in view.status
    assert view.decisions == dict.fromkeys(skipped, "skip")
    assert board(run).decisions[skipped[1]]["action"] == "skip"
    assert not set(skipped) & {row["id"] for row in apply_decisions(run.record, 1)["selected"]}


def test_labeled_images_alone_leave_nothing_to_undo(run):
    view = selection_space(run)
    act(view, "skip", of_kind(view, "labeled")[:2])
    assert view.answered == 1 and written(run) == [] and not view.undoable


def test_what_is_asked_for_comes_in_with_apply(run):
    view = selection_space(run)
    asked = of_kind(view, "pool")[:2]
    act(view, "accept", asked)
    assert written(run) == [(image_id, "accept") for image_id in asked]
    made = board(run)
    made.apply = 1
    assert made.message == ""
    now = [card["id"] for card in made.cards]
    assert len(now) == 3 and set(asked) < set(now) and set(of_kind(view, "selected")) & set(now)


def test_no_more_is_asked_for_than_a_batch_has(run):
    view = selection_space(run)
    act(view, "accept", of_kind(view, "pool")[:4])
    assert "4 images are accepted or asked for, and a batch has 3" in view.message
    assert view.answered == 1 and written(run) == [] and not view.undoable
    act(view, "accept", of_kind(view, "pool")[:3])
    assert view.message == "" and len(written(run)) == 3
    act(view, "accept", of_kind(view, "selected")[:1])  # those before count too
    assert "4 images are accepted" in view.message and len(written(run)) == 3


def test_undo_brings_back_what_held_before(run):
    view = selection_space(run)
    first, second, third = of_kind(view, "pool")[:3]
    decide(run.record, 1, first, "defer")
    run.folder.append_line(
        "cycle0/decisions.jsonl",
        decisions_of(run.record, 1)[0].model_copy(
            update={"id": second, "action": "skip", "cycle": 0}
        ).model_dump_json(),
    )  # fmt: skip
    before = selection_space(run).decisions
    assert before == {first: "defer", second: "skip"}
    act(view, "accept", [first, second, third])
    assert view.undoable and set(view.decisions.values()) == {"accept"}
    act(view, "skip", [third])
    act(view, "undo")
    assert view.decisions[third] == "accept" and view.undoable
    act(view, "undo")
    assert view.decisions == before and not view.undoable
    assert "3 images as before" in view.status
    lines = written(run)
    act(view, "undo")
    assert written(run) == lines and view.answered == 5


def test_undo_leaves_what_the_board_decided_since_then(run):
    view = selection_space(run)
    first, second = of_kind(view, "pool")[:2]
    act(view, "skip", [first, second])
    decide(run.record, 1, second, "accept")
    act(view, "undo")
    assert view.decisions == {second: "accept"} and not view.undoable
    assert "1 image as before (1 decided otherwise since then: left as they are)" in view.status


def test_a_cycle_that_has_gone_on_is_refused(run):
    view = selection_space(run, 0)
    assert (
        view.closed == "cycle 1 has begun with the batch of cycle 0: it cannot be changed any more"
    )
    act(view, "skip", of_kind(view, "pool")[:1])
    assert view.closed in view.message and view.answered == 1
    assert not run.folder.exists("cycle0/decisions.jsonl")
    assert selection_space(run).closed == ""


def test_a_faulty_decision_file_is_a_sentence_above_the_map(run):
    run.folder.save_text("cycle1/decisions.jsonl", "nonsense\n")
    view = selection_space(run)
    assert "line 1" in view.message and view.points


def test_a_page_keeps_what_was_encircled_and_decided(run):
    view = selection_space(run)
    act(view, "skip", of_kind(view, "pool")[:1])
    assert view.gallery[0]["source"] in page(view, "space")


def test_what_cannot_be_shown_is_a_sentence(run):
    assert "no cycle 9" in selection_space(run, 9).message
    run.folder.path("cycle1/weights.pt").unlink()  # and no features are kept yet
    view = selection_space(run)
    assert "not trained" in view.message and view.points == []


def test_a_run_without_scores_is_a_sentence(random_run):
    view = selection_space(random_run)
    assert "no scores" in view.message and "what to do" in view.message
