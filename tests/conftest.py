"""Fixtures that all tests share: small VOC data sets, and the real data packs."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

PROJECT = Path(__file__).resolve().parents[1]
COLORS = ((220, 60, 50), (60, 170, 80), (60, 90, 210), (230, 200, 60))


def write_voc(
    root: Path,
    num_trainval: int = 12,
    num_test: int = 4,
    classes: Sequence[str] = ("square", "disc"),
    size: tuple[int, int] = (64, 48),
    seed: int = 0,
    prefix: str = "",
) -> Path:
    """`root`, filled as a VOC year folder: solid shapes on noise, with their boxes as XML.

    Ids are `prefix` + six digits, trainval before test. Every second image is portrait (`size`
    is width, height of the others); the last trainval image has no objects. Image i holds class
    i modulo the number of classes first, so few images are enough to see all classes.
    """
    rng = np.random.default_rng(seed)
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    ids = [f"{prefix}{number:06d}" for number in range(1, num_trainval + num_test + 1)]
    for index, image_id in enumerate(ids):
        width, height = size if index % 2 == 0 else size[::-1]
        noise = rng.integers(90, 150, (height, width, 3), dtype=np.uint8)
        image = Image.fromarray(noise)
        num_objects = 0 if index == num_trainval - 1 else int(rng.integers(1, 3))
        kinds = [(index + k) % len(classes) for k in range(num_objects)]
        boxes = [(classes[kind], _draw_shape(image, kind, rng)) for kind in kinds]
        image.save(root / "JPEGImages" / f"{image_id}.jpg", quality=95)
        text = voc_xml(boxes, width, height)
        (root / "Annotations" / f"{image_id}.xml").write_text(text)
    for name, members in (("trainval", ids[:num_trainval]), ("test", ids[num_trainval:])):
        (root / "ImageSets/Main" / f"{name}.txt").write_text("".join(f"{i}\n" for i in members))
    return root


def voc_xml(
    objects: Sequence[tuple[str, tuple[object, ...]]], width: int = 64, height: int = 48
) -> str:
    """A VOC annotation; each object is its class and (xmin, ymin, xmax, ymax) as VOC writes it."""
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    parts = []
    for name, box in objects:
        corners = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        bndbox = "".join(f"<{tag}>{value}</{tag}>" for tag, value in corners)
        parts.append(f"<object><name>{name}</name><difficult>0</difficult>")
        parts.append(f"<bndbox>{bndbox}</bndbox></object>")
    return f"<annotation>{size}{''.join(parts)}</annotation>"


def _draw_shape(image: Image.Image, kind: int, rng: np.random.Generator) -> tuple[int, ...]:
    """The box, 1-based with its last pixel included, of a shape drawn at a random place."""
    short = min(image.size)
    width, height = (int(rng.integers(short // 4, short // 2)) for _ in range(2))
    x = int(rng.integers(0, image.width - width + 1))
    y = int(rng.integers(0, image.height - height + 1))
    corners = (x, y, x + width - 1, y + height - 1)  # Pillow draws the last pixel too
    draw = ImageDraw.Draw(image)
    (draw.rectangle, draw.ellipse)[kind % 2](corners, fill=COLORS[kind % len(COLORS)])
    return tuple(corner + 1 for corner in corners)


@pytest.fixture
def make_voc() -> Callable[..., Path]:
    """`make_voc(root, num_trainval=12, num_test=4, classes=..., size=(64, 48), seed=0)`."""
    return write_voc


@pytest.fixture(name="voc_xml")
def voc_xml_fixture() -> Callable[..., str]:
    """`voc_xml([(class, (xmin, ymin, xmax, ymax)), ...], width=64, height=48)`."""
    return voc_xml


@pytest.fixture
def packs() -> Path:
    """Folder with the real data sets; without it the test is skipped."""
    folder = Path(os.environ.get("MIAOD_PACKS", PROJECT.parent / "shared" / "packs"))
    if not folder.is_dir():
        pytest.skip(f"no data packs at {folder}; set MIAOD_PACKS to their folder")
    return folder


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VOC year folder of 12 trainval and 4 test images; tests must not change it."""
    return write_voc(tmp_path_factory.mktemp("data") / "VOC2007")


@pytest.fixture(scope="session")
def reference(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two cycles that nothing interrupted; tests must not change it."""
    from tests.experiment.helpers import run_arguments, run_child  # imports the whole package

    folder = tmp_path_factory.mktemp("reference")
    code = run_child(run_arguments(data_root, folder / "run"), folder / "output.txt")
    assert code == 0, (folder / "output.txt").read_text()
    return folder / "run"
