"""The selection space: where points lie, what they are, and what the mouse encircled."""

import pytest

from miaod_nb.views import selection_space


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


def test_what_cannot_be_shown_is_a_sentence(run):
    assert "no cycle 9" in selection_space(run, 9).message
    run.folder.path("cycle1/weights.pt").unlink()  # and no features are kept yet
    view = selection_space(run)
    assert "not trained" in view.message and view.points == []


def test_a_run_without_scores_is_a_sentence(random_run):
    view = selection_space(random_run)
    assert "no scores" in view.message and "what to do" in view.message
