"""The review board: its cards, what its events write down, and a batch that is written anew."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from miaod_nb import views
from miaod_nb.boxes import Detections
from miaod_nb.experiment import open_run
from miaod_nb.inspection import anchor_values, features
from miaod_nb.inspection.reasons import places, where_in_words
from miaod_nb.labeling.doubt_table import SIDES
from miaod_nb.labeling.reviewing import decide
from miaod_nb.passes.kept_detections import keep_detections
from miaod_nb.selection.decisions import decision_file
from miaod_nb.selection.uncertainty import num_averaged
from miaod_nb.views import as_html, doubtful
from miaod_nb.views.board import Board


def batch_ids(run):
    return [row["id"] for row in run.folder.load_json("cycle1/selection.json")["selected"]]


def written(run):
    """The decision file: id, action and note of each line."""
    path = run.folder.path(decision_file(1))
    lines = path.read_text().splitlines() if path.exists() else []
    return [tuple(json.loads(line)[key] for key in ("id", "action", "note")) for line in lines]


def event(n, image_id, action, note=""):
    return {"id": image_id, "action": action, "note": note, "n": n}


@pytest.fixture
def run(copied):
    return copied


@pytest.fixture
def board(run) -> Board:
    view = views.board(run)
    assert view.message == ""
    return view


def test_cards_are_the_batch_most_wanted_first(run, board):
    rows = run.folder.load_json("cycle1/selection.json")["selected"]
    shown = [(card["rank"], card["id"], card["score"]) for card in board.cards]
    assert shown == [(row["rank"], row["id"], row["score"]) for row in rows]
    assert list(board.pictures) == batch_ids(run)
    assert all(text.startswith("data:image/jpeg") for text in board.pictures.values())
    assert str(run.folder.path(decision_file(1))) in board.status


def test_cards_tell_what_drove_the_score(run, board):
    rows = {row["id"]: row["reason"] for row in run.record.selection(1)["selected"]}
    for card in board.cards:
        height, width = card["size"]
        values = anchor_values.anchor_values(run, 1, card["id"])
        k = num_averaged(run.config.top_k, len(values.discrepancy))
        named = places(values, k)
        assert card["reason"] == rows[card["id"]]
        assert card["where"] == where_in_words(values, run.dataset.classes, k)
        for place, shown in zip(named, card["places"], strict=True):
            assert shown["box"] == pytest.approx(values.boxes[place.anchor], abs=0.06)
            assert shown["share"] == place.share
            numbers = sorted(float(shown[name].split()[-1]) for name in ("first", "second"))
            assert numbers == pytest.approx([place.low, place.high], abs=0.006)
        for thing in card["places"] + card["detections"]:
            x1, y1, x2, y2 = thing["box"]
            assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
        assert card["reason"] and card["fault"] == ""


def test_the_detector_is_asked_about_the_batch_and_labeled_images_alone(run, monkeypatch):
    wanted: list[set[str]] = []
    shutil.rmtree(run.folder.path("cycle1/anchors"), ignore_errors=True)
    run.folder.path("cycle1/features.npz").unlink(missing_ok=True)
    for module in (anchor_values, features):
        original = module.ask_detector

        def noted(run, cycle, records, *others, original=original):
            wanted.append({record.id for record in records})
            return original(run, cycle, records, *others)

        monkeypatch.setattr(module, "ask_detector", noted)
    assert views.board(run).message == ""
    labeled = run.dataset.ids(run.sets(1).labeled)
    assert wanted == [set(batch_ids(run)), {*batch_ids(run), *labeled}]


def test_the_mix_counts_objects_of_the_batch_and_of_the_labeled_set(run, board):
    assert [row["name"] for row in board.mix] == list(run.dataset.classes)
    objects, _ = run.dataset.labeled_objects(run.sets(1), run.classes_of(1))
    assert sum(row["labeled"] for row in board.mix) == sum(
        int((~found.ignored).sum()) for found in objects.values()
    )
    seen = [one["label"] for card in board.cards for one in card["detections"]]
    assert {row["name"]: row["batch"] for row in board.mix} == {
        name: seen.count(name) for name in run.dataset.classes
    }


def test_events_are_lines_of_the_decision_file_once(run, board):
    first, second, third = batch_ids(run)
    board.events = [event(1, first, "skip"), event(2, first, "note", "too dark")]
    assert board.saved == 2
    board.events = [event(2, first, "note", "too dark"), event(3, second, "accept")]
    assert written(run) == [
        (first, "skip", ""),
        (first, "note", "too dark"),
        (second, "accept", ""),
    ]
    assert board.decisions == {
        first: {"action": "skip", "note": "too dark"}, second: {"action": "accept", "note": ""},
    }  # fmt: skip
    assert "3 decisions are saved" in board.status


def test_an_event_that_fails_is_told_and_does_not_hold_back_the_others(run, board):
    first, second, _ = batch_ids(run)
    board.events = [event(1, first, "skip"), event(2, "nowhere", "skip"), event(3, second, "defer")]
    assert board.saved == 3 and "nowhere" in board.message
    assert written(run) == [(first, "skip", ""), (second, "defer", "")]


def test_another_board_shows_what_was_decided_before(run, board):
    first = batch_ids(run)[0]
    board.events = [event(1, first, "note", "why this?")]
    assert views.board(run).decisions == {first: {"action": "", "note": "why this?"}}


@pytest.mark.parametrize("replace", [True, False])
def test_apply_writes_the_batch_anew_and_shows_it(run, board, replace):
    first, second, third = batch_ids(run)
    board.replace = replace
    board.events = [event(1, first, "skip")]
    board.apply += 1
    assert board.message == "" and board.applied == 1
    now = batch_ids(run)
    assert now[:2] == [second, third] and len(now) == (3 if replace else 2)
    assert [card["id"] for card in board.cards] == now == list(board.pictures)
    assert f"1 out and {int(replace)} in" in board.status
    command = f"miaod run --run-dir {run.folder.root} --set cycles=3"  # this cycle is the last
    assert f"Next: label these images, then `{command}`" in board.status
    assert board.decisions[first]["action"] == "skip"  # the board can take it back


def test_a_run_with_cycles_left_goes_on_without_more(run):
    longer = open_run(run_dir=run.folder.root, overrides={"cycles": 4})
    view = views.board(longer)
    view.events = [event(1, batch_ids(run)[0], "skip")]
    view.apply += 1
    assert view.status.endswith(f"then `miaod run --run-dir {run.folder.root}`")


def test_what_was_taken_back_returns(run, board):
    before = batch_ids(run)
    board.events = [event(1, before[0], "defer")]
    board.apply += 1
    board.events = [event(2, before[0], "accept")]
    board.apply += 1
    assert batch_ids(run) == before == [card["id"] for card in board.cards]


def test_what_is_outside_the_batch_has_a_small_picture(run, board):
    first, second, _ = batch_ids(run)
    board.events = [event(1, first, "skip"), event(2, second, "accept")]
    assert board.aside == {}  # both are still cards
    board.apply += 1
    assert list(board.aside) == [first] and board.aside[first]["fault"] == ""
    assert board.aside[first]["source"].startswith("data:image/jpeg")
    assert views.board(run).aside == board.aside
    board.events = [event(3, first, "accept")]
    assert list(board.aside) == [first]  # it comes back with Apply
    board.apply += 1
    assert board.aside == {}


def test_what_was_undone_after_apply_waits_to_come_back(run, board):
    before = batch_ids(run)
    board.events = [event(1, before[0], "skip")]
    board.apply += 1
    board.events = [event(2, before[0], "undecided")]
    assert list(board.aside) == before[:1]
    board.apply += 1
    assert batch_ids(run) == before and board.aside == {}


def test_what_was_undone_and_never_in_the_batch_is_not_said_to_come_in(run, board):
    taken = {*batch_ids(run), *run.record.labeled(1)}
    other = [image_id for image_id in run.record.pool if image_id not in taken][-1]
    decide(run.record, 1, other, "skip")
    assert list(views.board(run).aside) == [other]
    decide(run.record, 1, other, "undecided")
    assert views.board(run).aside == {}


def test_an_image_that_others_ask_for_is_shown_and_a_mere_note_is_not(run, board):
    taken = {*batch_ids(run), *run.record.labeled(1)}
    others = [image_id for image_id in run.record.pool if image_id not in taken]
    decide(run.record, 1, others[0], "accept")
    decide(run.record, 1, others[1], "note", "what is this?")
    assert list(views.board(run).aside) == others[:1]


def test_an_image_is_enlarged_on_demand(run, board):
    first = batch_ids(run)[0]
    board.wanted = first
    assert board.enlarged["id"] == first and board.enlarged["source"].startswith("data:image")


def test_a_page_without_a_kernel_holds_the_cards(run, board):
    html = as_html(board)
    assert all(image_id in html for image_id in batch_ids(run))


def test_a_run_that_scores_nothing_has_cards_without_places(random_run):
    view = views.board(random_run)
    assert view.message == "" and len(view.cards) == 3
    assert all(card["score"] is None and card["places"] == [] for card in view.cards)
    assert {card["reason"] for card in view.cards} == {"drawn at random"}


# ------------------------------------------------------------------- what the view has to refuse


def test_an_unknown_image_is_refused_and_the_rest_goes_on(run, board):
    board.events = [event(1, "nobody", "skip")]
    assert "'nobody'" in board.message and board.saved == 1 and written(run) == []
    board.events = [event(2, batch_ids(run)[0], "accept")]
    assert board.message == "" and len(written(run)) == 1


def test_a_batch_that_the_next_cycle_uses_is_not_changed(run, board):
    before = batch_ids(run)
    board.events = [event(1, before[0], "skip")]
    assert board.closed == ""
    run.folder.mark_done(2, "split")
    board.events = [event(2, before[1], "skip")]
    assert "cannot be changed" in board.closed
    board.apply += 1
    assert "cannot be changed" in board.message and board.applied == 1
    assert batch_ids(run) == before
    assert "cannot be changed" in views.board(run).closed


def test_the_decision_file_of_another_run_is_named(run):
    line = {
        "id": batch_ids(run)[0],
        "action": "skip",
        "fingerprint": "f" * 64,
        "cycle": 1,
        "time": 0,
    }
    run.folder.save_text(decision_file(1), json.dumps(line) + "\n")
    view = views.board(run)
    assert "another run" in view.message and decision_file(1) in view.message


def test_a_cycle_that_is_not_there_is_a_sentence(run):
    assert "no cycle 7" in views.board(run, 7).message
    run.folder.save_json("cycle1/steps.json", ["split"])
    assert "cycle 1 has not chosen images yet" in views.board(run, 1).message
    assert views.board(run).heading.startswith("Batch of cycle 0")  # the newest that has
    run.folder.save_json("cycle0/steps.json", [])
    assert "no cycle of this run has chosen images yet" in views.board(run).message


def test_an_empty_batch_is_a_sentence(run):
    selection = run.folder.load_json("cycle1/selection.json")
    run.folder.save_json("cycle1/selection.json", selection | {"selected": []})
    view = views.board(run)
    assert "empty" in view.message and view.cards == []


def test_an_image_that_is_gone_has_the_reason_on_its_card(run, board, tmp_path, monkeypatch):
    first, second, third = batch_ids(run)
    missing, found = tmp_path / "gone.jpg", run.image

    def image_of(image_id):
        return (
            replace(found(image_id), image_path=missing) if image_id == first else found(image_id)
        )

    monkeypatch.setattr(run, "image", image_of)
    view = views.board(run)
    assert view.message == "" and str(missing) in view.cards[0]["fault"]
    assert view.pictures[first] == "" and view.pictures[second]


def test_a_picture_of_the_drawer_that_is_gone_is_said_until_it_is_there_again(run, board, tmp_path):
    first = batch_ids(run)[0]
    path = run.image(first).image_path
    board.events = [event(1, first, "skip")]
    moved = path.rename(tmp_path / path.name)
    try:
        board.apply += 1
        assert board.aside[first]["source"] == "" and str(path) in board.aside[first]["fault"]
    finally:
        moved.rename(path)
    board.events = [event(2, first, "note", "here it is")]
    assert board.aside[first]["source"] and board.aside[first]["fault"] == ""


def test_labels_that_may_be_wrong_are_shown_with_what_was_found_there(run):
    image_id = next(i for i in run.record.test if len(run.dataset.test_objects[i].labels))
    labeled = run.dataset.test_objects[image_id]
    found = Detections(labeled.boxes, np.full(len(labeled), 0.9, np.float32), 1 - labeled.labels)
    keep_detections(run.folder, 1, {image_id: found})
    view = views.board(run)
    assert view.message == "" and view.doubted.endswith(
        f"; in {len(run.record.labeled(1))} more: miaod review {run.folder.root} --labels"
    )
    doubt = view.doubts[0]
    assert (doubt["id"], doubt["score"]) == (image_id, 0.9)
    assert doubt["source"].startswith("data:image/jpeg") and " (0.90)" in doubt["what"]
    height, width = doubt["size"]
    assert doubt["label"] == pytest.approx(doubt["predicted"], abs=0.02)
    x1, y1, x2, y2 = doubt["label"]
    assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
    sides = labeled.boxes[:, 2:] - labeled.boxes[:, :2]
    assert np.abs(sides - [x2 - x1, y2 - y1]).sum(axis=1).min() < 0.05


def test_a_doubtful_label_of_a_lost_image_has_words_alone(run):
    image_id = run.record.test[0]
    row = {"image": image_id, "score": 0.5, "what": "not labeled, found: disc (0.50)"}
    row |= {f"{whose}_{side}": 2.0 for whose in ("label", "predicted") for side in SIDES}
    lost = replace(run.record.image(image_id), image_path=Path("lost.jpg"))
    run.image = lambda _: lost
    shown = doubtful._shown(run, row)
    assert (shown["source"], shown["label"], shown["what"]) == ("", None, row["what"])
