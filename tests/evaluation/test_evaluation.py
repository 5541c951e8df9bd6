"""Metrics: hand-computed values, agreement with a plain loop and with pycocotools, objects that
are difficult or crowds, empty input."""

import contextlib
import dataclasses
import io
import json
import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from miaod_nb.boxes import Detections, Objects
from miaod_nb.errors import DataError
from miaod_nb.evaluation import (
    average_precision,
    coco_ap,
    evaluate,
    headline,
    voc_ap,
)

METRICS = [
    "VOC07 AP@0.5 (11 points)",
    "VOC12 AP@0.5 (area)",
    "COCO AP@[.5:.95]",
    "COCO AP50",
    "COCO AP75",
]
BOX = (10, 10, 30, 30)
ELSEWHERE = (60, 60, 90, 90)


def found(*rows: tuple) -> Detections:
    """Detections of one image from rows of (box, score, label)."""
    return Detections(
        np.array([box for box, _, _ in rows], dtype=np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in rows], dtype=np.float32),
        np.array([label for _, _, label in rows], dtype=np.int64),
    )


def truth(*rows: tuple) -> Objects:
    """Objects of one image from rows of (box, label) or (box, label, difficult)."""
    return Objects(
        np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2:] == (True,) for row in rows], dtype=bool),
    )


def random_set(seed: int, num_images: int = 12, num_classes: int = 3) -> tuple[list, list]:
    """Little images with duplicates, shifted boxes, tied scores, difficult objects, or nothing."""
    rng = np.random.default_rng(seed)
    detections, truths = [], []
    for _ in range(num_images):
        num_truths, num_random = rng.integers(0, 6, 2)
        boxes = _random_boxes(rng, num_truths)
        labels = rng.integers(0, num_classes, num_truths)
        truths.append(Objects(boxes, labels, rng.random(num_truths) < 0.25))
        seen = rng.integers(0, num_truths, 2 * num_truths)  # some objects twice, some never
        shifted = boxes[seen] + rng.integers(-1, 2, (len(seen), 4))
        all_boxes = np.vstack([shifted, _random_boxes(rng, num_random)]).astype(np.float32)
        all_labels = np.append(labels[seen], rng.integers(0, num_classes, num_random))
        scores = (rng.integers(0, 10, len(all_labels)) / 10).astype(np.float32)
        detections.append(Detections(all_boxes, scores, all_labels))
    return detections, truths


def _random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.integers(0, 12, (count, 2))
    return np.hstack([corner, corner + rng.integers(4, 12, (count, 2))]).astype(np.float32)


def loop_ap(detections: list, truths: list, label: int, threshold: float) -> float:
    """VOC12 average precision of one class, one detection after the other."""

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        both = max(width, 0) * max(height, 0)
        return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)

    rows = [
        (-float(item.scores[k]), image, k)
        for image, item in enumerate(detections)
        for k in range(len(item.labels))
        if item.labels[k] == label
    ]
    total = sum(int(((t.labels == label) & ~t.difficult).sum()) for t in truths)
    taken, hits, points = set(), 0, []
    for _, image, k in sorted(rows):
        objects, box = truths[image], detections[image].boxes[k]
        best = max(
            (
                (overlap(box, objects.boxes[g]), not objects.difficult[g], -g)
                for g in range(len(objects.labels))
                if objects.labels[g] == label
            ),
            default=(0.0, True, 0),
        )
        is_hit = best[0] >= threshold
        if is_hit and not best[1]:
            continue
        is_true = is_hit and (image, best[2]) not in taken
        hits += is_true
        if is_true:
            taken.add((image, best[2]))
        points.append((hits / total, hits / (len(points) + 1)))
    area, reached = 0.0, 0.0
    for i, (recall, _) in enumerate(points):
        area += (recall - reached) * max(precision for _, precision in points[i:])
        reached = recall
    return area


