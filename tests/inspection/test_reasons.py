"""Why an image was chosen, in words that can be counted; what a batch shows."""

from collections.abc import Sequence

import numpy as np
import pytest

from miaod_nb.boxes import Detections
from miaod_nb.config import make_config
from miaod_nb.inspection import reasons
from miaod_nb.inspection.anchor_values import anchor_values
from miaod_nb.inspection.reasons import class_mix, is_told_by_anchors, places, where_in_words
from miaod_nb.inspection.values import AnchorValues
from miaod_nb.selection.registry import card_of

CLASSES = ("dog", "sheep")
LEFT, RIGHT, TOP = (0, 0, 10, 10), (20, 0, 30, 10), (40, 40, 50, 50)
Anchor = tuple[tuple[int, int, int, int], float, tuple[float, float], tuple[float, float]]


def values_of(anchors: Sequence[Anchor], detected: Sequence[tuple] = ()) -> AnchorValues:
    """anchors: box, discrepancy, probabilities of both classifiers; the largest first. detected:
    box and score."""
    boxes, discrepancies, probs_1, probs_2 = (list(c) for c in zip(*anchors, strict=True))
    found = Detections(
        np.array([box for box, _ in detected], np.float32).reshape(-1, 4),
        np.array([score for _, score in detected], np.float32),
        np.zeros(len(detected), np.int64),
    )
    assert discrepancies == sorted(discrepancies, reverse=True)
    return AnchorValues(
        id="a", size=(64, 64), grid=None, discrepancy=np.array(discrepancies, dtype=np.float32),
        weight=None, weighted=None, top=np.arange(len(anchors), dtype=np.int32),
        boxes=np.array(boxes, dtype=np.float32), probs_1=np.array(probs_1, dtype=np.float16),
        probs_2=np.array(probs_2, dtype=np.float16), weights=None, detections=found,
    )  # type: ignore[arg-type]  # fmt: skip


SHEEP = (LEFT, 0.4, (0.1, 0.75), (0.1, 0.25))
THREE = [
    SHEEP,
    (RIGHT, 0.3, (0.5, 0.1), (0.125, 0.1)),
    ((1, 0, 11, 10), 0.2, (0.0, 0.3), (0.0, 0.1)),  # the same place as the first
    (TOP, 0.1, (0.2, 0.5), (0.2, 0.25)),
]


def test_anchors_that_overlap_are_one_place():
    found = places(values_of(THREE, [(RIGHT, 0.9), (TOP, 0.2)]), k=4)
    assert [place.share for place in found] == pytest.approx([0.6, 0.1, 0.3])  # sheep first
    assert [(place.anchor, place.label) for place in found] == [(0, 1), (3, 1), (1, 0)]
    assert [(place.high, place.low) for place in found] == [(0.75, 0.25), (0.5, 0.25), (0.5, 0.125)]
    assert [place.detected for place in found] == [False, False, True]  # 0.2: not shown


def test_a_place_looks_like_one_class_and_another_may_be_disputed():
    both = (LEFT, 0.4, (0.34, 0.88), (0.12, 0.85))
    (place,) = places(values_of([both]), k=1)
    assert (place.label, place.disputed) == (1, 0)
    assert (place.high, place.low) == pytest.approx((0.34, 0.12), abs=1e-3)
    (place,) = places(values_of([(LEFT, 0.4, (0.5, 0.75), (0.5, 0.75))]), k=1)  # too close to tell
    assert (place.label, place.disputed) == (1, 1)


def test_only_anchors_that_make_the_score_count():
    found = places(values_of(THREE), k=2)
    assert [place.share for place in found] == pytest.approx([0.4 / 0.7, 0.3 / 0.7])
    many = [(LEFT, 1.0, (1, 0), (0, 0))] + [((60, i, 61, i + 1), 0.05, (0, 0), (0, 0))
                                            for i in range(60)]  # fmt: skip
    (place,) = places(values_of(many), k=61)
    assert place.share == pytest.approx(1 / 4)


