"""Results of other libraries as tables of boxes; torchvision's are those of its own class."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator

from miaod_nb import rank
from miaod_nb.errors import DataError
from miaod_nb.ranking.adapters import COLUMNS, of_rows, of_supervision, of_torchvision
from tests.ranking.conftest import SCORES, table_of

ROWS = {
    "a.jpg": [[1, 2, 3, 4, 0.9, 0], [5, 6, 7, 8, 0.5, 2]],
    "b.jpg": [],
    "c.jpg": [[0, 0, 9, 9, 1, 1]],
}
EXPECTED = pd.DataFrame(
    [("a.jpg", 1, 2, 3, 4, 0.9, "dog"), ("a.jpg", 5, 6, 7, 8, 0.5, "sheep"),
     ("c.jpg", 0, 0, 9, 9, 1, "cat")], columns=COLUMNS,
)  # fmt: skip
CLASSES = ["dog", "cat", "sheep"]


@pytest.mark.parametrize("kind", [np.array, torch.tensor, list])
@pytest.mark.parametrize("classes", [CLASSES, dict(enumerate(CLASSES))])
def test_rows(kind, classes):
    table = of_rows({image: kind(rows) for image, rows in ROWS.items()}, classes)
    pd.testing.assert_frame_equal(table, EXPECTED, check_dtype=False, rtol=1e-6)


def detections(rows: list, **others: object) -> SimpleNamespace:
    """With the attributes of supervision's Detections."""
    values = np.array(rows, float).reshape(-1, 6)
    return SimpleNamespace(
        xyxy=values[:, :4], confidence=values[:, 4], class_id=values[:, 5].astype(int), **others
    )


def test_supervision():
    table = of_supervision(ROWS, [detections(rows, data={}) for rows in ROWS.values()], CLASSES)
    pd.testing.assert_frame_equal(table, EXPECTED, check_dtype=False)
    named = detections(ROWS["a.jpg"], data={"class_name": np.array(["x", "y"])})
    assert of_supervision(["a.jpg"], [named], CLASSES)["class"].tolist() == ["x", "y"]
    unnamed = of_supervision(["a.jpg"], [detections(ROWS["a.jpg"])])
    assert unnamed["class"].tolist() == ["0", "2"]


class Backbone(torch.nn.Module):
    """One feature level."""

    out_channels = 4

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 4, 3, stride=16, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.convolution(images)


def test_torchvision(photos):
    torch.manual_seed(0)
    anchors = AnchorGenerator(((16,),), ((1.0,),))
    model = RetinaNet(
        Backbone(), 3, anchor_generator=anchors, min_size=48, max_size=64, score_thresh=0.0
    ).eval()
    with torch.no_grad():
        model.head.classification_head.cls_logits.bias.fill_(0)
        results = model([torch.rand(3, 48, 64), torch.rand(3, 48, 64)])
    names = ["__background__", "dog", "cat"]
    table = of_torchvision(["a.jpg", "b.jpg"], results, names)
    assert len(table) == sum(len(one["boxes"]) for one in results) > 4
    of_b = table[table["image"] == "b.jpg"]
    np.testing.assert_array_equal(of_b[["x1", "y1", "x2", "y2"]], results[1]["boxes"].numpy())
    np.testing.assert_array_equal(of_b["score"], results[1]["scores"].numpy())
    assert of_b["class"].tolist() == [names[label] for label in results[1]["labels"].tolist()]
    ranked = rank(table, images=photos, budget=1)
    assert ranked["boxes"].iloc[:2].min() > 0 and ranked["id"][0] in ("a.jpg", "b.jpg")


def test_nothing_found(photos):
    assert len(of_rows({})) == len(of_torchvision([], [])) == 0
    assert list(of_rows({"a.jpg": []}).columns) == list(COLUMNS)
    assert len(rank({"a.jpg": []}, images=photos, budget=1)) == 4


def test_arrays_are_ranked_as_tables(photos):
    rows = {image: table_of({image: some}) for image, some in SCORES.items()}
    arrays = {image: one[[*COLUMNS[1:6]]].assign(c=0).to_numpy() for image, one in rows.items()}
    columns = ["rank", "id", "score"]
    pd.testing.assert_frame_equal(
        rank(arrays, images=photos, budget=1)[columns],
        rank(table_of(), images=photos, budget=1)[columns],
    )


def test_nothing_found_by_supervision():
    """Detections.empty() has no confidence and no classes."""
    empty = SimpleNamespace(xyxy=np.zeros((0, 4)), confidence=None, class_id=None, data={})
    table = of_supervision(["b.jpg", "a.jpg"], [empty, detections(ROWS["a.jpg"])])
    assert table["image"].tolist() == ["a.jpg", "a.jpg"]
    assert len(of_supervision(["b.jpg"], [empty])) == 0


@pytest.mark.parametrize("count", [1, 6])
def test_rows_of_trackers_are_refused(photos, count):
    """Seven numbers a row: six such rows would otherwise be seven boxes."""
    with pytest.raises(DataError, match=r"boxes of a.jpg cannot be used: .* \(N, 6\)"):
        rank({"a.jpg": np.ones((count, 7))}, images=photos, budget=1)


@pytest.mark.parametrize(
    ("label", "classes", "words"),
    [(7, CLASSES, "no class is named 7"), (7, {0: "dog"}, "no class is named 7"),
     (np.nan, (), "no class is named nan")],
)  # fmt: skip
def test_classes_without_a_name_are_refused(label, classes, words):
    with pytest.raises(DataError, match=words):
        of_rows({"a.jpg": [[1, 2, 3, 4, 0.9, label]]}, classes)


def test_results_that_do_not_fit_are_refused():
    alone = SimpleNamespace(xyxy=np.ones((1, 4)), confidence=np.ones(1), class_id=None, data={})
    with pytest.raises(DataError, match="not every box has a score and a class"):
        of_supervision(["a.jpg"], [alone])
    with pytest.raises(DataError, match="1 images and 2 results"):
        of_supervision(["a.jpg"], [alone, alone])
