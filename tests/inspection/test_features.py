"""A map of images, and images that look the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from miaod_nb.errors import ConfigError
from miaod_nb.inspection import features as module
from miaod_nb.inspection.features import (
    ALIKE,
    look_alikes,
    main_axes,
    pool_features,
    similar_pairs,
    standardized,
)
from miaod_nb.inspection.inspected import inspected_ids
from miaod_nb.selection.features import mean_features
from tests.tiny import lively_detector, noise, unlabeled


def test_pairs_are_those_of_the_same_direction():
    features = np.array([[1.0, 0], [0, 2], [3, 0.1], [0, 0], [-1, 0]])
    (pair,) = similar_pairs(features, "abcde", 0.9)
    assert pair[:2] == ("a", "c") and pair[2] == pytest.approx(3 / np.hypot(3, 0.1))
    pairs = similar_pairs(features, "abcde", 0.01)
    assert [pair[:2] for pair in pairs] == [("a", "c"), ("b", "c")]


def test_standardized_features_count_equally():
    found = standardized(np.array([[1, 100, 5], [3, 300, 5]], dtype=np.float16))
    assert found.tolist() == [[-1, -1, 0], [1, 1, 0]]


def test_the_main_axes_are_those_of_largest_variance():
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(50, 3)) * [1, 10, 0.1]
    spread -= spread.mean(axis=0)
    places, _ = main_axes(spread)
    assert abs(np.corrcoef(places[:, 0], spread[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(places[:, 1], spread[:, 0])[0, 1]) > 0.99
    np.testing.assert_allclose(main_axes(spread[::-1])[0][::-1], places, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 3), (4, 1), (3, 3)])
def test_few_images_or_features_have_places_too(shape):
    places, shares = main_axes(standardized(np.ones(shape)))
    assert places.shape == (shape[0], 2) and (places == 0).all() and shares == (0, 0)


def test_the_shares_are_those_of_the_variance():
    """Three columns at right angles with variances 8, 2 and 2: shares 8/12 and 2/12."""
    turn = np.array([[2, 1, 2], [-2, 2, 1], [1, 2, -2]]) / 3
    columns = np.array([[4, 0, 0], [-4, 0, 0], [0, 2, 0], [0, -2, 0], [0, 0, 2], [0, 0, -2]])
    places, shares = main_axes(columns @ turn)
    assert shares == pytest.approx((32 / 48, 8 / 48))
    np.testing.assert_allclose((places**2).sum(axis=0) / 48, shares)
    features = np.random.default_rng(0).normal(size=(7, 4)) * [3, 1, 2, 1]
    features -= features.mean(axis=0)
    variances = np.sort(np.linalg.eigvalsh(np.cov(features.T)))[::-1]
    assert main_axes(features)[1] == pytest.approx(tuple(variances[:2] / variances.sum()))
    one = main_axes(np.array([[1.0], [-1.0]]))
    assert one[1] == pytest.approx((1, 0))
    np.testing.assert_allclose(one[0], [[1, 0], [-1, 0]])


def test_padding_does_not_count():
    """Features near the end of an image see the padding; further ones, and the mean of cells on the
    padding, do not enter."""
    model = lively_detector().eval()
    batch = replace(unlabeled(noise(1, 64, 64)), image_sizes=((32, 64),))
    with torch.inference_mode():
        found = mean_features(model, batch)
        levels = model.features(batch.images)
    expected = [levels[0][0, :, :4].mean((1, 2)), levels[1][0, :, :2].mean((1, 2)),
                levels[2][0, :, :1].mean((1, 2))]  # fmt: skip
    torch.testing.assert_close(found["features"][0], torch.cat(expected))


def test_the_map_holds_selected_labeled_and_inspected_images(copied, monkeypatch):
    run = copied()
    table, shares = pool_features(run, 0)
    assert 1 >= shares[0] >= shares[1] > 0
    assert list(table) == ["id", "x", "y"] and table["id"].is_unique
    assert set(table["id"]) == {*run.dataset.ids(run.sets(0).labeled), *inspected_ids(run, 0)}
    assert table["id"].tolist()[:2] == run.dataset.ids(run.selection(0))
    assert np.ptp(table["x"]) >= np.ptp(table["y"]) > 0

    def never(*_: object) -> None:
        raise AssertionError("the detector was asked")

    monkeypatch.setattr(module, "_computed", never)
    assert pool_features(run, 0).table.equals(table)


def test_images_that_are_known_are_not_looked_at_again(copied, monkeypatch):
    run, asked = copied(), []
    original = module._computed

    def counted(run, cycle, ids):
        asked.append(len(ids))
        return original(run, cycle, ids)

    monkeypatch.setattr(module, "_computed", counted)
    monkeypatch.setattr(module, "MAX_IMAGES", 5)
    assert len(pool_features(run, 0).table) == 5
    monkeypatch.setattr(module, "MAX_IMAGES", 2000)
    table = pool_features(run, 0).table
    assert len(table) == 16 and asked == [5, 11]
    run.folder.path("cycle0/features.npz").write_bytes(b"")
    at_once = pool_features(run, 0).table
    assert at_once["id"].tolist() == table["id"].tolist()
    np.testing.assert_allclose(at_once["x"], table["x"], rtol=0.05, atol=0.05)


def test_all_selected_images_are_on_the_map_however_many(copied, monkeypatch):
    monkeypatch.setattr(module, "MAX_IMAGES", 1)
    run = copied()
    selected = run.dataset.ids(run.selection(0))
    assert pool_features(run, 0).table["id"].tolist() == selected and len(selected) == 2


def test_look_alikes_are_pairs_of_these_images(copied, monkeypatch):
    run = copied()
    ids = inspected_ids(run, 0)
    monkeypatch.setattr(module, "ALIKE", 0.5)
    pairs = look_alikes(run, 0, ids)
    assert pairs and all(0.5 <= pair[2] <= 1.001 for pair in pairs) and ALIKE > 0.5
    assert {image_id for pair in pairs for image_id in pair[:2]} <= set(ids)
    assert look_alikes(run, 0, ids[:1]) == look_alikes(run, 0, []) == []
    with pytest.raises(ConfigError, match="no image 'nobody'"):
        look_alikes(run, 0, ["nobody"])


def test_look_alikes_ask_about_no_other_images_and_a_map_does_not_change_them(copied, monkeypatch):
    run, asked = copied(), []
    original = module._computed

    def noted(run, cycle, ids):
        asked.append(set(ids))
        return original(run, cycle, ids)

    monkeypatch.setattr(module, "_computed", noted)
    monkeypatch.setattr(module, "ALIKE", 0.01)
    selected, labeled = run.dataset.ids(run.selection(0)), run.dataset.ids(run.sets(0).labeled)
    before = look_alikes(run, 0, selected)
    shown = set(pool_features(run, 0).table["id"])
    assert asked == [{*selected, *labeled}, shown - {*selected, *labeled}] and asked[1]
    assert look_alikes(run, 0, selected) == before and len(before) == 1
    assert len(asked) == 2
