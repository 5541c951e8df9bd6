"""Strategies that go by boxes and scores alone, of whatever detector."""

from dataclasses import replace

import numpy as np
import pytest

from miaod_nb.boxes import Detections
from miaod_nb.config import make_config
from miaod_nb.selection.least_confidence import LeastConfidence
from miaod_nb.selection.margin import Margin, margins
from miaod_nb.selection.outputs import DOUBTFUL, Outputs
from miaod_nb.selection.protocol import Candidates, Choice


def outputs(
    scores: list[float], labels: list[int], class_scores: list[list[float]] | None = None,
    num_classes: int = 3,
) -> Outputs:  # fmt: skip
    boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (len(scores), 1))
    found = Detections(boxes, np.array(scores, np.float32), np.array(labels, np.int64))
    every = None if class_scores is None else np.array(class_scores, np.float32)
    return Outputs(found, num_classes, every)


THREE = outputs(
    [0.75, 0.5, 0.25], [0, 0, 2],
    [[0.75, 0.25, 0.0], [0.5, 0.5, 0.125], [0.125, 0.0, 0.25]],
)  # fmt: skip


@pytest.mark.parametrize(
    ("how", "of_image", "of_classes"),
    [
        ("mean", 0.5, [0.375, 0, 0.75]), ("max", 0.75, [0.5, 0, 0.75]),
        ("sum", 1.5, [0.75, 0, 0.75]),
    ],
)  # fmt: skip
def test_least_confidence_by_hand(how, of_image, of_classes):
    rule = LeastConfidence(make_config("tiny", {"instance_aggregate": how}))
    seen = rule.see(THREE)
    assert seen["score"] == of_image and seen["per_class"].tolist() == of_classes


@pytest.mark.parametrize(
    ("how", "of_image", "of_classes"),
    [
        ("mean", 2.375 / 3, [0.75, 0, 0.875]), ("max", 1.0, [1.0, 0, 0.875]),
        ("sum", 2.375, [1.5, 0, 0.875]),
    ],
)  # fmt: skip
def test_margin_by_hand(how, of_image, of_classes):
    """The two best classes are 0.5, 0 and 0.125 apart."""
    rule = Margin(make_config("tiny", {"instance_aggregate": how}))
    seen = rule.see(THREE)
    assert seen["score"] == pytest.approx(of_image) and seen["per_class"].tolist() == of_classes


@pytest.mark.parametrize(
    "alone", [outputs([0.75, 0.5, 0.2], [0, 1, 2]), outputs([0.75, 0.5, 0.2], [0] * 3, None, 1)]
)
def test_where_one_score_is_known_the_next_best_is_the_background(alone):
    np.testing.assert_allclose(margins(alone), [0.5, 0.0, 0.6], atol=1e-6)


@pytest.mark.parametrize("kind", [LeastConfidence, Margin])
def test_an_image_without_boxes_has_nothing_doubtful(kind):
    seen = kind(make_config("tiny")).see(outputs([], []))
    assert seen["score"] == 0 and seen["per_class"].tolist() == [0, 0, 0]


def test_scores_of_the_other_classes_are_0_where_nobody_gives_them():
    assert outputs([0.75, 0.5], [2, 0]).every_score.tolist() == [[0, 0, 0.75], [0.5, 0, 0]]


def test_reasons_name_the_most_doubtful_boxes():
    strategy = LeastConfidence(make_config("tiny", {"instance_aggregate": "max"}))
    images = {
        "four": outputs([0.9, 0.75, 0.5, 0.25], [0, 1, 2, 0]), "one": outputs([0.5], [1]),
        "none": outputs([], []),
    }  # fmt: skip
    seen = {i: strategy.see(one) for i, one in images.items()}
    names = strategy.card.columns
    columns = {name: np.stack([one[name] for one in seen.values()]) for name in names}
    pool = Candidates.of_all(list(seen), columns=columns, classes=["cat", "dog", "cow"])
    choice = strategy.choose(pool, 3, np.random.default_rng())
    assert choice.ids == ["four", "one", "none"]
    assert choice.reasons == [
        "its detections have the lowest scores: cat 0.25, cow 0.50, dog 0.75",
        "its detections have the lowest scores: dog 0.50",
        "the detector finds nothing in it",
    ]
    unnamed = strategy.choose(replace(pool, classes=()), 2, np.random.default_rng())
    assert unnamed.reasons[1].endswith("class 1 0.50")
    del columns[DOUBTFUL]  # scored by an earlier version
    assert strategy.choose(pool, 3, np.random.default_rng()) == Choice(choice.ids)
