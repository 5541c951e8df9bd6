"""Scenes of the toy data set: what lies where in a tide pool, and the photos taken of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from miaod_nb.toy.shapes import (
    CLASSES,
    COATS,
    GROUNDS,
    LIGHT,
    Coat,
    Color,
    Sprite,
    draw_animal,
    draw_clutter,
    draw_ground,
    mixed,
    water_light,
)


@dataclass(frozen=True)
class Kind:
    """How images of one kind look. Lengths are pixels at 128 px, ranges are drawn uniformly."""

    share: float  # of the scenes; together 1
    why: str  # it is hard, for people
    objects: tuple[int, int] = (1, 4)  # asked for; fewer where there is no room
    diameter: tuple[float, float] = (22.0, 47.0)
    contrast: tuple[float, float] = (0.75, 1.0)  # 0: animals take the color of the ground
    light: tuple[float, float] = (0.9, 1.1)
    blur: tuple[float, float] = (0.0, 0.0)  # standard deviation
    overlap: float = 0.1  # share of an animal that another one may cover
    covers: int = 0  # pebbles and weeds laid over animals


# These constants make the data set easy or hard.
KINDS = {
    "easy": Kind(0.50, ""),
    "small": Kind(0.10, "small animals", diameter=(12.0, 18.0)),
    "occluded": Kind(0.08, "pebbles and weeds lie over animals", covers=3),
    "crowded": Kind(
        0.08, "animals cover each other", objects=(5, 8), diameter=(20.0, 38.0), overlap=0.45
    ),
    "camouflaged": Kind(0.08, "animals look like the ground", contrast=(0.25, 0.45)),
    "dim": Kind(0.05, "little light", light=(0.25, 0.4)),
    "blurred": Kind(0.04, "out of focus", blur=(1.4, 2.2)),
    "empty": Kind(0.07, "clutter only", objects=(0, 0)),
}
REPEATS = 0.10  # share of pool images that show the scene of an earlier one again, as in a video
FREQUENCIES = dict(zip(CLASSES, (0.34, 0.24, 0.17, 0.12, 0.08, 0.05), strict=True))
CLUTTER = {"pebble": 0.45, "weed": 0.3, "bubbles": 0.15, "rope": 0.1}  # frequencies
CLUTTER_COUNT = (2, 5)
CLUTTER_DIAMETER = (10.0, 26.0)
LEAST_COLOR_DISTANCE = 90.0  # of an animal from the ground below it, in RGB, before camouflage
WATER_LIGHT = 0.16  # how much brighter the net of light on the ground is
VIGNETTE = 0.18  # how much darker the corners are
GRAIN = 4.0  # standard deviation of the camera's noise, of 255
SHIFT = 0.07  # how far the camera of a repeated scene may move, as a share of the side
LEAST_VISIBLE = 0.35  # an animal of which less is seen is marked difficult
TRIES = 12  # to find a place for an animal


@dataclass(frozen=True)
class ToyObject:
    """An animal in an image; the box is xmin, ymin, xmax, ymax as VOC writes it."""

    name: str
    box: tuple[int, int, int, int]
    visible: float  # share of its silhouette that is in the image and not covered

    @property
    def difficult(self) -> bool:
        return self.visible < LEAST_VISIBLE


@dataclass
class Scene:
    """A painted canvas, wider than the image by a margin on each side, and what lies on it."""

    canvas: np.ndarray  # float (S, S, 3), 0 to 255
    owner: np.ndarray  # int (S, S): number of the animal seen at a pixel, or -1
    margin: int
    light: float
    blur: float
    contrast: float
    names: list[str] = field(default_factory=list)
    masks: list[np.ndarray] = field(default_factory=list)  # bool (S, S): whole silhouettes
    clutter: int = 0


def paint_scene(kind: Kind, size: int, first: str | None, rng: Generator) -> Scene:
    """A scene for images of `size` x `size` pixels; `first`: class of its first animal, if set."""
    unit = size / 128
    margin = math.ceil(SHIFT * size)
    side = size + 2 * margin
    ground = draw_ground(list(GROUNDS)[rng.integers(len(GROUNDS))], side, unit, rng)
    scene = Scene(
        canvas=ground,
        owner=np.full((side, side), -1),
        margin=margin,
        light=rng.uniform(*kind.light),
        blur=rng.uniform(*kind.blur) * unit,
        contrast=rng.uniform(*kind.contrast),
    )
    for _ in range(rng.integers(CLUTTER_COUNT[0], CLUTTER_COUNT[1] + 1)):
        x, y = rng.uniform(0, side, 2)
        _add_clutter(scene, x, y, rng.uniform(*CLUTTER_DIAMETER) * unit, rng)
    for number in range(rng.integers(kind.objects[0], kind.objects[1] + 1)):
        name = str(rng.choice(CLASSES, p=list(FREQUENCIES.values())))
        _add_animal(scene, first if first and number == 0 else name, kind, unit, rng)
    for _ in range(kind.covers):
        _add_cover(scene, rng)
    scene.canvas *= 1 + WATER_LIGHT * (water_light(side, unit, rng)[..., None] - 0.25)
    return scene


def take_photo(
    scene: Scene, shift: tuple[int, int], brightness: float, rng: Generator
) -> tuple[Image.Image, list[ToyObject]]:
    """The scene seen from `shift` (pixels right and down, up to the margin), and what it shows.

    Left out are animals of which less than two pixels in width or height are inside.
    """
    side = len(scene.canvas) - 2 * scene.margin
    left, top = scene.margin + shift[0], scene.margin + shift[1]
    window = np.s_[top : top + side, left : left + side]
    objects = []
    for number, (name, mask) in enumerate(zip(scene.names, scene.masks, strict=True)):
        rows, columns = (pixels.tolist() for pixels in np.nonzero(mask[window]))
        box = (min(columns), min(rows), max(columns), max(rows)) if rows else (0, 0, 0, 0)
        if box[2] > box[0] and box[3] > box[1]:
            visible = float((scene.owner[window] == number).sum() / mask.sum())
            x1, y1, x2, y2 = (pixel + 1 for pixel in box)  # VOC counts pixels from 1
            objects.append(ToyObject(name, (x1, y1, x2, y2), visible))
    colors = scene.canvas[window]
    if scene.blur:
        photo = Image.fromarray(colors.clip(0, 255).astype(np.uint8))
        blur = ImageFilter.GaussianBlur(scene.blur)
        colors = np.asarray(photo.filter(blur), np.float32)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    light = brightness * scene.light * (1 - VIGNETTE * (x**2 + y**2) / 2)
    colors = colors * light[..., None] + rng.normal(0, GRAIN, colors.shape)
    return Image.fromarray(colors.clip(0, 255).astype(np.uint8)), objects


def _add_clutter(scene: Scene, x: float, y: float, diameter: float, rng: Generator) -> None:
    name = str(rng.choice(list(CLUTTER), p=list(CLUTTER.values())))
    sprite = draw_clutter(name, diameter / 2, _ground_color(scene, x, y, diameter), rng)
    _paste(scene, sprite, _corner(sprite, x, y))
    scene.clutter += 1


def _add_animal(scene: Scene, name: str, kind: Kind, unit: float, rng: Generator) -> None:
    """Puts the animal where it covers little of the others; gives up if there is no such place."""
    diameter = rng.uniform(*kind.diameter) * unit
    angle = rng.uniform(0, 2 * math.pi)
    coats = [COATS[name][index] for index in rng.permutation(len(COATS[name]))]
    shade, shape_seed = rng.normal(0, 10, 3), rng.integers(2**32)
    border = scene.margin + 0.35 * diameter
    for x, y in rng.uniform(border, len(scene.canvas) - border, (TRIES, 2)):
        ground = _ground_color(scene, x, y, diameter)
        coat = _camouflaged(_choose_coat(coats, shade, ground), ground, scene.contrast)
        sprite = draw_animal(name, diameter / 2, angle, coat, np.random.default_rng(shape_seed))
        corner = _corner(sprite, x, y)
        mask = _silhouette(scene, sprite, corner)
        hidden = [(mask & (scene.owner == i)).sum() / m.sum() for i, m in enumerate(scene.masks)]
        if max(hidden, default=0) <= kind.overlap:
            _paste(scene, sprite, corner, shadow=0.35 * scene.contrast)
            scene.owner[mask] = len(scene.masks)
            scene.names.append(name)
            scene.masks.append(mask)
            return


def _add_cover(scene: Scene, rng: Generator) -> None:
    """Lays a pebble or weed over an animal, unless too little of it would be left."""
    rows, columns = scene.masks[rng.integers(len(scene.masks))].nonzero()
    pixel = rng.integers(len(rows))
    x, y = columns[pixel], rows[pixel]
    diameter = rng.uniform(0.8, 1.1) * math.sqrt(len(rows))
    name = ("pebble", "weed")[rng.integers(2)]
    sprite = draw_clutter(name, diameter / 2, _ground_color(scene, x, y, diameter), rng)
    corner = _corner(sprite, x, y)
    mask = _silhouette(scene, sprite, corner)
    owner = np.where(mask, -1, scene.owner)
    left = [(owner == i).sum() / m.sum() for i, m in enumerate(scene.masks)]
    if min(left) > LEAST_VISIBLE + 0.1:
        _paste(scene, sprite, corner)
        scene.owner = owner


def _choose_coat(coats: Sequence[Coat], shade: np.ndarray, ground: Color) -> Coat:
    """The first coat that stands out from the ground, or the one that does so most; shaded."""
    distances = [float(np.linalg.norm(np.add(body, shade) - ground)) for body, _ in coats]
    clear = [i for i, distance in enumerate(distances) if distance >= LEAST_COLOR_DISTANCE]
    body, marks = coats[clear[0] if clear else int(np.argmax(distances))]
    return _shaded(body, shade), _shaded(marks, shade)


def _shaded(color: Color, shade: np.ndarray) -> Color:
    red, green, blue = np.add(color, shade).tolist()
    return red, green, blue


def _camouflaged(coat: Coat, ground: Color, contrast: float) -> Coat:
    return mixed(ground, coat[0], contrast), mixed(ground, coat[1], contrast)


def _ground_color(scene: Scene, x: float, y: float, diameter: float) -> Color:
    half = max(diameter / 2, 2)
    rows = slice(max(round(y - half), 0), max(round(y + half), 1))
    columns = slice(max(round(x - half), 0), max(round(x + half), 1))
    red, green, blue = scene.canvas[rows, columns].mean(axis=(0, 1)).tolist()
    return red, green, blue


def _corner(sprite: Sprite, x: float, y: float) -> tuple[int, int]:
    half = len(sprite.opacity) / 2
    return round(x - half), round(y - half)


def _silhouette(scene: Scene, sprite: Sprite, corner: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(scene.owner.shape, bool)
    on_canvas, on_sprite = _overlap(len(mask), len(sprite.opacity), corner)
    mask[on_canvas] = sprite.opacity[on_sprite] > 0.35
    return mask


def _paste(scene: Scene, sprite: Sprite, corner: tuple[int, int], shadow: float = 0.25) -> None:
    side = len(sprite.opacity)
    reach = max(side / 16, 1.0)
    dark = Image.fromarray((sprite.opacity * 255).astype(np.uint8))
    dark = dark.filter(ImageFilter.GaussianBlur(reach))
    below = (corner[0] - round(LIGHT[0] * reach * 1.5), corner[1] - round(LIGHT[1] * reach * 1.5))
    on_canvas, on_sprite = _overlap(len(scene.canvas), side, below)
    scene.canvas[on_canvas] *= 1 - shadow * np.asarray(dark)[on_sprite][..., None] / 255
    on_canvas, on_sprite = _overlap(len(scene.canvas), side, corner)
    share = sprite.opacity[on_sprite][..., None]
    scene.canvas[on_canvas] += share * (sprite.colors[on_sprite] - scene.canvas[on_canvas])


def _overlap(
    canvas: int, sprite: int, corner: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns where a sprite at `corner` lies on the canvas: of the canvas, of itself."""
    x, y = corner
    spans = [(max(start, 0), max(min(start + sprite, canvas), 0)) for start in (y, x)]
    rows, columns = (slice(low, max(low, high)) for low, high in spans)
    return (rows, columns), (
        slice(rows.start - y, rows.stop - y),
        slice(columns.start - x, columns.stop - x),
    )
