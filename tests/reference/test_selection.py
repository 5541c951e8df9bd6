"""The labeled and unlabeled sets of every cycle equal those of the authors' code."""

from pathlib import Path

import numpy as np
import pytest

from miaod_nb.boxes import Detections
from miaod_nb.data.pool import ids_by_source, initial_sets, next_sets, remaining_pool
from miaod_nb.data.records import ImageRecord
from miaod_nb.selection.box_features import BoxSets
from miaod_nb.selection.cdal import mixture_distances
from miaod_nb.selection.k_center import k_center_greedy
from miaod_nb.selection.k_medoids import k_medoids
from miaod_nb.selection.matching_distance import matching_distances
from miaod_nb.selection.outputs import Outputs
from miaod_nb.selection.ppal import calibrated_uncertainty, class_weights
from miaod_nb.selection.protocol import Candidates, choose_highest


@pytest.fixture
def golden(load_golden):
    return load_golden("selection.npz")


def _cycles(golden) -> range:
    return range(sum(name.endswith("/X_L") for name in golden))


def test_initial_sets(golden):
    all_indices, labeled, sample = initial_sets(
        int(golden["N"]), int(golden["X_L_0_size"]), int(golden["seed"])
    )
    np.testing.assert_array_equal(all_indices, golden["X_all"])
    np.testing.assert_array_equal(labeled, golden["cycle0/X_L"])
    np.testing.assert_array_equal(sample, golden["cycle0/X_U"])


def test_each_selection_leads_to_the_next_cycle(golden):
    selections = [c for c in _cycles(golden) if f"cycle{c}/X_S" in golden]
    assert len(selections) >= 2
    for cycle in selections:
        labeled = golden[f"cycle{cycle}/X_L"]
        pool = remaining_pool(golden["X_all"], labeled)
        np.testing.assert_array_equal(pool, golden[f"cycle{cycle}/remaining_in_set_order"])

        scores = golden[f"cycle{cycle}/uncertainty"][pool]
        candidates = Candidates.of_all(list(map(str, pool)), columns={"score": scores})
        chosen = choose_highest(candidates, "score", int(golden["X_S_size"]))
        selected = np.array([int(image_id) for image_id in reversed(chosen.ids)])
        np.testing.assert_array_equal(np.sort(selected), golden[f"cycle{cycle}/X_S"])

        labeled, sample = next_sets(golden["X_all"], labeled, selected, int(golden["seed"]))
        np.testing.assert_array_equal(labeled, golden[f"cycle{cycle + 1}/X_L"])
        np.testing.assert_array_equal(sample, golden[f"cycle{cycle + 1}/X_U"])


def test_id_lists(golden):
    num_07 = int(golden["n07"])
    ids = [f"{i:06d}" if i < num_07 else f"2008_{i - num_07:06d}" for i in range(int(golden["N"]))]
    records = [
        ImageRecord(name, "07" if i < num_07 else "12", Path(), 64, 64)
        for i, name in enumerate(ids)
    ]
    for cycle in (c for c in _cycles(golden) if f"cycle{c}/files_X_L_07" in golden):
        for images in ("L", "U"):
            lists = ids_by_source(records, golden[f"cycle{cycle}/X_{images}"])
            assert set(lists) == {"07", "12"}
            for source, listed in lists.items():
                assert listed == golden[f"cycle{cycle}/files_X_{images}_{source}"].tolist()


def test_k_center_greedy(load_golden):
    golden = load_golden("strategies.npz")
    distances, first = golden["ppal_distance"], int(golden["k_center_greedy_first"])
    found, _ = k_center_greedy(distances[first], lambda i: distances[i], int(golden["K"]) - 1)
    assert [first, *found] == golden["k_center_greedy"].tolist()


def test_k_medoids(load_golden):
    golden = load_golden("strategies.npz")
    first, count = int(golden["k_center_greedy_first"]), int(golden["K"])
    found = k_medoids(golden["ppal_distance"], count, first)
    assert sorted(found) == sorted(golden["k_medoids"].tolist())


def test_weights_of_classes_in_ppal(load_golden):
    golden = load_golden("strategies.npz")
    np.testing.assert_allclose(class_weights(golden["class_quality"]), golden["class_weight"])


def test_uncertainty_of_images_in_ppal(load_golden):
    """All boxes of score 0.05 and more count; the reference asks for no size."""
    golden = load_golden("strategies.npz")
    for i, expected in enumerate(golden["ppal_image_uncertainty"]):
        kept = golden["scores"][i] >= 0.05
        boxes = np.tile(np.array([0, 0, 32, 32], np.float32), (kept.sum(), 1))
        image = Detections(boxes, golden["scores"][i][kept], golden["labels"][i][kept])
        parts = calibrated_uncertainty(Outputs(image, 6), golden["class_weight"])
        assert parts.sum() == pytest.approx(expected, rel=1e-5)


def test_distances_of_images_in_ppal(load_golden):
    """Not as released: there, boxes of equal place are at distance 0 in every pair of images."""
    golden = load_golden("strategies.npz")
    found = matching_distances(BoxSets(golden["labels"], golden["scores"], golden["feats"]))
    np.testing.assert_allclose(found, golden["ppal_distance"], atol=1e-5)
    assert np.abs(found - golden["ppal_distance_as_released"]).max() > 0.1


def test_contextual_diversity(load_golden):
    golden = load_golden("strategies.npz")
    mixtures = golden["cdal_mixtures"]
    found = np.stack([mixture_distances(mixtures, one) for one in mixtures])
    np.testing.assert_allclose(found, golden["cdal_pair_distance"], rtol=1e-9)
    assert (found.diagonal() == 0).all()
