"""VOC metrics against those of the authors' implementation."""

from collections.abc import Callable

import numpy as np
import pytest

from miaod_nb.boxes import Detections, Objects
from miaod_nb.evaluation import VocResult, voc_ap

TOLERANCE = 1e-6
Npz = np.lib.npyio.NpzFile
MODES = {"voc07": "voc07", "area": "voc12"}  # the authors' name -> ours


@pytest.fixture(scope="module")
def golden(load_golden: Callable[[str], Npz]) -> Npz:
    return load_golden("map.npz")


@pytest.fixture(scope="module")
def results(golden: Npz) -> dict[str, VocResult]:
    """Our result for each `<mode>/iou<t>` of the file."""
    images = range(int(golden["num_images"]))
    num_classes = int(golden["num_classes"])
    detections = [_detections(golden, image, num_classes) for image in images]
    truths = [_truth(golden, image) for image in images]
    cases = [key.removesuffix("/mean_ap") for key in golden.files if key.endswith("/mean_ap")]
    assert {case.split("/iou")[0] for case in cases} == set(MODES)
    found = {}
    for case in cases:
        mode, threshold = case.split("/iou")
        found[case] = voc_ap(detections, truths, num_classes, float(threshold), MODES[mode])
    return found


def _detections(golden: Npz, image: int, num_classes: int) -> Detections:
    rows = [golden[f"img{image}/det_class{label}"] for label in range(num_classes)]
    labels = np.repeat(np.arange(num_classes), [len(r) for r in rows])
    boxes_and_scores = np.concatenate(rows)
    return Detections(boxes_and_scores[:, :4], boxes_and_scores[:, 4], labels)


def _truth(golden: Npz, image: int) -> Objects:
    counted, ignored = golden[f"img{image}/labels"], golden[f"img{image}/labels_ignore"]
    return Objects(
        np.concatenate([golden[f"img{image}/bboxes"], golden[f"img{image}/bboxes_ignore"]]),
        np.concatenate([counted, ignored]).astype(np.int64),
        np.repeat([False, True], [len(counted), len(ignored)]),
    )


def test_counts_are_those_of_the_authors(golden: Npz, results: dict[str, VocResult]) -> None:
    for case, result in results.items():
        np.testing.assert_array_equal(result.num_truths, golden[f"{case}/num_gts"])
        np.testing.assert_array_equal(result.num_detections, golden[f"{case}/num_dets"])


def test_curves_are_those_of_the_authors(golden: Npz, results: dict[str, VocResult]) -> None:
    for case, result in results.items():
        for label in np.flatnonzero(result.num_truths):
            for name, curves in (("recall", result.recall), ("precision", result.precision)):
                np.testing.assert_allclose(
                    curves[label],
                    golden[f"{case}/{name}_class{label}"],
                    rtol=0,
                    atol=TOLERANCE,
                    err_msg=f"{case}: {name} of class {label}",
                )


def test_average_precision_is_that_of_the_authors(
    golden: Npz, results: dict[str, VocResult]
) -> None:
    for case, result in results.items():
        known = result.num_truths > 0
        np.testing.assert_allclose(
            result.ap[known], golden[f"{case}/ap"][known], rtol=0, atol=TOLERANCE, err_msg=case
        )
        assert np.isnan(result.ap[~known]).all()
        assert result.mean == pytest.approx(float(golden[f"{case}/mean_ap"]), abs=TOLERANCE)