def crowded_set(seed: int, num_images: int = 40, num_classes: int = 5) -> tuple[list, list]:
    """Images with crowds, areas of all sizes that are not those of the boxes, difficult objects,
    tied scores, images without objects or detections; the last class has detections alone."""
    rng = np.random.default_rng(seed)
    detections, truths = random_set(seed, num_images, num_classes - 1)
    for i, (seen, objects) in enumerate(zip(detections, truths, strict=True)):
        count, scale = len(objects.labels), rng.choice([1, 4, 16])
        truths[i] = dataclasses.replace(
            objects, boxes=objects.boxes * scale, crowd=rng.random(count) < 0.2,
            area=objects.area * scale**2 * rng.uniform(0.3, 1, count),
        )  # fmt: skip
        labels = np.where(rng.random(len(seen.labels)) < 0.1, num_classes - 1, seen.labels)
        jitter = rng.normal(0, 0.3, seen.boxes.shape)
        boxes = ((seen.boxes + jitter) * scale).astype(np.float32)
        detections[i] = dataclasses.replace(seen, boxes=boxes, labels=labels)
    return detections, truths


def arbiter(detections: list, truths: list, num_classes: int) -> COCOeval:
    """What pycocotools makes of the same boxes; its prints are left out."""
    indices = []
    for items in (truths, detections):
        index, annotations = COCO(), []
        for image, item in enumerate(items):
            for k, (x1, y1, x2, y2) in enumerate(item.boxes.astype(float)):
                entry = {"id": len(annotations) + 1, "image_id": image, "iscrowd": 0}
                entry |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
                entry["category_id"] = int(item.labels[k])
                if isinstance(item, Objects):
                    entry |= {"iscrowd": int(item.crowd[k]), "area": float(item.area[k])}
                else:
                    entry["score"] = float(item.scores[k])
                annotations.append(entry)
        categories = [{"id": label} for label in range(num_classes)]
        images = [{"id": image} for image in range(len(items))]
        index.dataset = {"images": images, "categories": categories, "annotations": annotations}
        indices.append(index)
    with contextlib.redirect_stdout(io.StringIO()):
        for index in indices:
            index.createIndex()
        evaluator = COCOeval(*indices, "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator


# ---------------------------------------------------------------- average precision of a curve


def test_area_uses_the_best_precision_at_equal_or_higher_recall() -> None:
    recall, precision = np.array([0.25, 0.25, 0.5, 0.75]), np.array([1.0, 0.5, 2 / 3, 0.75])
    assert average_precision(recall, precision, "voc12") == pytest.approx(0.25 + 0.5 * 0.75)


def test_eleven_points_average_the_best_precision_at_each_recall() -> None:
    recall, precision = np.array([0.5, 0.5, 1.0]), np.array([1.0, 0.5, 2 / 3])
    assert average_precision(recall, precision, "voc07") == pytest.approx((6 + 5 * 2 / 3) / 11)


def test_recall_of_exactly_three_tenths_misses_the_fourth_point_as_in_the_authors_code() -> None:
    assert average_precision(np.array([3 / 10]), np.ones(1), "voc07") == pytest.approx(3 / 11)
    assert average_precision(np.array([2 / 10]), np.ones(1), "voc07") == pytest.approx(3 / 11)


@pytest.mark.parametrize("mode", ["voc07", "voc12"])
def test_curves_without_points_and_perfect_ones(mode: str) -> None:
    assert average_precision(np.empty(0), np.empty(0), mode) == 0
    assert average_precision(np.array([0.5, 1]), np.ones(2), mode) == pytest.approx(1)


# ---------------------------------------------------------------- VOC matching


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.75])
def test_voc12_equals_a_plain_loop(seed: int, threshold: float) -> None:
    detections, truths = random_set(seed)
    result = voc_ap(detections, truths, 3, threshold)
    assert (result.num_truths > 0).all()
    expected = [loop_ap(detections, truths, label, threshold) for label in range(3)]
    assert max(expected) > 0
    np.testing.assert_allclose(result.ap, expected, atol=1e-12)
    assert result.mean == pytest.approx(np.mean(expected))


def test_second_detection_of_an_object_is_a_false_positive() -> None:
    result = voc_ap([found((BOX, 0.9, 0), (BOX, 0.8, 0))], [truth((BOX, 0))], 1)
    np.testing.assert_allclose(result.recall[0], [1, 1])
    np.testing.assert_allclose(result.precision[0], [1, 0.5])


def test_a_better_scored_detection_of_a_later_image_comes_first() -> None:
    detections = [found((ELSEWHERE, 0.5, 0)), found((BOX, 0.9, 0))]
    result = voc_ap(detections, [truth((BOX, 0)), truth((BOX, 0))], 1)
    np.testing.assert_allclose(result.precision[0], [1, 0.5])
    assert result.mean == pytest.approx(0.5)


