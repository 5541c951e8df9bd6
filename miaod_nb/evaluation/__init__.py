"""VOC07, VOC12 and COCO metrics from plain boxes: numpy arrays in, numbers in [0, 1] out.

A class that no object belongs to has no average precision: its entry is NaN in arrays and in
`per_class` (an empty cell in CSV) and it is left out of every mean. Means are never NaN: a set
with nothing to evaluate against raises DataError instead. A class with objects of which none is
found has the value 0.

sets: what the metrics refuse: sets that do not fit together, or without anything to find
extrapolation: learning curves continued: what mAP more labels would probably bring
coco: COCO average precision over ten overlaps, by faster-coco-eval
statistics: what a few runs say of many: intervals, tests and areas under curves
voc: VOC average precision at one overlap: area under the curve, or mean over eleven points
resampling: what a detector would have reached on other test images: mAP of resamples
reliability: how far the scores of detections can be trusted, and how many of them are right
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from miaod_nb.boxes import Detections, Objects
from miaod_nb.evaluation.coco import CocoResult, coco_ap
from miaod_nb.evaluation.voc import VocResult, average_precision, voc_ap

__all__ = [
    "COCO_AP", "COCO_AP50", "COCO_AP75", "VOC07_AP", "VOC12_AP",
    "CocoResult", "Evaluation", "VocResult",
    "average_precision", "coco_ap", "evaluate", "headline", "voc_ap",
]  # fmt: skip

VOC07_AP = "VOC07 AP@0.5 (11 points)"
VOC12_AP = "VOC12 AP@0.5 (area)"
COCO_AP = "COCO AP@[.5:.95]"
COCO_AP50 = "COCO AP50"
COCO_AP75 = "COCO AP75"
HEADLINES = {"voc0712": VOC07_AP, "voc0712_ssd": VOC07_AP, "coco": COCO_AP}


def headline(preset: str) -> str:
    """Full name of the metric that the results of a preset are read by first: the one its authors
    published, else VOC12."""
    return HEADLINES.get(preset, VOC12_AP)


@dataclass(frozen=True)
class Evaluation:
    """Every metric by its full name: over all classes, and in a table with one row a class.

    COCO AP by the objects' size is told over all classes alone, for sizes that an object has.
    """

    metrics: dict[str, float]
    per_class: pd.DataFrame  # class, num_objects, num_detections, and a column a metric


def evaluate(
    detections: Sequence[Detections], truths: Sequence[Objects], classes: Sequence[str]
) -> Evaluation:
    """All metrics of a set of images; image i has `detections[i]` and `truths[i]`.

    `num_objects` leaves difficult objects and crowds out, as the VOC metrics do; the COCO metrics
    count difficult objects as ordinary ones. Raises DataError when no image has an object that is
    neither.
    """
    voc07 = voc_ap(detections, truths, len(classes), mode="voc07")
    voc12 = voc_ap(detections, truths, len(classes), mode="voc12")
    coco = coco_ap(detections, truths, classes)
    results = {
        VOC07_AP: (voc07.mean, voc07.ap),
        VOC12_AP: (voc12.mean, voc12.ap),
        COCO_AP: (coco["AP"], coco["per_class"]["AP"]),
        COCO_AP50: (coco["AP50"], coco["per_class"]["AP50"]),
        COCO_AP75: (coco["AP75"], coco["per_class"]["AP75"]),
    }
    counts = {
        "class": list(classes),
        "num_objects": voc12.num_truths,
        "num_detections": voc12.num_detections,
    }
    return Evaluation(
        metrics={name: mean for name, (mean, _) in results.items()}
        | {f"COCO AP {size}": mean for size, mean in coco["by_size"].items()},
        per_class=pd.DataFrame(counts | {name: values for name, (_, values) in results.items()}),
    )
