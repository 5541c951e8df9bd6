"""What images look like to the detector: a map of a cycle's images, and pairs of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from miaod_nb.experiment.run import Run
from miaod_nb.inspection.anchor_values import find_image, pool_index, read_or_none
from miaod_nb.inspection.asking import ask_detector
from miaod_nb.inspection.inspected import inspected_ids
from miaod_nb.progress import progress
from miaod_nb.selection.features import directions, mean_features, standardized

MAX_IMAGES = 2000  # of a map, unless more were selected
MAX_LABELED = 500  # of them
# The least similarity of images that look alike. Of 400 toy images it finds 47 % of the 66 pairs of
# photos of one scene and 13 of the 79,734 other pairs, all of images without animals; of 553 photos
# of VOC2012's animals 54 of 152,628 pairs: few show one scene, most are similar pictures.
ALIKE = 0.95


class FeatureMap(NamedTuple):
    """Images by what the detector sees in them. table: id, x, y; shares: of the variance of the
    features that x and y have, from 0 to 1."""

    table: pd.DataFrame
    shares: tuple[float, float]


def pool_features(run: Run, cycle: int) -> FeatureMap:
    """A map of the cycle's images along the two main axes (PCA) of the detector's features.

    The images: all that were selected, labeled ones (500 at most, drawn at random), and the
    inspected ones, of these as many as make 2000. Features are kept in the run folder. Raises as
    `keep_anchor_values` does.
    """
    selected, labeled = run.record.selected(cycle), _labeled_ids(run, cycle)
    ids = list(dict.fromkeys([*selected, *labeled, *inspected_ids(run, cycle)]))
    ids = ids[: max(MAX_IMAGES, len(selected))]
    places, shares = main_axes(standardized(kept_features(run, cycle, ids)))
    return FeatureMap(pd.DataFrame({"id": ids, "x": places[:, 0], "y": places[:, 1]}), shares)


def look_alikes(run: Run, cycle: int, ids: Sequence[str]) -> list[tuple[str, str, float]]:
    """Pairs of these images of the train list that look alike to the detector, the most similar
    first: (id, id, similarity), from ALIKE on.

    Similarity is the cosine of features, 1 for equal images, `standardized` over these images and
    the labeled ones of the map. Raises ConfigError, DataError and RunFolderError.
    """
    for image_id in ids:
        pool_index(run, image_id)
    every = list(dict.fromkeys([*ids, *_labeled_ids(run, cycle)]))
    return similar_pairs(standardized(kept_features(run, cycle, every))[: len(ids)], ids, ALIKE)


def similar_pairs(
    features: np.ndarray, ids: Sequence[str], threshold: float
) -> list[tuple[str, str, float]]:
    """Pairs whose features (N, F) have a cosine from `threshold` on, the most similar first."""
    units = directions(features)
    cosines = np.triu(units @ units.T, k=1)
    similar = np.argwhere(cosines >= threshold).tolist()
    pairs = [(ids[i], ids[j], float(cosines[i, j])) for i, j in similar]
    return sorted(pairs, key=lambda pair: -pair[2])


def main_axes(features: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Centered features (N, F) along their two axes of largest variance: (N, 2), with 0 for an axis
    that there is not; and the share of the whole variance that each of the two has. The largest
    entry of each axis is positive."""
    u, sizes, axes = np.linalg.svd(features, full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    places = (u * sizes * signs)[:, :2]
    whole = float((sizes**2).sum()) or 1.0
    first, second = np.pad(sizes[:2] ** 2 / whole, (0, 2 - places.shape[1])).tolist()
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1]))), (first, second)


def kept_features(run: Run, cycle: int, ids: Sequence[str]) -> np.ndarray:
    """Features float16 (N, F) of these images; a file of the run folder keeps those that were ever
    asked for. Raises as `pool_features` does."""
    file = f"cycle{cycle}/features.npz"
    kept = read_or_none(run.folder, file, run.folder.load_npz)
    known = dict(zip(kept["ids"].tolist(), kept["features"], strict=True)) if kept else {}
    missing = [image_id for image_id in ids if image_id not in known]
    if missing:
        known |= _computed(run, cycle, missing)
        features = np.stack(list(known.values()))
        run.folder.save_npz(file, ids=np.array(list(known)), features=features)
    return np.stack([known[image_id] for image_id in ids])


def _computed(run: Run, cycle: int, ids: Sequence[str]) -> dict[str, np.ndarray]:
    records = [find_image(run, image_id) for image_id in ids]
    found = ask_detector(run, cycle, records, mean_features)
    return {
        image_id: arrays["features"].astype(np.float16)
        for image_id, arrays in progress(found, f"cycle {cycle} features", len(ids))
    }


def _labeled_ids(run: Run, cycle: int) -> list[str]:
    """The labeled images that the map shows."""
    labeled = run.record.labeled(cycle)
    rng = np.random.default_rng([run.config.seed, cycle])
    places = np.sort(rng.choice(len(labeled), min(MAX_LABELED, len(labeled)), False))
    return [labeled[place] for place in places]
