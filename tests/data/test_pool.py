"""Index sets: disjoint, complete, repeatable; counts and fractions."""

import math
from pathlib import Path

import numpy as np
import pytest

from miaod_nb.data.pool import (
    ids_by_source,
    initial_sets,
    next_sets,
    remaining_pool,
    resolve_count,
    scored_part,
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


@pytest.mark.parametrize("num_images", [1, 2, 5, 64, 65, 1000, 70_000])
def test_the_remaining_pool_is_in_the_order_of_a_set(num_images):
    """Also where no set is made for it: around three fifths left, and at both ends."""
    all_indices = np.random.default_rng(0).permutation(num_images)
    shares = [0, 0.01, 0.2, 0.39, 0.4, 0.41, 0.5, 0.8, 0.99, 1]
    exact = [num_images - math.ceil(0.6 * num_images) + step for step in (-1, 0, 1)]
    counts = {int(share * num_images) for share in shares} | {max(count, 0) for count in exact}
    for count in counts:
        labeled = np.sort(all_indices[:count])
        expected = list(set(all_indices.tolist()) - set(labeled.tolist()))
        remaining = remaining_pool(all_indices, labeled)
        assert remaining.tolist() == expected and remaining.dtype == np.int64, count


def test_a_pool_used_up_is_replaced_by_labeled_images():
    all_indices, labeled, _ = initial_sets(8, 5, seed=0)
    now, sample = next_sets(all_indices, labeled, remaining_pool(all_indices, labeled), seed=0)
    assert now.tolist() == sample.tolist() == list(range(8))
    assert remaining_pool(all_indices, now).tolist() == []


# numpy.random.RandomState(0).shuffle turns 0..9 into this order
SHUFFLED = [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]


def test_second_images_of_the_shuffle_train_without_labels_first():
    all_indices, labeled, sample = initial_sets(10, 3, seed=0, first_unlabeled="second")
    assert all_indices.tolist() == SHUFFLED
    assert labeled.tolist() == [2, 4, 8] and sample.tolist() == [1, 6, 9]
    assert initial_sets(10, 3, seed=0)[2].tolist() == [0, 3, 5]


def test_second_images_are_not_topped_up():
    assert initial_sets(10, 7, seed=0, first_unlabeled="second")[2].tolist() == [0, 3, 5]
    assert len(initial_sets(10, 7, seed=0)[2]) == 7


def test_later_samples_are_not_topped_up_when_that_is_asked():
    all_indices, labeled, _ = initial_sets(10, 4, seed=0)
    selected = np.array([7, 3])
    now, sample = next_sets(all_indices, labeled, selected, seed=0, top_up=False)
    assert now.tolist() == [2, 3, 4, 7, 8, 9] and sample.tolist() == [0, 1, 5, 6]
    topped_up = next_sets(all_indices, labeled, selected, seed=0)[1]
    assert len(topped_up) == 6 and set(topped_up) > set(sample)


def test_without_top_up_a_large_pool_gives_the_same_sample():
    all_indices, labeled, _ = initial_sets(50, 5, seed=0)
    selected = remaining_pool(all_indices, labeled)[:3]
    plain, other = (
        next_sets(all_indices, labeled, selected, seed=0, top_up=top_up) for top_up in (True, False)
    )
    assert plain[1].tolist() == other[1].tolist() and len(other[1]) == 8


def test_labeled_images_stand_in_where_all_are_labeled():
    """There would be nothing to train on without labels."""
    all_indices, labeled, sample = initial_sets(10, 10, seed=0, first_unlabeled="second")
    assert sample.tolist() == labeled.tolist() == list(range(10))
    all_indices, labeled, _ = initial_sets(10, 8, seed=0)
    sample = next_sets(all_indices, labeled, np.array([0, 5]), seed=0, top_up=False)[1]
    assert sample.tolist() == list(range(10))


def test_scored_part_is_drawn_by_seed_and_cycle_in_the_order_of_the_pool():
    pool = np.array([7, 3, 9, 1, 4, 0])
    part = scored_part(pool, 4, seed=1, cycle=0)
    drawn = np.random.default_rng([1, 0]).choice(6, 4, replace=False)
    assert part.tolist() == [pool[i] for i in sorted(drawn)] and len(set(part)) == 4
    assert scored_part(pool, 4, seed=1, cycle=0).tolist() == part.tolist()
    large = np.arange(1000)
    others = [scored_part(large, 100, *where).tolist() for where in ((1, 0), (1, 1), (2, 0))]
    assert others[0] != others[1] != others[2] != others[0]


@pytest.mark.parametrize("count", [6, 7, 1000])
def test_scored_part_is_at_most_the_pool(count):
    pool = np.array([7, 3, 9, 1, 4, 0])
    assert scored_part(pool, count, seed=1, cycle=0).tolist() == pool.tolist()


@pytest.mark.parametrize(
    ("value", "total", "count"),
    [(0.05, 16551, 827), (0.025, 16551, 413), (0.29, 100, 29), (1, 100, 1), (100, 100, 100),
     (0.999, 10, 9), (0.05, 12, 1), (0.005, 100, 1)],
)  # fmt: skip
def test_resolve_count(value, total, count):
    assert resolve_count(value, total) == count


@pytest.mark.parametrize(("value", "total"), [(101, 100), (0.5, 0), (1, 0)])
def test_counts_that_do_not_fit_are_refused(value, total):
    with pytest.raises(ConfigError, match="initial = ") as error:
        resolve_count(value, total, "initial")
    assert error.value.where == "initial"


def test_ids_by_source_keeps_the_order_and_names_every_source():
    records = [
        ImageRecord(name, source, Path(), 64, 64)
        for name, source in (("a", "07"), ("b", "12"), ("c", "07"), ("d", "mine"))
    ]
    assert ids_by_source(records, [2, 1, 0]) == {"07": ["c", "a"], "12": ["b"], "mine": []}
