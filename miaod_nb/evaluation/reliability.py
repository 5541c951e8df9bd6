"""How far the scores of detections can be trusted, and how many of them are right."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from miaod_nb.boxes import Detections, Objects
from miaod_nb.evaluation.voc import true_and_false


def judge(
    detections: Sequence[Detections], truths: Sequence[Objects], iou_threshold: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """The scores of all detections, best first, and which of them are true positives: (N,) each.

    A detection is true when it is the first to reach `iou_threshold` with an object of its class.
    Those of difficult objects and crowds are left out, as in the VOC metrics.
    """
    scores = np.concatenate([np.zeros(0, np.float32), *(found.scores for found in detections)])
    if not len(scores):
        return scores, np.zeros(0, dtype=bool)
    ranking = np.argsort(-scores, kind="stable")
    is_true, is_false = true_and_false(detections, truths, ranking, iou_threshold)
    counted = ranking[(is_true | is_false)[ranking]]
    return scores[counted], is_true[counted]


def reliability(scores: np.ndarray, is_true: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Detections by score, in `bins` equal parts of [0, 1]: `score` (mean), `precision` (share of
    true ones) and `detections` of each part that holds some."""
    part = np.minimum((scores * bins).astype(int), bins - 1)
    table = pd.DataFrame({"part": part, "score": scores, "precision": is_true.astype(float)})
    of_part = table.groupby("part")
    return of_part.mean().assign(detections=of_part.size()).reset_index(drop=True)


def calibration_error(table: pd.DataFrame) -> float:
    """Mean distance of score and precision over all detections of a `reliability` table, in
    [0, 1]; NaN without detections."""
    total = table["detections"].sum()
    gaps = (table["score"] - table["precision"]).abs() * table["detections"]
    return float(gaps.sum() / total) if total else float("nan")