def test_overlap_of_exactly_the_threshold_matches_and_sides_get_no_extra_pixel() -> None:
    half = (10, 10, 30, 20)  # IoU with BOX is 200 / 400; with +1 on sides it would be 231 / 441
    assert voc_ap([found((half, 0.9, 0))], [truth((BOX, 0))], 1, 0.5).mean == 1
    assert voc_ap([found((half, 0.9, 0))], [truth((BOX, 0))], 1, 0.51).mean == 0


def test_another_class_does_not_match() -> None:
    result = voc_ap([found((BOX, 0.9, 1))], [truth((BOX, 0))], 2)
    assert result.ap[0] == 0 and math.isnan(result.ap[1])
    assert result.mean == 0
    np.testing.assert_array_equal(result.num_detections, [0, 1])


def test_difficult_objects_count_nowhere_in_voc() -> None:
    plain = voc_ap([found((BOX, 0.5, 0))], [truth((BOX, 0))], 1)
    objects = truth((ELSEWHERE, 0, True), (BOX, 0))
    twice = found((ELSEWHERE, 0.9, 0), (ELSEWHERE, 0.8, 0), (BOX, 0.5, 0))
    ignored = voc_ap([twice], [objects], 1)
    assert ignored.mean == plain.mean == 1
    np.testing.assert_array_equal(ignored.num_truths, [1])
    np.testing.assert_allclose(ignored.precision[0], [0, 0, 1])
    missed = voc_ap([found((BOX, 0.5, 0))], [objects], 1)
    assert missed.mean == 1


def test_difficult_object_does_not_hide_one_with_the_same_box() -> None:
    assert voc_ap([found((BOX, 0.9, 0))], [truth((BOX, 0, True), (BOX, 0))], 1).mean == 1


def test_order_of_images_does_not_matter_without_tied_scores() -> None:
    detections, truths = random_set(3)
    scores = np.random.default_rng(0).permutation(sum(len(d.labels) for d in detections)) / 1000
    ends = np.cumsum([len(d.labels) for d in detections])[:-1]
    detections = [
        dataclasses.replace(item, scores=part)
        for item, part in zip(detections, np.split(scores, ends), strict=True)
    ]
    forward = voc_ap(detections, truths, 3)
    backward = voc_ap(detections[::-1], truths[::-1], 3)
    np.testing.assert_allclose(forward.ap, backward.ap)


# ---------------------------------------------------------------- COCO


def two_images() -> tuple[list[Detections], list[Objects]]:
    """Class 0: one object an image; found, missed by a false one, then found loosely."""
    loose = (10, 10, 30, 22.5)  # IoU with BOX: 250 / 400 = 0.625
    detections = [found((BOX, 0.9, 0)), found((ELSEWHERE, 0.8, 0), (loose, 0.7, 0))]
    return detections, [truth((BOX, 0)), truth((BOX, 0))]


def test_coco_values_computed_by_hand() -> None:
    detections, truths = two_images()
    result = coco_ap(detections, truths, ["dog"])
    both = (51 + 50 * 2 / 3) / 101  # recall 0, .01, ..., .5 at precision 1, the rest at 2/3
    one = 51 / 101
    assert result["AP50"] == pytest.approx(both)
    assert result["AP75"] == pytest.approx(one)
    assert result["AP"] == pytest.approx((3 * both + 7 * one) / 10)  # found up to IoU .6


@pytest.mark.parametrize(("bottom", "ap75", "ap"), [(24.4, 0, 5 / 10), (25.4, 1, 6 / 10)])
def test_coco_ap75_needs_an_overlap_of_three_quarters(bottom: float, ap75: int, ap: float) -> None:
    near = (10, 10, 30, bottom)  # IoU with BOX: 0.72 and 0.77
    result = coco_ap([found((near, 0.9, 0))], [truth((BOX, 0))], ["dog"])
    assert result["AP50"] == pytest.approx(1)
    assert result["AP75"] == pytest.approx(ap75)
    assert result["AP"] == pytest.approx(ap)


def test_coco_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    coco_ap(*two_images(), ["dog"])
    assert capfd.readouterr() == ("", "")


def test_difficult_objects_are_ordinary_in_coco() -> None:
    objects = truth((BOX, 0), (ELSEWHERE, 0, True))
    missed = coco_ap([found((BOX, 0.9, 0))], [objects], ["dog"])
    assert missed["AP50"] == pytest.approx(51 / 101)
    both = coco_ap([found((BOX, 0.9, 0), (ELSEWHERE, 0.8, 0))], [objects], ["dog"])
    assert both["AP"] == pytest.approx(1)


