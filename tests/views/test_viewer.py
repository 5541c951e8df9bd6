"""The viewer's state in Python: which images, where they stand, and what is told of bad wishes."""

import json
import shutil

import numpy as np
import pytest

from miaod_nb.experiment import open_run
from miaod_nb.views import uncertainty_viewer
from tests.views.conftest import OVERRIDES


@pytest.fixture(scope="module")
def viewer(finished):
    made = uncertainty_viewer(finished)
    assert made.message == ""
    return made


def test_it_opens_the_most_uncertain_image_of_the_newest_cycle(viewer, finished):
    first = finished.dataset.ids(np.array(finished.selection(1)))[0]
    assert viewer.payload["id"] == first == viewer.index[0]["id"]
    (panel,) = viewer.payload["panels"]
    assert panel["title"] == "run, cycle 1" and panel["rank"] == 1 and panel["state"] == "selected"


def test_it_lists_the_pool_by_rank_and_then_what_is_labeled(viewer, finished):
    ranks = [image["rank"] for image in viewer.index]
    assert ranks == [*range(1, 10), *[None] * 7]
    labeled = [image["id"] for image in viewer.index if image["labeled"]]
    assert labeled == sorted(finished.dataset.ids(finished.sets(1).labeled))
    assert sum(image["selected"] for image in viewer.index) == 3


def test_the_mean_at_the_runs_own_k_is_the_recorded_score(viewer):
    k = viewer.settings["k"]
    for image in viewer.index[:3]:
        (panel,) = viewer.payload_of(image["id"])["panels"]
        assert panel["means"][k] == panel["score"] == pytest.approx(image["score"], rel=0.01)
        assert panel["ranks"][k] == panel["rank"]
        assert panel["means"] == sorted(panel["means"], reverse=True)  # k grows


def test_only_labeled_images_show_their_truth(viewer, finished):
    assert viewer.payload["truth"] is None
    labeled = [image["id"] for image in viewer.index if image["labeled"]]
    payload = viewer.payload_of(labeled[0])
    assert payload["panels"][0]["rank"] is None and len(payload["panels"][0]["means"]) > 3
    objects, _ = finished.dataset.labeled_objects(finished.sets(1), finished.classes_of(1))
    record = finished.dataset.records[labeled[0]]
    scale = payload["size"][1] / record.width
    expected = objects[labeled[0]].boxes * scale
    np.testing.assert_allclose(payload["truth"]["boxes"], expected, atol=0.06)


def test_annotations_of_the_pool_stay_closed(finished):
    run = open_run(run_dir=finished.folder.root)
    viewer = uncertainty_viewer(run)
    viewer.embed([image["id"] for image in viewer.index])
    assert viewer.message == "" and len(viewer.embedded) == 16
    opened = set(run.dataset.oracle.opened)
    assert opened <= set(run.dataset.ids(run.sets(1).labeled))


def test_a_wish_of_the_script_brings_the_image(viewer):
    viewer.wanted = {"id": viewer.index[2]["id"], "asked": 1}
    assert viewer.payload["id"] == viewer.index[2]["id"]
    viewer.wanted = {"id": viewer.index[0]["id"], "asked": 2}
    assert viewer.payload["id"] == viewer.index[0]["id"]


def test_the_state_is_plain_json(viewer):
    state = {name: getattr(viewer, name) for name in viewer.keys if not name.startswith("_")}
    state = {name: value for name, value in state.items() if name not in ("layout", "comm")}
    json.dumps(state, allow_nan=False)


def test_two_cycles_have_a_panel_each(finished):
    viewer = uncertainty_viewer(finished, 1, beside=[(finished, 0)])
    assert [panel["title"] for panel in viewer.payload["panels"]] == [
        "run, cycle 1",
        "run, cycle 0",
    ]
    assert viewer.payload["panels"][0]["maps"] != viewer.payload["panels"][1]["maps"]


def test_a_run_without_scores_may_stand_beside(finished, tmp_path):
    root = tmp_path / "random"
    shutil.copytree(finished.folder.root, root)
    (root / "config.json").unlink()
    settings = OVERRIDES | {"strategy": "random", "training": "mi_aod"}
    for name in ("cycle0", "log.jsonl"):
        (root / name).rename(tmp_path / name)
    other = open_run("tiny", data_root=finished.data_root, run_dir=root, overrides=settings)
    with other.hold():
        pass  # begun
    (tmp_path / "cycle0").rename(root / "cycle0")
    viewer = uncertainty_viewer(finished, 1, beside=[(other, 1)])
    assert viewer.message == ""
    assert viewer.payload["panels"][1]["rank"] is None
    assert "no scores" in uncertainty_viewer(other, 1).message


@pytest.mark.parametrize(("cycle", "words"), [(7, "no cycle 7"), (-1, "no cycle -1")])
def test_a_cycle_that_is_not_there_is_a_message(finished, cycle, words):
    message = uncertainty_viewer(finished, cycle).message
    assert words in message and "what to do" in message
    assert uncertainty_viewer(finished, cycle, ids=[finished.dataset.pool[0].id]).message == message
    assert uncertainty_viewer(finished, 1, beside=[(finished, cycle)]).message == message


def test_an_image_that_the_view_does_not_list_is_not_kept_in_it(finished):
    first, second = (record.id for record in finished.dataset.pool[:2])
    viewer = uncertainty_viewer(finished, ids=[first])
    viewer.embed([first, second])
    assert f"this view has no image '{second}'" in viewer.message and viewer.embedded == {}


def test_a_run_that_selected_nothing_is_a_message(finished, tmp_path):
    run = open_run("tiny", data_root=finished.data_root, run_dir=tmp_path / "new",
                   overrides=OVERRIDES)  # fmt: skip
    assert "this run has not begun" in uncertainty_viewer(run).message


def test_an_image_deleted_since_is_a_message(finished, tmp_path):
    viewer = uncertainty_viewer(finished)
    path = finished.dataset.records[viewer.index[1]["id"]].image_path
    moved = path.rename(tmp_path / "away.jpg")
    try:
        viewer.wanted = {"id": viewer.index[1]["id"], "asked": 1}
        assert "cannot be read" in viewer.message and str(path) in viewer.message
        assert viewer.payload["id"] == viewer.index[0]["id"]
    finally:
        moved.rename(path)


def test_images_that_cannot_be_kept_in_the_view_are_a_message(finished):
    viewer = uncertainty_viewer(finished)
    viewer.embed(["nobody"])
    assert "no image 'nobody'" in viewer.message and viewer.embedded == {}
    failed = uncertainty_viewer(finished, 7)
    failed.embed(["nobody"])
    assert "cycle 7" in failed.message


def test_detectors_that_see_other_sizes_do_not_stand_side_by_side(finished, tmp_path):
    settings = OVERRIDES | {"image_size": (96, 64)}
    other = open_run("tiny", data_root=finished.data_root, run_dir=tmp_path / "other",
                     overrides=settings)  # fmt: skip
    message = uncertainty_viewer(finished, 1, beside=[(other, 0)]).message
    assert "other sizes of images" in message and "what to do" in message


def test_runs_on_other_images_do_not_stand_side_by_side(finished, make_voc, tmp_path):
    other = open_run("tiny", data_root=make_voc(tmp_path / "VOC2007", seed=3, num_trainval=20),
                     run_dir=tmp_path / "other", overrides={"initial": 4, "budget": 2})  # fmt: skip
    with other.hold():
        pass  # begun
    message = uncertainty_viewer(finished, 1, beside=[(other, 0)]).message
    assert "other images or classes" in message
