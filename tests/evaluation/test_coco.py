"""COCO average precision, against values by hand and pycocotools."""

import contextlib
import dataclasses
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from miaod_nb.boxes import Detections, Objects
from miaod_nb.evaluation import (
    coco_ap,
)
from tests.evaluation.images import (
    BOX,
    ELSEWHERE,
    crowd,
    found,
    random_boxes,
    random_set,
    truth,
    two_images,
)


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
    boxes = random_boxes(rng, 250)
    scores = (rng.integers(0, 50, 250) / 50).astype(np.float32)
    detections = [Detections(boxes, scores, np.zeros(250, int))]
    truths = [Objects(boxes[::5], np.zeros(50, int), np.zeros(50, bool))]
    result = coco_ap(detections, truths, "a")
    expected = arbiter(detections, truths, 1).stats
    np.testing.assert_allclose([result["AP"], result["AP50"]], expected[:2], rtol=0, atol=1e-9)


def test_detections_in_a_crowd_are_neither_right_nor_wrong() -> None:
    inside = [((60, 60, 70 + k, 90), 0.9, 0) for k in range(3)]  # small parts of the crowd
    detections = [found(*inside, (BOX, 0.8, 0))]
    assert coco_ap(detections, [crowd(BOX, ELSEWHERE)], ["dog"])["AP"] == pytest.approx(1)
    assert coco_ap(detections, [truth((BOX, 0))], ["dog"])["AP"] < 0.3
    missed = coco_ap([found((BOX, 0.8, 0))], [crowd(BOX, ELSEWHERE)], ["dog"])
    assert missed["AP"] == pytest.approx(1)


def test_sizes_are_those_of_the_area_and_left_out_without_an_object() -> None:
    objects = dataclasses.replace(
        truth((BOX, 0), (ELSEWHERE, 0)), area=np.array([32.0**2 + 1, 96.0**2 + 1])
    )
    result = coco_ap([found((BOX, 0.9, 0))], [objects], ["dog"])
    assert result["by_size"] == {"medium": pytest.approx(1), "large": 0}
    by_box = coco_ap([found((BOX, 0.9, 0))], [truth((BOX, 0))], ["dog"])["by_size"]
    assert by_box == {"small": pytest.approx(1)}
