"""Predictions for image files: a picture for each, their boxes, and a table by uncertainty."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from miaod_nb.config import make_config
from miaod_nb.errors import DataError
from miaod_nb.trained.detector import Detector
from miaod_nb.trained.image_names import image_ids
from miaod_nb.trained.predictions import picture_name, predict_files
from tests.tiny import lively_detector

CLASSES = ("disc", "square")


@pytest.fixture(scope="module")
def detector() -> Detector:
    config = make_config("tiny", {"score_threshold": 0.3, "max_detections": 6})
    model = lively_detector()
    with torch.no_grad():  # scores apart from each other, not all of them 1
        model.head.classifier_1.output.weight *= 0.05
        model.head.classifier_2.output.weight *= 0.05
    return Detector(model, CLASSES, config)


def photo(path: Path, width: int = 64, height: int = 48, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def written(out: Path) -> list[dict]:
    return json.loads((out / "predictions.json").read_text())


def test_all_is_told_of_every_image(detector, tmp_path):
    for i, name in enumerate(["a.png", "a.jpg", "below/a.png"]):
        photo(tmp_path / "photos" / name, seed=i)
    table, left_out = predict_files(detector, tmp_path / "photos", tmp_path / "out", score=0.5)
    assert table["rank"].tolist() == [1, 2, 3] and left_out == {}
    assert sorted(table["file"]) == ["a.jpg", "a.png", "below/a.png"]
    assert table["uncertainty"].is_monotonic_decreasing and table["uncertainty"].nunique() == 3

    rows = pd.read_csv(tmp_path / "out/images.csv")
    pd.testing.assert_frame_equal(rows[["rank", "file", "uncertainty"]], table.iloc[:, :3])
    assert rows["width"].tolist() == [64] * 3 and rows["height"].tolist() == [48] * 3
    assert dict(zip(rows["file"], rows["image_id"], strict=True)) == {
        "a.jpg": "a.jpg", "a.png": "a.png", "below/a.png": "below/a"
    }  # fmt: skip

    categories = json.loads((tmp_path / "out/categories.json").read_text())
    assert categories == [{"id": 1, "name": "disc"}, {"id": 2, "name": "square"}]
    entries = written(tmp_path / "out")
    expected = {r.record.id: r for r in detector.look_at(_records(tmp_path / "photos"))}
    for row in rows.assign(boxes=table["boxes"]).itertuples():
        result = expected[row.file]
        assert row.uncertainty == pytest.approx(result.uncertainty, rel=1e-4)
        found = [entry for entry in entries if entry["image_id"] == row.image_id]
        scores = [entry["score"] for entry in found]
        assert scores == pytest.approx(result.detections.scores.tolist(), rel=1e-3)
        assert len(scores) == 6 and row.boxes == sum(score >= 0.5 for score in scores)
        assert [e["category_id"] for e in found] == (result.detections.labels + 1).tolist()


def test_every_image_is_called_something_else():
    names = ["a.png", "a.jpg", "b.png", "c.png", "c.png.png", "x/b.png", "noend"]
    ids = image_ids(names)
    assert list(ids) == names and len(set(ids.values())) == len(names)
    assert ids["b.png"] == "b" and ids["x/b.png"] == "x/b"


def _records(folder: Path):
    from miaod_nb.data.files import image_files, records_of_files

    return records_of_files(image_files(folder).items())[0]


def test_images_of_one_stem_keep_their_pictures_apart(detector, tmp_path):
    names = ["a.png", "a.jpg", "below/a.png"]
    for i, name in enumerate(names):
        photo(tmp_path / "photos" / name, seed=i)
    predict_files(detector, tmp_path / "photos", tmp_path / "out", score=0.5)
    pictures = sorted(p for p in (tmp_path / "out/images").rglob("*") if p.is_file())
    assert [p.relative_to(tmp_path / "out/images").as_posix() for p in pictures] == sorted(names)
    assert {Image.open(p).format for p in pictures} == {"PNG", "JPEG"}


@pytest.mark.parametrize("size", [(40, 64), (1500, 700)])
def test_pictures_are_readable_at_any_size(detector, tmp_path, size):
    path = photo(tmp_path / "a.png", *size)
    predict_files(detector, path, tmp_path / "out", score=0.0)
    with Image.open(tmp_path / "out/images/a.png") as drawn:
        assert max(drawn.size) == max(1000, *size)
        assert drawn.size[0] / drawn.size[1] == pytest.approx(size[0] / size[1], rel=0.01)


def test_only_boxes_from_the_score_on_are_drawn(detector, tmp_path):
    path = photo(tmp_path / "a.png")
    for name, score in (("all", 0.0), ("none", 1.01)):
        predict_files(detector, path, tmp_path / name, score)
    plain = np.asarray(Image.open(path))
    empty = np.asarray(Image.open(tmp_path / "none/images/a.png").convert("RGB"))
    drawn = np.asarray(Image.open(tmp_path / "all/images/a.png").convert("RGB"))
    assert empty.shape == drawn.shape and (empty != drawn).any()
    nearest = Image.fromarray(plain).resize(empty.shape[1::-1], Image.Resampling.NEAREST)
    assert np.abs(np.asarray(nearest).astype(int) - empty).mean() < 8  # nothing but the image
    assert len(written(tmp_path / "none")) == 6


def test_damaged_images_are_left_out_and_named(detector, tmp_path):
    photo(tmp_path / "photos/good.png")
    (tmp_path / "photos/text.jpg").write_text("no image")
    table, left_out = predict_files(detector, tmp_path / "photos", tmp_path / "out", 0.3)
    assert table["file"].tolist() == ["good.png"]
    assert left_out == {"text.jpg": "image unreadable"}
    rows = pd.read_csv(tmp_path / "out/images.csv", dtype=str, keep_default_na=False)
    assert rows.iloc[0][["rank", "file", "image_id", "width", "left_out"]].tolist() == [
        "1", "good.png", "good", "64", ""
    ]  # fmt: skip
    assert rows.iloc[1].tolist() == ["", "text.jpg", "text", "", "", "", "image unreadable"]


def test_no_image_that_can_be_used(detector, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"no image can be used \(1 tried; text.jpg: image unread"):
        predict_files(detector, tmp_path, tmp_path / "out", 0.3)
    assert not (tmp_path / "out").exists()


def test_results_inside_the_folder_are_not_predicted_again(detector, tmp_path):
    photo(tmp_path / "a.png")
    for _ in range(2):
        table, _ = predict_files(detector, tmp_path, tmp_path / "out", 0.3)
        assert table["file"].tolist() == ["a.png"]


def test_an_original_is_never_overwritten(detector, tmp_path):
    path = photo(tmp_path / "images/a.png")
    before = path.read_bytes()
    with pytest.raises(DataError, match="would be overwritten"):
        predict_files(detector, path, tmp_path, 0.3)
    assert path.read_bytes() == before
    with pytest.raises(DataError, match="would lie in one folder"):
        predict_files(detector, tmp_path, tmp_path, 0.3)


def test_out_that_is_a_file(detector, tmp_path):
    photo(tmp_path / "a.png")
    with pytest.raises(DataError, match="--out is a file") as caught:
        predict_files(detector, tmp_path / "a.png", tmp_path / "a.png", 0.3)
    assert "choose another --out" in str(caught.value)


def test_files_of_a_run_are_not_overwritten(detector, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    path = photo(tmp_path / "a.png")
    for out in (tmp_path, tmp_path / "cycle0"):
        with pytest.raises(DataError, match="files of this run would be overwritten"):
            predict_files(detector, path, out, 0.3)


def test_names_of_pictures():
    assert picture_name("a/b.JPG") == "images/a/b.JPG"
    assert picture_name("scan.bmp") == "images/scan.bmp.png"