def test_coco_per_class_means_leave_absent_classes_out() -> None:
    detections = [found((BOX, 0.9, 0), (BOX, 0.8, 2))]
    result = coco_ap(detections, [truth((BOX, 0), (ELSEWHERE, 1))], ["dog", "cat", "cow"])
    for name in ("AP", "AP50", "AP75"):
        np.testing.assert_allclose(result["per_class"][name], [1, 0, np.nan])
        assert result[name] == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(6))
def test_coco_equals_pycocotools(seed: int) -> None:
    detections, truths = crowded_set(seed)
    assert any(t.crowd.any() for t in truths) and any(len(t.labels) == 0 for t in truths)
    expected = arbiter(detections, truths, 5)
    result = coco_ap(detections, truths, "abcde")
    means = [result["AP"], result["AP50"], result["AP75"], *result["by_size"].values()]
    assert list(result["by_size"]) == ["small", "medium", "large"] and min(means) > 0
    np.testing.assert_allclose(means, expected.stats[:6], rtol=0, atol=1e-9)
    curves = expected.eval["precision"][..., 0, -1]  # of all sizes, 100 detections
    per_class = np.where(curves[0, 0] < 0, np.nan, curves.mean(axis=1))
    for name, values in (("AP", per_class.mean(0)), ("AP50", per_class[0]), ("AP75", per_class[5])):
        np.testing.assert_allclose(result["per_class"][name], values, rtol=0, atol=1e-9)
        assert np.isnan(values).tolist() == [False] * 4 + [True]


def test_more_than_100_detections_are_cut_as_pycocotools_does() -> None:
    rng = np.random.default_rng(0)
    boxes = _random_boxes(rng, 250)
    scores = (rng.integers(0, 50, 250) / 50).astype(np.float32)
    detections = [Detections(boxes, scores, np.zeros(250, int))]
    truths = [Objects(boxes[::5], np.zeros(50, int), np.zeros(50, bool))]
    result = coco_ap(detections, truths, "a")
    expected = arbiter(detections, truths, 1).stats
    np.testing.assert_allclose([result["AP"], result["AP50"]], expected[:2], rtol=0, atol=1e-9)


def crowd(*boxes: tuple) -> Objects:
    """Objects of class 0, all but the first of them crowds."""
    objects = truth(*((box, 0) for box in boxes))
    return dataclasses.replace(objects, crowd=np.arange(len(boxes)) > 0)


def test_detections_in_a_crowd_are_neither_right_nor_wrong() -> None:
    inside = [((60, 60, 70 + k, 90), 0.9, 0) for k in range(3)]  # small parts of the crowd
    detections = [found(*inside, (BOX, 0.8, 0))]
    assert coco_ap(detections, [crowd(BOX, ELSEWHERE)], ["dog"])["AP"] == pytest.approx(1)
    assert coco_ap(detections, [truth((BOX, 0))], ["dog"])["AP"] < 0.3
    missed = coco_ap([found((BOX, 0.8, 0))], [crowd(BOX, ELSEWHERE)], ["dog"])
    assert missed["AP"] == pytest.approx(1)


def test_crowds_count_nowhere_in_voc() -> None:
    objects = crowd(BOX, ELSEWHERE)
    result = voc_ap([found((ELSEWHERE, 0.9, 0), (ELSEWHERE, 0.8, 0), (BOX, 0.5, 0))], [objects], 1)
    assert result.mean == 1
    np.testing.assert_array_equal(result.num_truths, [1])
    assert evaluate([found()], [objects], ["dog"]).per_class["num_objects"].tolist() == [1]


def test_sizes_are_those_of_the_area_and_left_out_without_an_object() -> None:
    objects = dataclasses.replace(
        truth((BOX, 0), (ELSEWHERE, 0)), area=np.array([32.0**2 + 1, 96.0**2 + 1])
    )
    result = coco_ap([found((BOX, 0.9, 0))], [objects], ["dog"])
    assert result["by_size"] == {"medium": pytest.approx(1), "large": 0}
    by_box = coco_ap([found((BOX, 0.9, 0))], [truth((BOX, 0))], ["dog"])["by_size"]
    assert by_box == {"small": pytest.approx(1)}


# ---------------------------------------------------------------- all metrics together


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
