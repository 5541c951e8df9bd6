"""A few named images: the values that are kept of them too, and a detector in training."""

import numpy as np
import pytest

from miaod_nb.errors import ConfigError, RunFolderError
from miaod_nb.inspection.anchor_values import anchor_values, keep_anchor_values
from miaod_nb.inspection.some_images import table_of, values_now


def test_values_are_those_that_are_kept_and_nothing_is_written(copied):
    run = copied()
    ids = keep_anchor_values(run, 0)["id"].tolist()[:3]
    before = sorted(run.folder.root.rglob("*"))
    found = values_now(run, 0, ids)
    assert list(found) == ids
    for image_id, values in found.items():
        kept = anchor_values(run, 0, image_id)
        np.testing.assert_allclose(values.discrepancy, kept.discrepancy, rtol=1e-3, atol=1e-7)
    assert sorted(run.folder.root.rglob("*")) == before


def test_the_table_ranks_the_images_as_their_scores_do(copied):
    run = copied()
    kept = keep_anchor_values(run, 0).set_index("id")
    ids = kept.index[[4, 0, 2]].tolist()
    table = table_of(run, values_now(run, 0, ids))
    assert table["id"].tolist() == [ids[1], ids[2], ids[0]]
    assert table["rank"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(table["score"], kept.loc[table["id"], "score"], rtol=1e-3)


def test_a_detector_in_training_is_asked_as_it_is(copied):
    run = copied()
    image_id = run.dataset.pool[0].id
    finished = values_now(run, 0, [image_id])[image_id].discrepancy
    weights = run.folder.load_tensors("cycle0/weights.pt")
    model = {
        name: 0 * tensor if "classifier_2" in name else tensor
        for name, tensor in weights["model"].items()
    }
    run.folder.delete("cycle0/weights.pt")
    run.folder.save_tensors("cycle0/state.pt", {"model": model, "stage": 1, "step": 0})
    now = values_now(run, 0, [image_id])[image_id].discrepancy
    assert np.abs(now - finished).max() > 0.01  # the second classifier says one half everywhere


def test_a_cycle_that_has_not_begun_and_an_unknown_image_are_refused(copied):
    run = copied()
    with pytest.raises(RunFolderError, match="has not begun"):
        values_now(run, 1, [run.dataset.pool[0].id])
    with pytest.raises(ConfigError, match="no image 'nowhere'"):
        values_now(run, 0, ["nowhere"])
