"""Plans: sizes, orientation groups, repetition, and images of one padded size together."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from miaod_nb.data.plans import inference_plan, pair_plans, training_plan
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.transforms import InputSize


def test_training_plan_fills_each_orientation_up_to_whole_batches():
    ids = [f"l{i}" for i in range(5)] + [f"p{i}" for i in range(3)]
    landscape = [True] * 5 + [False] * 3
    plan = training_plan(ids, landscape, 2, np.random.default_rng(0))
    assert [len(batch) for batch in plan] == [2] * 5
    assert all(len({image_id[0] for image_id in batch}) == 1 for batch in plan)
    counts = Counter(image_id for batch in plan for image_id in batch)
    assert set(counts) == set(ids) and counts.total() == 10 and max(counts.values()) == 2
    first_orientation = {
        training_plan(ids, landscape, 2, np.random.default_rng(seed))[0][0][0] for seed in range(9)
    }
    assert first_orientation == {"l", "p"}  # batches of both kinds are mixed


def test_training_plan_repeats_the_set():
    plan = training_plan(["a", "b", "c"], [True] * 3, 2, np.random.default_rng(0), passes=2)
    assert Counter(sum(plan, [])) == {"a": 2, "b": 2, "c": 2}
    longer = training_plan(["a", "b", "c"], [True] * 3, 2, np.random.default_rng(0), min_steps=4)
    assert len(longer) == 4 and set(Counter(sum(longer, [])).values()) <= {2, 3, 4}
    enough = training_plan(["a", "b", "c"], [True] * 3, 2, np.random.default_rng(0), min_steps=2)
    assert len(enough) == 2  # never less than a pass
    assert training_plan([], [], 2, np.random.default_rng(0), min_steps=4) == []


def test_training_plan_of_fewer_images_than_a_batch():
    plan = training_plan(["a"], [False], 4, np.random.default_rng(0))
    assert plan == [["a"] * 4]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
@pytest.mark.parametrize(("passes", "min_steps"), [(1, 0), (2, 0), (1, 30), (3, 17)])
@pytest.mark.parametrize("every", [1, 2, 7, 401])  # one portrait in so many: all, half, some, none
def test_steps_never_fall_when_labels_grow(batch_size, passes, min_steps, every):
    """Exactly as many as the images make, or `min_steps`: sets are not rounded up to passes."""
    ids, rng = [str(i) for i in range(400)], np.random.default_rng(0)
    landscape = [bool((i + 1) % every) for i in range(400)]
    before = 0
    for count in range(1, 401):
        of_both = (landscape[:count].count(wanted) for wanted in (False, True))
        natural = sum(-(-passes * images // batch_size) for images in of_both)
        steps = max(natural, min_steps)
        assert steps >= before
        before = steps
        if count % 13 == 1:  # the plan itself, at some of the counts
            plan = training_plan(
                ids[:count], landscape[:count], batch_size, rng, passes=passes, min_steps=min_steps
            )
            assert len(plan) == steps


def test_pairs_are_as_many_as_the_longer_plan_has():
    assert pair_plans([1, 2], [3, 4, 5, 6, 7]) == ([1, 2, 1, 2, 1], [3, 4, 5, 6, 7])
    assert pair_plans([1, 2], [3]) == ([1, 2], [3, 3])
    with pytest.raises(ValueError, match="0 unlabeled"):
        pair_plans([1], [])


def test_inference_plan_joins_images_of_one_padded_size():
    sizes = [(64, 48), (48, 64)] * 3  # landscape, portrait, landscape ...
    records = [ImageRecord(str(i), "07", Path(), *size) for i, size in enumerate(sizes)]
    assert inference_plan(records, InputSize(64, 32), 2) == [[0, 2], [1, 3], [4], [5]]
    all_padded_alike = inference_plan(records, InputSize(64, 64), 4)
    assert all_padded_alike == [[0, 1, 2, 3], [4, 5]]
    assert inference_plan(records, InputSize(64, 32), 1) == [[i] for i in range(6)]
    assert inference_plan([], InputSize(64, 64), 2) == []
