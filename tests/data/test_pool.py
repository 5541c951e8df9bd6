"""Index sets: disjoint, complete, repeatable; counts and fractions."""

from pathlib import Path

import numpy as np
import pytest

from miaod_nb.data.pool import (
    ids_by_source,
    initial_sets,
    next_sets,
    remaining_pool,
    resolve_count,
)
from miaod_nb.data.records import ImageRecord
from miaod_nb.errors import ConfigError


def test_initial_sets_are_the_ends_of_the_shuffle():
    shuffled = np.arange(50)
    np.random.RandomState(3).shuffle(shuffled)
    all_indices, labeled, sample = initial_sets(50, 5, seed=3)
    assert all_indices.tolist() == shuffled.tolist()
    assert labeled.tolist() == sorted(shuffled[:5])
    assert sample.tolist() == sorted(shuffled[-5:])


@pytest.mark.parametrize("num_labeled", [25, 26, 40, 50])
def test_large_initial_set_leaves_the_complement_and_tops_it_up(num_labeled):
    all_indices, labeled, sample = initial_sets(50, num_labeled, seed=0)
    assert all_indices.tolist() == initial_sets(50, 5, seed=0)[0].tolist()
    unlabeled = set(range(50)) - set(labeled)
    assert len(sample) == len(set(sample)) == num_labeled
    assert unlabeled <= set(sample) and sample.tolist() == sorted(sample)


def test_the_global_generator_is_left_alone():
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()
    all_indices, labeled, _ = initial_sets(50, 5, seed=3)
    next_sets(all_indices, labeled, remaining_pool(all_indices, labeled)[:5], seed=3)
    assert np.random.get_state()[1].tolist() == before


def test_next_sets_add_the_selection_and_sample_the_rest():
    all_indices, labeled, _ = initial_sets(50, 5, seed=0)
    arguments = all_indices.copy(), labeled.copy()
    selected = remaining_pool(all_indices, labeled)[[7, 3, 9]]
    now, sample = next_sets(all_indices, labeled, selected, seed=0)
    assert now.tolist() == sorted([*labeled, *selected])
    assert len(sample) == 8 and not set(sample) & set(now)
    assert (all_indices == arguments[0]).all() and (labeled == arguments[1]).all()
    assert next_sets(all_indices, labeled, selected, seed=1)[1].tolist() != sample.tolist()


def test_a_pool_used_up_is_replaced_by_labeled_images():
    all_indices, labeled, _ = initial_sets(8, 5, seed=0)
    now, sample = next_sets(all_indices, labeled, remaining_pool(all_indices, labeled), seed=0)
    assert now.tolist() == sample.tolist() == list(range(8))
    assert remaining_pool(all_indices, now).tolist() == []


@pytest.mark.parametrize(
    ("value", "total", "count"),
    [(0.05, 16551, 827), (0.025, 16551, 413), (0.29, 100, 29), (1, 100, 1), (100, 100, 100),
     (0.999, 10, 9)],
)  # fmt: skip
def test_resolve_count(value, total, count):
    assert resolve_count(value, total) == count


@pytest.mark.parametrize(("value", "total"), [(101, 100), (0.005, 100), (1, 0)])
def test_counts_that_do_not_fit_are_refused(value, total):
    with pytest.raises(ConfigError, match="initial = ") as error:
        resolve_count(value, total, "initial")
    assert error.value.where == "initial"


def test_ids_by_source_keeps_the_order_and_names_every_source():
    records = [
        ImageRecord(name, source, Path(), Path(), 64, 64)
        for name, source in (("a", "07"), ("b", "12"), ("c", "07"), ("d", "mine"))
    ]
    assert ids_by_source(records, [2, 1, 0]) == {"07": ["c", "a"], "12": ["b"], "mine": []}
