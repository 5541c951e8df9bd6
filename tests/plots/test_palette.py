"""Roles can be told apart by all readers: colors differ for normal and color-blind sight."""

from itertools import combinations

import numpy as np
import pytest

from miaod_nb.plots.look import OTHERS, STYLES, label_of, looks
from miaod_nb.plots.pictures import BOX_LINES

# Machado, Oliveira and Fernandes (2009), severity 1: what linear RGB becomes.
SIGHT = {
    "normal": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                        [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                        [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
WHITE = np.array([0.95047, 1.0, 1.08883])
LEAST = 15  # CIEDE2000; neighbors of matplotlib's usual colors come as close as 1.3
LEAST_OF_MANY = 11  # of ten colors


def lab(color: str, sight: str) -> np.ndarray:
    """A color such as #0072B2 as someone with this sight sees it, in CIELAB (D65)."""
    coded = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    ratio = TO_XYZ @ np.clip(SIGHT[sight] @ linear, 0, 1) / WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(first: np.ndarray, second: np.ndarray) -> float:
    """The distance of two CIELAB colors (Sharma, Wu and Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean7 / (mean7 + 25**7))
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * stretch)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    hue = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    t = (1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6)
         - 0.20 * _cos(4 * hue - 63))  # fmt: skip
    s_l = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    s_c, s_h = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    rotation = (
        -2
        * np.sqrt(chroma**7 / (chroma**7 + 25**7))
        * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    )
    parts = np.array([dl / s_l, dc / s_c, dh / s_h])
    return float(np.sqrt((parts**2).sum() + rotation * parts[1] * parts[2]))


def _cos(degrees: float) -> float:
    return float(np.cos(np.radians(degrees)))


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_distances_are_those_published_with_the_formula(first, second, distance):
    assert ciede2000(np.array(first), np.array(second)) == pytest.approx(distance, abs=1e-4)


def test_tab10_would_not_pass():
    pairs = combinations(("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728"), 2)
    assert min(ciede2000(lab(a, s), lab(b, s)) for a, b in pairs for s in SIGHT) < 5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(("others", "least"), [(1, LEAST), (len(OTHERS), LEAST_OF_MANY)])
def test_strategies_differ_for_every_sight(sight, others, least):
    colors = [look["color"] for look in (*STYLES.values(), *OTHERS[:others])]
    assert len(set(colors)) == 4 + others
    distances = [ciede2000(lab(a, sight), lab(b, sight)) for a, b in combinations(colors, 2)]
    assert min(distances) >= least


def test_strategies_of_one_figure_look_different():
    names = ["mi_aod", "coreset", "random", *(f"own {number}" for number in range(17)), "full"]
    found = looks(names)
    assert list(found) == names
    assert {found[name]["color"] for name in ("mi_aod", "random")} == {"#0072B2", "#999999"}
    kinds = ("linestyle", "marker", "markerfacecolor", "fillstyle")
    ways = [tuple(str(look.get(kind)) for kind in kinds) for look in found.values()]
    assert len(set(ways)) == len(names)
    first = list(found.values())[:8]  # without color too: dash and marker of each are its own
    assert len({str(look["linestyle"]) for look in first}) == len(first)
    assert looks(names[:5]) == {name: found[name] for name in names[:5]}  # by first use


def test_what_sets_runs_of_a_strategy_apart_is_in_their_labels():
    found = looks(["random (training=label_set)", "random (training=mi_aod)", "entropy"])
    labels = [look["label"] for look in found.values()]
    assert labels == ["random (training=label_set)", "random (training=mi_aod)", "entropy"]
    first, second, _ = (look["color"] for look in found.values())
    assert first == STYLES["random"]["color"] != second
    assert label_of("mi_aod (top_k=5)") == "MI-AOD (top_k=5)" and label_of("own") == "own"


@pytest.mark.parametrize("sight", SIGHT)
def test_boxes_differ_for_every_sight_from_each_other_and_from_their_halo(sight):
    colors = [color for color, _, _ in BOX_LINES.values()] + ["#FFFFFF"]
    distances = [ciede2000(lab(a, sight), lab(b, sight)) for a, b in combinations(colors, 2)]
    assert min(distances) >= LEAST
