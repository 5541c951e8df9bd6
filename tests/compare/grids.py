"""Made-up tables of grids, with effects that are known."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from miaod_nb.evaluation import COCO_AP, COCO_AP50, COCO_AP75, VOC07_AP, VOC12_AP

COLUMNS = ["recipe", "training", "selection", "seed", "cycle", "images", "boxes", "minutes",
           VOC07_AP, VOC12_AP, COCO_AP, COCO_AP50, COCO_AP75]  # fmt: skip
RECIPES = {"label-set": "label_set", "mi-aod": "mi_aod"}
BOXES = {"random": 2.6, "full": 2.6, "entropy": 3.4, "coreset": 2.5, "mi_aod": 4.2}  # of an image
FIRST, MORE, POOL = 40, 60, 400


def rows_of(
    recipe: str, selection: str, seed: int, mean_ap: Sequence[float], boxes: Sequence[float] = (),
) -> list[dict[str, object]]:  # fmt: skip
    """A run's rows: 40 images and 60 more a cycle, two boxes an image or as given."""
    rows = []
    for cycle, value in enumerate(mean_ap):
        images = POOL if selection == "full" else FIRST + MORE * cycle
        count = boxes[cycle] if len(boxes) else 2.0 * images
        rows.append(
            {"recipe": recipe, "training": RECIPES.get(recipe, "mi_aod"), "selection": selection,
             "seed": seed, "cycle": cycle, "images": images, "boxes": count,
             "minutes": (10 * images + 7 * count) / 60}
            | dict.fromkeys(COLUMNS[8:], value)
        )  # fmt: skip
    return rows


def made_up_grid(
    training: float = 0.0, gains: Mapping[str, float] | None = None, interaction: float = 0.0,
    seeds: int = 3, cycles: int = 6, deviation: float = 0.01, test_images: float = 0.0,
    resamples: int = 0, number: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:  # fmt: skip
    """A grid of two recipes: its long table and its resamples (None for none).

    training: gain of MI-AOD's training, at every point; gains: of each selection over random, at
    every point after the first; interaction: what a selection gains more with MI-AOD's training.
    deviation: of a run from the mean of its kind; test_images: how the draw of the test images
    moves the effects, as a standard deviation. Boxes are those that the first run of a seed draws,
    so that by boxes a selection of crowds arrives further right.
    """
    rng = np.random.default_rng(number)
    gains = {"random": 0.0} | (gains or {"mi_aod": 0.0})
    shift = {key: rng.normal(0, test_images, 2) for key in ("here", "there")}
    drawn = rng.normal(0, test_images, (resamples, 2))  # of the training's and the choice's effect
    rows, extra = [], []
    for seed in range(seeds):
        start = 2.6 * FIRST + rng.integers(-9, 10)
        level = rng.normal(0, 2 * deviation)  # of the seed, in all of its runs
        for place, recipe in enumerate(RECIPES):
            at_first = rng.normal(0, deviation)  # the first detector of a seed is trained once
            for selection, gain in gains.items():
                images = FIRST + MORE * np.arange(cycles)
                boxes = np.round(start + BOXES[selection] * (images - FIRST))
                steps = (np.arange(cycles) > 0).astype(float)
                chooses = selection != "random"
                value = (
                    0.25 + 0.12 * np.log2(images / FIRST) + level + place * training
                    + steps * (gain + chooses * (place - 0.5) * interaction)
                    + np.where(steps, rng.normal(0, deviation, cycles), at_first)
                )  # fmt: skip
                moves = place * np.array([1.0, 0.0]) + chooses * np.array([0.0, 1.0])
                value = value + shift["here"] @ moves
                rows += rows_of(recipe, selection, seed, value, boxes)
                extra.append(value + (drawn @ moves)[:, None] if resamples else value[None])
        for recipe in RECIPES:
            rows += rows_of(recipe, "full", seed, [0.75 + level], [2.6 * POOL])
            extra.append(np.full((max(resamples, 1), 1), 0.75 + level))
    table = pd.DataFrame(rows, columns=COLUMNS)
    if not resamples:
        return table, None
    values = np.concatenate(extra, axis=1).T.astype(np.float32)  # (rows, B)
    names = [f"r{number}" for number in range(resamples)]
    keys = table[["recipe", "selection", "seed", "cycle"]]
    return table, keys.join(pd.DataFrame(values, columns=names))
