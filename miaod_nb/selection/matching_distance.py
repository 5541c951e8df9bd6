"""How unlike images are, by the boxes that a detector finds in them: PPAL's distance.

Category-conditioned matching, Yang et al., CVPR 2024.
"""

from typing import NamedTuple

import numpy as np

from miaod_nb.progress import progress
from miaod_nb.selection.box_features import BoxSets

FARTHEST = 2.0  # the cosine distance of opposite features
DIGITS = 5  # that are kept: beyond, sums differ by the order in which a library adds


def matching_distances(boxes: BoxSets) -> np.ndarray:
    """The distances of M images from one another: float32 (M, M), in [0, 2], symmetric.

    Of each box of an image the cosine distance of its features to the nearest box of its class in
    the other image, or 2 where that has none of the class; the mean of all boxes, weighted by their
    scores; the mean of both directions. 0 where one of the images has no box at all.

    The release of PPAL sets the distance of boxes with the same place in both images to 0, for
    every pair of images; here each is what it is. Time grows with the pairs of boxes of one class.
    """
    exists = boxes.scores > 0
    groups = [_of_class(boxes, exists, label) for label in np.unique(boxes.labels[exists])]
    one_way = np.zeros((len(exists), len(exists)))
    own_boxes = [(group, i) for group in groups for i in range(len(group.images))]
    for group, i in progress(own_boxes, "comparing boxes"):
        own = slice(group.starts[i], (*group.starts, None)[i + 1])
        nearest = np.maximum.reduceat(group.units[own] @ group.units.T, group.starts, axis=1)
        from_here = np.full(len(exists), FARTHEST * group.scores[own].sum())
        from_here[group.images] = group.scores[own] @ (1 - nearest)
        one_way[group.images[i]] += from_here
    one_way /= np.where(exists, boxes.scores, 0.0).sum(axis=1, keepdims=True) + 1e-5
    one_way[:, ~exists.any(axis=1)] = 0.0
    found = ((one_way + one_way.T) / 2).clip(0, FARTHEST).round(DIGITS)
    np.fill_diagonal(found, 0.0)
    return found.astype(np.float32)


class _Group(NamedTuple):
    """The N boxes of a class, image by image: which K images have some, where the first of each is,
    their scores (N,), and features of length 1 (N, F)."""

    images: np.ndarray
    starts: np.ndarray
    scores: np.ndarray
    units: np.ndarray


def _of_class(boxes: BoxSets, exists: np.ndarray, label: int) -> _Group:
    images, places = np.nonzero(exists & (boxes.labels == label))
    having, starts = np.unique(images, return_index=True)
    features = boxes.features[images, places]
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    units = features / np.maximum(lengths, 1e-12)
    return _Group(having, starts, boxes.scores[images, places], units)