def test_anchors_on_padding_have_no_place():
    values = values_of([((64, 0, 64, 10), 0.5, (0, 0), (0, 0)), SHEEP])
    (place,) = places(values, k=2)
    assert place.anchor == 1 and place.share == pytest.approx(0.4 / 0.9)


@pytest.mark.parametrize(
    ("anchors", "detected", "words"),
    [
        (THREE, [(LEFT, 0.9), (TOP, 0.3), (RIGHT, 0.3)],
         "the classifiers disagree on 3 boxes: 2 look like sheep (0.75 against 0.25), "
         "1 looks like dog (0.50 against 0.12)"),
        ([(LEFT, 0.4, (0.34, 0.88), (0.12, 0.85)), (TOP, 0.3, (0.1, 0.75), (0.1, 0.25)),
          (RIGHT, 0.2, (0.1, 0.8), (0.4, 0.8))], [(LEFT, 0.9), (TOP, 0.3), (RIGHT, 0.3)],
         "the classifiers disagree on 3 boxes: 2 look like sheep (disputed: dog, 0.34 against "
         "0.12), 1 looks like sheep (0.75 against 0.25)"),
        ([(LEFT, 0.4, (0.12, 0.88), (0.34, 0.85))], [],
         "the classifiers disagree on a box that looks like sheep (disputed: dog, 0.34 against "
         "0.12), not detected"),
        (THREE[:2], [(LEFT, 0.9)],
         "the classifiers disagree on 2 boxes: 1 looks like sheep (0.75 against 0.25), "
         "1 looks like dog (0.50 against 0.12); 1 not detected"),
        ([SHEEP], [],
         "the classifiers disagree on a box that looks like sheep (0.75 against 0.25), "
         "not detected"),
        ([(LEFT, 0.4, (0.09, 0.02), (0.01, 0.02)), SHEEP[:1] + (0.1,) + SHEEP[2:]], [(LEFT, 1.0)],
         "the classifiers disagree on a box that looks like nothing it knows"),
        ([((i, i, i + 1, i + 1), 0.01, (0.5, 0), (0, 0)) for i in range(40)], [],
         "the classifiers disagree a little over the whole image: no box stands out"),
        ([(LEFT, 0.0, (0.5, 0), (0.5, 0))], [],
         "the classifiers disagree nowhere: no box stands out"),
    ],
)  # fmt: skip
def test_the_where_in_words(anchors, detected, words):
    values = values_of(anchors, detected)
    assert where_in_words(values, CLASSES, k=len(anchors)) == words
    assert where_in_words(values, CLASSES, k=10_000) == words  # more than there are


@pytest.mark.parametrize(
    ("settings", "told"),
    [({}, True), ({"weighted_selection": True}, False), ({"strategy": "entropy"}, False)],
)
def test_scores_that_anchors_alone_explain(settings, told):
    config = make_config("tiny", settings)
    assert is_told_by_anchors(card_of(config.strategy), config) == told


@pytest.mark.parametrize("strategy", ["mi_aod", "random"])
def test_the_mix_of_classes_counts_the_batch_and_the_labels(
    copied, finished, monkeypatch, strategy
):
    monkeypatch.setattr(reasons, "SHOWN_SCORE", 0.01)  # this detector has learned little
    finished(strategy=strategy)
    run = copied(strategy=strategy)
    table = class_mix(run, 0).set_index("class")
    objects, _ = run.dataset.labeled_objects(run.sets(0), run.classes_of(0))
    ids = [run.dataset.pool[index].id for index in run.selection(0)]
    assert tuple(table.index) == run.dataset.classes and len(objects) == 4
    for label, name in enumerate(run.dataset.classes):
        labeled = sum(int((one.labels == label).sum()) for one in objects.values())
        seen = 0
        for image_id in ids:
            found = anchor_values(run, 0, image_id).detections
            seen += int(((found.labels == label) & (found.scores >= 0.01)).sum())
        assert (table.loc[name, "labeled"], table.loc[name, "batch"]) == (labeled, seen)
    assert table["labeled_percent"].sum() == pytest.approx(100)
    assert table["batch_percent"].sum() == pytest.approx(100)
