"""The drawings of the toy data set: grounds, animals and clutter of a tide pool, seen from above.

Lengths are in units of a drawing's radius, x to the right and y down; colors are RGB, 0 to 255.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

OVERSAMPLING = 4  # drawn this much larger, then averaged: smooth edges
LIGHT = (-0.6, -0.8)  # where the sun stands: shading and shadows agree on it

Color = tuple[float, float, float]
Coat = tuple[Color, Color]  # of a body and of its markings
Points = Sequence[tuple[float, float]] | np.ndarray


class Sprite(NamedTuple):
    """A drawing: colors float (S, S, 3) from 0 to 255, opacity float (S, S) from 0 to 1."""

    colors: np.ndarray
    opacity: np.ndarray


class Pen:
    """Draws into a square tile around the origin, turned by `angle`."""

    def __init__(self, radius: float, angle: float) -> None:
        self._scale = radius * OVERSAMPLING
        side = math.ceil(radius * 1.15) * 2 * OVERSAMPLING
        self._center = side / 2
        self._turn = np.array(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        )
        self._image = Image.new("RGBA", (side, side))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Points, color: Color, opacity: float = 1.0) -> None:
        self._draw.polygon(self._to_pixels(points), _fill(color, opacity))

    def ellipse(
        self, x: float, y: float, width: float, height: float, color: Color, opacity: float = 1.0
    ) -> None:
        """An ellipse around (x, y) with these two radii."""
        self.polygon(_oval(x, y, width, height), color, opacity)

    def line(self, points: Points, width: float, color: Color, opacity: float = 1.0) -> None:
        thickness = max(round(width * self._scale), OVERSAMPLING // 2)
        self._draw.line(self._to_pixels(points), _fill(color, opacity), thickness, "curve")

    def sprite(self, relief: float = 0.35) -> Sprite:
        """What was drawn, lit from one side as if it bulged by `relief`."""
        pixels = np.asarray(self._image.reduce(OVERSAMPLING), np.float32)
        colors, opacity = pixels[..., :3], pixels[..., 3] / 255
        blur = ImageFilter.GaussianBlur(max(len(opacity) / 14, 0.6))
        height = np.asarray(Image.fromarray(_to_bytes(opacity)).filter(blur), np.float32) / 255
        down, right = (np.gradient(height, axis=axis) * len(height) / 4 for axis in (0, 1))
        light = 1 - relief * np.clip(right * LIGHT[0] + down * LIGHT[1], -1, 1)
        return Sprite(np.clip(colors * light[..., None], 0, 255), opacity)

    def _to_pixels(self, points: Points) -> list[tuple[float, float]]:
        pixels = np.asarray(points, float) @ self._turn * self._scale + self._center
        return [(x, y) for x, y in pixels.tolist()]


def _fill(color: Color, opacity: float) -> tuple[int, ...]:
    return tuple(round(min(max(value, 0), 255)) for value in (*color, opacity * 255))


def _to_bytes(opacity: np.ndarray) -> np.ndarray:
    return (opacity * 255).astype(np.uint8)


def _oval(x: float, y: float, width: float, height: float) -> np.ndarray:
    turn = np.linspace(0, 2 * math.pi, 28, endpoint=False)
    return np.stack([x + width * np.cos(turn), y + height * np.sin(turn)], axis=1)


def mixed(first: Color, second: Color, share: float) -> Color:
    """`first` with this share of `second`."""
    a, b, c = (u + (v - u) * share for u, v in zip(first, second, strict=True))
    return a, b, c


WHITE: Color = (255, 255, 250)
BLACK: Color = (18, 20, 26)

COATS: dict[str, list[Coat]] = {
    "fish": [
        ((245, 130, 40), WHITE),
        ((250, 205, 60), (40, 70, 150)),
        ((70, 110, 220), (250, 220, 80)),
        ((200, 215, 225), (70, 90, 120)),
        ((225, 70, 80), (255, 215, 190)),
    ],
    "starfish": [
        ((235, 95, 60), (255, 190, 140)),
        ((170, 75, 165), (235, 180, 225)),
        ((240, 175, 70), (170, 90, 40)),
        ((205, 50, 75), (255, 160, 150)),
    ],
    "crab": [
        ((205, 60, 40), (120, 25, 20)),
        ((190, 110, 55), (100, 55, 30)),
        ((110, 120, 70), (55, 65, 40)),
        ((225, 120, 75), (140, 60, 35)),
    ],
    "shell": [
        ((240, 222, 195), (185, 135, 95)),
        ((238, 170, 165), (175, 90, 100)),
        ((215, 195, 225), (140, 110, 165)),
        ((225, 165, 100), (150, 85, 50)),
    ],
    "jellyfish": [
        ((245, 180, 215), (190, 80, 150)),
        ((205, 190, 250), (120, 90, 200)),
        ((200, 235, 250), (90, 150, 200)),
        ((250, 215, 180), (210, 120, 90)),
    ],
    "turtle": [
        ((95, 130, 65), (150, 175, 90)),
        ((120, 95, 60), (185, 160, 95)),
        ((60, 115, 95), (135, 185, 130)),
    ],
}


def draw_animal(name: str, radius: float, angle: float, coat: Coat, rng: Generator) -> Sprite:
    """The animal of this class, `radius` pixels from its middle to its farthest point or less."""
    pen = Pen(radius, angle)
    _ANIMALS[name](pen, coat[0], coat[1], rng)
    return pen.sprite()


def _fish(pen: Pen, body: Color, marks: Color, rng: Generator) -> None:
    tall = rng.uniform(0.34, 0.52)
    fin = mixed(body, marks, 0.35)
    pen.polygon([(-0.5, 0), (-0.92, -tall), (-0.78, 0), (-0.92, tall)], fin)
    pen.polygon([(-0.3, -tall * 0.7), (-0.15, -tall * 1.5), (0.4, -tall * 0.75)], fin)
    pen.polygon([(-0.2, tall * 0.7), (-0.15, tall * 1.35), (0.2, tall * 0.75)], fin)
    turn = np.linspace(0, 2 * math.pi, 40)
    thick = tall * np.sin(turn) * (0.8 + 0.2 * np.cos(turn))
    pen.polygon(np.stack([0.15 + 0.8 * np.cos(turn), thick], axis=1), body)
    pen.ellipse(0.2, tall * 0.42, 0.55, tall * 0.36, mixed(body, WHITE, 0.45))
    for x in np.linspace(-0.25, 0.4, int(rng.integers(1, 4))):
        half = tall * 0.82 * math.sqrt(max(1 - ((x - 0.15) / 0.8) ** 2, 0))
        pen.line([(x, -half), (x + 0.06, 0), (x, half)], 0.11, marks)
    pen.ellipse(0.66, -tall * 0.22, 0.1, 0.1, WHITE)
    pen.ellipse(0.68, -tall * 0.22, 0.055, 0.055, BLACK)


def _starfish(pen: Pen, body: Color, marks: Color, rng: Generator) -> None:
    arms = 5
    turn = np.linspace(0, 2 * math.pi, 120, endpoint=False)
    inner, power = rng.uniform(0.3, 0.42), rng.uniform(1.1, 1.7)
    lengths = rng.uniform(0.86, 1.0, arms)[np.round(turn / (2 * math.pi) * arms).astype(int) % arms]
    reach = inner + (lengths - inner) * np.abs(np.cos(arms * turn / 2)) ** power
    pen.polygon(np.stack([reach * np.cos(turn), reach * np.sin(turn)], axis=1), body)
    for arm in range(arms):
        x, y = math.cos(2 * math.pi * arm / arms), math.sin(2 * math.pi * arm / arms)
        for step in (0.18, 0.36, 0.54, 0.7):
            dot = 0.085 - 0.06 * step
            pen.ellipse(x * step, y * step, dot, dot, marks)
    pen.ellipse(0, 0, 0.09, 0.09, marks)


def _crab(pen: Pen, body: Color, marks: Color, rng: Generator) -> None:
    limb = mixed(body, marks, 0.35)
    for side in (-1, 1):
        for y, lift in ((-0.05, -0.16), (0.1, 0.02), (0.22, 0.18)):
            knee = (side * rng.uniform(0.68, 0.76), y + lift)
            out = rng.uniform(0.84, 0.94) - 0.8 * max(lift, 0)
            foot = (side * out, y + lift + rng.uniform(0.15, 0.25))
            pen.line([(side * 0.4, y), knee, foot], 0.09, limb)
        claw = (side * rng.uniform(0.46, 0.6), -0.58)
        pen.line([(side * 0.42, -0.2), (side * 0.74, -0.36), claw], 0.13, limb)
        pen.ellipse(claw[0], claw[1] - 0.06, 0.17, 0.22, body)
        gap = [(claw[0] - side * 0.02, claw[1]), (claw[0] - side * 0.16, claw[1] - 0.34)]
        pen.polygon([*gap, (claw[0] + side * 0.02, claw[1] - 0.34)], marks)
        pen.line([(side * 0.14, -0.3), (side * 0.16, -0.48)], 0.05, limb)
        pen.ellipse(side * 0.16, -0.5, 0.065, 0.065, BLACK)
    pen.polygon(
        [(-0.5, -0.18), (-0.3, -0.36), (0.3, -0.36), (0.5, -0.18), (0.42, 0.22), (0.2, 0.42),
         (-0.2, 0.42), (-0.42, 0.22)],
        body,
    )  # fmt: skip
    for x, y in ((-0.2, -0.1), (0.2, -0.1), (0, 0.1), (-0.14, 0.24), (0.14, 0.24)):
        pen.ellipse(x, y, 0.055, 0.045, marks)


def _shell(pen: Pen, body: Color, marks: Color, rng: Generator) -> None:
    pen.polygon([(-0.34, 0.92), (-0.2, 0.6), (0.2, 0.6), (0.34, 0.92)], mixed(body, marks, 0.4))
    wide, ribs = rng.uniform(1.0, 1.2), int(rng.integers(6, 9))
    turn = np.linspace(-wide, wide, 90)
    waves = 0.05 * np.abs(np.sin((turn + wide) / (2 * wide) * math.pi * ribs))
    reach = (1.5 - 0.16 * (turn / wide) ** 2) * (0.95 + waves)
    edge = np.stack([reach * np.sin(turn) * 0.72, 0.8 - reach * np.cos(turn)], axis=1)
    edge[:, 1] = np.maximum(edge[:, 1], -0.75)
    pen.polygon([(0.0, 0.86), *edge.tolist()], body)
    for band in (0.55, 0.8):
        pen.line(np.array([0, 0.8]) + (edge - [0, 0.8]) * band, 0.09, mixed(body, marks, 0.45))
    for rib in np.linspace(0, 89, ribs + 1).astype(int):
        pen.line([(0.0, 0.8), edge[rib].tolist()], 0.045, mixed(body, marks, 0.75))


def _jellyfish(pen: Pen, body: Color, marks: Color, rng: Generator) -> None:
    down = np.linspace(0, 1, 10)
    for x in np.linspace(-0.5, 0.5, int(rng.integers(5, 8))):
        wave = 0.08 * np.sin(down * rng.uniform(5, 9) + rng.uniform(0, 6)) * down
        long = rng.uniform(0.75, 1.0)
        points = np.stack([x * (1 - 0.2 * down) + wave, -0.05 + long * down], axis=1)
        pen.line(points, 0.06, mixed(body, marks, 0.5), 0.8)
    turn = np.linspace(math.pi, 2 * math.pi, 40)
    dome = np.stack([0.72 * np.cos(turn), -0.05 + 0.85 * np.sin(turn)], axis=1)
    x = np.linspace(0.72, -0.72, 40)
    hem = np.stack([x, -0.05 + 0.09 * np.abs(np.sin(x * 9))], axis=1)
    pen.polygon(np.concatenate([dome, hem]), body, 0.82)
    pen.polygon(dome * [0.72, 0.72] + [0, -0.08], mixed(body, WHITE, 0.4), 0.85)
    for x0, y0 in ((-0.24, -0.3), (0.24, -0.3), (0, -0.46), (0, -0.18)):
        pen.ellipse(x0, y0, 0.13, 0.1, marks, 0.9)
        pen.ellipse(x0, y0, 0.06, 0.045, body, 0.9)


def _turtle(pen: Pen, body: Color, marks: Color, rng: Generator) -> None:
    skin = mixed(marks, WHITE, 0.15)
    sweep = rng.uniform(-0.12, 0.12)
    for side in (-1, 1):
        y = side * 0.32
        front = [(0.42, y), (0.46 + sweep, side * 0.88), (0.26 + sweep, side * 0.9), (0.05, y)]
        pen.polygon(front, skin)
        back = [(-0.4, y * 0.7), (-0.88, side * 0.56), (-0.7, side * 0.7), (-0.2, y)]
        pen.polygon(back, skin)
    pen.polygon([(-0.6, -0.09), (-0.92, 0), (-0.6, 0.09)], skin)
    pen.ellipse(0.76, 0, 0.23, 0.17, skin)
    for side in (-1, 1):
        pen.ellipse(0.84, side * 0.1, 0.04, 0.04, BLACK)
    pen.ellipse(0, 0, 0.66, 0.54, mixed(body, BLACK, 0.35))
    pen.ellipse(0, 0, 0.59, 0.47, body)
    scute = mixed(body, marks, 0.55)
    for x, y, w, h in ((0, 0, 0.15, 0.15), (0.33, 0, 0.13, 0.13), (-0.33, 0, 0.13, 0.13)):
        pen.ellipse(x, y, w, h, scute)
    for x in (-0.22, 0.2):
        for side in (-1, 1):
            pen.ellipse(x, side * 0.28, 0.15, 0.1, scute)


_ANIMALS: dict[str, Callable[[Pen, Color, Color, Generator], None]] = {
    "fish": _fish,
    "starfish": _starfish,
    "crab": _crab,
    "shell": _shell,
    "jellyfish": _jellyfish,
    "turtle": _turtle,
}
CLASSES = tuple(_ANIMALS)


def draw_clutter(name: str, radius: float, tint: Color, rng: Generator) -> Sprite:
    """Something that belongs to no class: a pebble, weed, bubbles or a rope."""
    pen = Pen(radius, rng.uniform(0, 2 * math.pi))
    _CLUTTER[name](pen, tint, rng)
    return pen.sprite(0.25)


def _pebble(pen: Pen, tint: Color, rng: Generator) -> None:
    turn = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    bumps = sum(rng.uniform(0, 0.09) * np.cos(k * turn + rng.uniform(0, 6)) for k in (2, 3, 4))
    reach = 0.75 * (1 + bumps)
    flat = rng.uniform(0.65, 1)
    stone = mixed((120, 118, 115), tint, rng.uniform(0.2, 0.6))
    stone = mixed(stone, (WHITE, BLACK)[rng.integers(2)], rng.uniform(0, 0.3))
    outline = np.stack([reach * np.cos(turn), flat * reach * np.sin(turn)], axis=1)
    pen.polygon(outline, stone)
    pen.line(outline[4:16] * 0.62, 0.05, mixed(stone, WHITE, 0.25))


def _weed(pen: Pen, tint: Color, rng: Generator) -> None:
    green = mixed(((60, 110, 60), (110, 105, 45), (45, 90, 80))[rng.integers(3)], tint, 0.25)
    along = np.linspace(0, 1, 14)
    for lean in np.linspace(-0.45, 0.45, int(rng.integers(2, 5))):
        sway = lean * along + 0.1 * np.sin(along * rng.uniform(4, 8) + rng.uniform(0, 6))
        half = 0.085 * np.sqrt(1 - along) + 0.01
        y = 0.95 - along * rng.uniform(1.4, 1.9)
        left, right = np.stack([sway - half, y], axis=1), np.stack([sway + half, y], axis=1)
        shade = mixed(green, (WHITE, BLACK)[rng.integers(2)], rng.uniform(0, 0.2))
        pen.polygon(np.concatenate([left, right[::-1]]), shade)
        pen.line(np.stack([sway, y], axis=1)[:-2], 0.02, mixed(shade, BLACK, 0.3))


def _bubbles(pen: Pen, tint: Color, rng: Generator) -> None:
    for _ in range(int(rng.integers(2, 5))):
        x, y = rng.uniform(-0.6, 0.6, 2)
        size = rng.uniform(0.12, 0.3)
        pen.ellipse(x, y, size, size, mixed(tint, WHITE, 0.75), 0.75)
        pen.ellipse(x, y, size * 0.78, size * 0.78, mixed(tint, WHITE, 0.25), 0.3)
        pen.ellipse(x - size * 0.3, y - size * 0.3, size * 0.2, size * 0.2, WHITE)


def _rope(pen: Pen, tint: Color, rng: Generator) -> None:
    x = np.linspace(-0.95, 0.95, 24)
    y = rng.uniform(0.1, 0.3) * np.sin(x * rng.uniform(2, 4) + rng.uniform(0, 6))
    hemp = mixed((190, 165, 120), tint, 0.2)
    pen.line(np.stack([x, y], axis=1), 0.13, hemp)
    for i in range(1, 23):
        pen.line(
            [(x[i] - 0.03, y[i] - 0.06), (x[i] + 0.03, y[i] + 0.06)], 0.02, mixed(hemp, BLACK, 0.4)
        )


_CLUTTER: dict[str, Callable[[Pen, Color, Generator], None]] = {
    "pebble": _pebble,
    "weed": _weed,
    "bubbles": _bubbles,
    "rope": _rope,
}
# Dark, middle and light color of every ground.
GROUNDS: dict[str, tuple[Color, Color, Color]] = {
    "sand": ((176, 148, 108), (208, 184, 142), (232, 214, 178)),
    "rock": ((62, 66, 74), (98, 102, 108), (136, 138, 138)),
    "weedy": ((30, 62, 46), (58, 98, 66), (104, 138, 84)),
    "deep": ((14, 48, 84), (30, 84, 124), (70, 134, 164)),
}


def draw_ground(name: str, side: int, unit: float, rng: Generator) -> np.ndarray:
    """Float (side, side, 3) colors from 0 to 255; `unit` is the length of a pixel at 128 px."""
    tone = 0.6 * _noise(side, 40 * unit, rng) + 0.25 * _noise(side, 14 * unit, rng)
    tone += 0.15 * _noise(side, 5 * unit, rng)
    if name == "sand":
        y, x = np.mgrid[:side, :side] / unit
        slope, wave = rng.uniform(-0.6, 0.6), rng.uniform(0.35, 0.5)
        tone = 0.7 * tone + 0.3 * np.sin(
            (y + slope * x) * wave + 2.5 * _noise(side, 30 * unit, rng)
        )
    elif name == "rock":
        tone = 0.6 * tone + 0.8 * (np.abs(_noise(side, 22 * unit, rng)) ** 0.7 - 0.5)
    elif name == "weedy":
        tone = 0.7 * tone + 0.4 * _noise(side, 4 * unit, rng, stretch=4)
    place = np.clip(0.5 + 0.45 * tone, 0, 1)
    palette = np.array(GROUNDS[name]) + rng.normal(0, 6, 3)
    channels = [np.interp(place, (0, 0.5, 1), palette[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=2).astype(np.float32)


def water_light(side: int, unit: float, rng: Generator) -> np.ndarray:
    """Float (side, side), from 0 to 1: the bright net that waves throw on the ground."""
    waves = _noise(side, 18 * unit, rng) + 0.4 * _noise(side, 9 * unit, rng)
    return (1 - np.clip(np.abs(waves) * 1.6, 0, 1)) ** 2


def _noise(side: int, grain: float, rng: Generator, stretch: float = 1.0) -> np.ndarray:
    """Float (side, side), smooth and mostly within -1 to 1, with spots of about `grain` pixels."""
    rows, columns = (math.ceil(side / size) + 3 for size in (grain * stretch, grain))
    coarse = Image.fromarray(rng.normal(0, 0.6, (rows, columns)).astype(np.float32))
    edge = (1.0, 1.0, 1 + side / grain, 1 + side / (grain * stretch))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC, edge))
