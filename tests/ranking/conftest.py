"""Folders of small photos, and boxes in them as files of any detector."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

Rows = Sequence[tuple[Any, ...]]
SCORES: Mapping[str, Sequence[float]] = {"a.jpg": [0.9], "b.jpg": [0.5, 0.6], "c.jpg": [0.5]}


def photo(path: Path, width: int = 64, height: int = 48, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def table_of(scores: Mapping[str, Sequence[float]] = SCORES, name: str = "dog") -> pd.DataFrame:
    """Boxes with these scores in these images, side by side."""
    rows = [
        (image, 2 + 3 * n, 4, 4 + 3 * n, 9, score, name)
        for image, some in scores.items() for n, score in enumerate(some)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["image", "x1", "y1", "x2", "y2", "score", "class"])


def entries_of(table: pd.DataFrame, number: int = 1) -> list[dict[str, Any]]:
    """The same in COCO's results format."""
    return [
        {"image_id": r.image, "category_id": number, "bbox": [r.x1, r.y1, r.x2 - r.x1, r.y2 - r.y1],
         "score": r.score} for r in table.itertuples()
    ]  # fmt: skip


def chosen(table: pd.DataFrame) -> list[str]:
    """Ids of the images that a ranking chose."""
    return table["id"][table["chosen"] == "yes"].tolist()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a.jpg, b.jpg, c.jpg and d.jpg."""
    for name in "abcd":
        photo(tmp_path / f"photos/{name}.jpg")
    return tmp_path / "photos"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a JSON document beside the photos."""

    def written(content: Any, name: str = "boxes.json") -> Path:
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return written
