"""All metrics together, and what they refuse."""

import dataclasses
import json

import numpy as np
import pytest

from miaod_nb.boxes import Detections, Objects
from miaod_nb.errors import DataError
from miaod_nb.evaluation import (
    coco_ap,
    evaluate,
    headline,
    voc_ap,
)
from tests.evaluation.images import (
    BOX,
    found,
    random_set,
    truth,
    two_images,
)

METRICS = [
    "VOC07 AP@0.5 (11 points)",
    "VOC12 AP@0.5 (area)",
    "COCO AP@[.5:.95]",
    "COCO AP50",
    "COCO AP75",
]


def test_evaluate_gives_every_metric_by_its_full_name() -> None:
    result = evaluate(*two_images(), ["dog", "cat"])
    assert list(result.metrics) == [*METRICS, "COCO AP small"]  # no object is larger
    assert result.metrics["COCO AP small"] == pytest.approx(result.metrics["COCO AP@[.5:.95]"])
    assert result.metrics["VOC07 AP@0.5 (11 points)"] == pytest.approx((6 + 5 * 2 / 3) / 11)
    assert result.metrics["VOC12 AP@0.5 (area)"] == pytest.approx((1 + 2 / 3) / 2)
    assert result.metrics["COCO AP50"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    table = result.per_class
    assert list(table.columns) == ["class", "num_objects", "num_detections", *METRICS]
    assert table["class"].tolist() == ["dog", "cat"]
    assert table["num_objects"].tolist() == [2, 0]
    assert table["num_detections"].tolist() == [3, 0]
    assert table.loc[1, METRICS].isna().all()
    for name in METRICS:  # one class has objects: it is the mean
        assert table.loc[0, name] == pytest.approx(result.metrics[name])


def test_headline_is_the_metric_that_the_authors_published() -> None:
    assert headline("voc0712") == headline("voc0712_ssd") == "VOC07 AP@0.5 (11 points)"
    assert headline("coco") == "COCO AP@[.5:.95]"
    assert headline("voc") == headline("toy") == headline("tiny") == "VOC12 AP@0.5 (area)"


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_finite_and_survive_strict_json(seed: int) -> None:
    result = evaluate(*random_set(seed), ["a", "b", "c"])
    assert json.loads(json.dumps(result.metrics, allow_nan=False)) == result.metrics
    assert all(0 < value < 1 for value in result.metrics.values())


def test_objects_as_detections_are_perfect() -> None:
    _, truths = random_set(1)
    objects = [Objects(t.boxes, t.labels, np.zeros(len(t.labels), bool)) for t in truths]
    detections = [Detections(t.boxes, np.ones(len(t.labels), "f4"), t.labels) for t in truths]
    assert all(v == pytest.approx(1) for v in evaluate(detections, objects, "abc").metrics.values())


def test_nothing_found_is_zero() -> None:
    result = evaluate([found(), found()], [truth((BOX, 0)), truth()], ["dog"])
    assert set(result.metrics.values()) == {0.0}


ONLY_CROWD = dataclasses.replace(truth((BOX, 0)), crowd=np.array([True]))


@pytest.mark.parametrize("truths", [[], [truth()], [truth((BOX, 0, True))], [ONLY_CROWD]])
def test_set_without_object_is_refused(truths: list[Objects]) -> None:
    detections = [found((BOX, 0.9, 0)) for _ in truths]
    with pytest.raises(DataError, match="no object to evaluate against"):
        evaluate(detections, truths, ["dog"])


def test_coco_refuses_a_set_without_object() -> None:
    with pytest.raises(DataError, match="no object to evaluate against"):
        coco_ap([found((BOX, 0.9, 0))], [truth()], ["dog"])
    with pytest.raises(DataError, match="no object to evaluate against"):
        coco_ap([found((BOX, 0.9, 0))], [ONLY_CROWD], ["dog"])


@pytest.mark.parametrize("metric", [lambda d, t: voc_ap(d, t, 1), lambda d, t: coco_ap(d, t, "a")])
def test_input_that_does_not_fit_together_is_refused(metric) -> None:
    with pytest.raises(ValueError, match="2 images.* 1"):
        metric([found(), found()], [truth((BOX, 0))])
    with pytest.raises(ValueError, match="outside the 1 classes"):
        metric([found((BOX, 0.9, 1))], [truth((BOX, 0))])
    with pytest.raises(ValueError, match="outside the 1 classes"):
        metric([found()], [truth((BOX, -1), (BOX, 0))])
