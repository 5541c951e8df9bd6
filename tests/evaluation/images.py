"""Images with objects and detections for the tests of metrics, and a plain loop to compare with."""

import dataclasses

import numpy as np

from miaod_nb.boxes import Detections, Objects

BOX = (10, 10, 30, 30)
ELSEWHERE = (60, 60, 90, 90)


def found(*rows: tuple) -> Detections:
    """Detections of one image from rows of (box, score, label)."""
    return Detections(
        np.array([box for box, _, _ in rows], dtype=np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in rows], dtype=np.float32),
        np.array([label for _, _, label in rows], dtype=np.int64),
    )


def truth(*rows: tuple) -> Objects:
    """Objects of one image from rows of (box, label) or (box, label, difficult)."""
    return Objects(
        np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2:] == (True,) for row in rows], dtype=bool),
    )


def random_set(seed: int, num_images: int = 12, num_classes: int = 3) -> tuple[list, list]:
    """Little images with duplicates, shifted boxes, tied scores, difficult objects, or nothing."""
    rng = np.random.default_rng(seed)
    detections, truths = [], []
    for _ in range(num_images):
        num_truths, num_random = rng.integers(0, 6, 2)
        boxes = random_boxes(rng, num_truths)
        labels = rng.integers(0, num_classes, num_truths)
        truths.append(Objects(boxes, labels, rng.random(num_truths) < 0.25))
        seen = rng.integers(0, num_truths, 2 * num_truths)  # some objects twice, some never
        shifted = boxes[seen] + rng.integers(-1, 2, (len(seen), 4))
        all_boxes = np.vstack([shifted, random_boxes(rng, num_random)]).astype(np.float32)
        all_labels = np.append(labels[seen], rng.integers(0, num_classes, num_random))
        scores = (rng.integers(0, 10, len(all_labels)) / 10).astype(np.float32)
        detections.append(Detections(all_boxes, scores, all_labels))
    return detections, truths


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.integers(0, 12, (count, 2))
    return np.hstack([corner, corner + rng.integers(4, 12, (count, 2))]).astype(np.float32)


def loop_ap(detections: list, truths: list, label: int, threshold: float) -> float:
    """VOC12 average precision of one class, one detection after the other."""

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        both = max(width, 0) * max(height, 0)
        return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)

    rows = [
        (-float(item.scores[k]), image, k)
        for image, item in enumerate(detections)
        for k in range(len(item.labels))
        if item.labels[k] == label
    ]
    total = sum(int(((t.labels == label) & ~t.difficult).sum()) for t in truths)
    taken, hits, points = set(), 0, []
    for _, image, k in sorted(rows):
        objects, box = truths[image], detections[image].boxes[k]
        best = max(
            (
                (overlap(box, objects.boxes[g]), not objects.difficult[g], -g)
                for g in range(len(objects.labels))
                if objects.labels[g] == label
            ),
            default=(0.0, True, 0),
        )
        is_hit = best[0] >= threshold
        if is_hit and not best[1]:
            continue
        is_true = is_hit and (image, best[2]) not in taken
        hits += is_true
        if is_true:
            taken.add((image, best[2]))
        points.append((hits / total, hits / (len(points) + 1)))
    area, reached = 0.0, 0.0
    for i, (recall, _) in enumerate(points):
        area += (recall - reached) * max(precision for _, precision in points[i:])
        reached = recall
    return area


def two_images() -> tuple[list[Detections], list[Objects]]:
    """Class 0: one object an image; found, missed by a false one, then found loosely."""
    loose = (10, 10, 30, 22.5)  # IoU with BOX: 250 / 400 = 0.625
    detections = [found((BOX, 0.9, 0)), found((ELSEWHERE, 0.8, 0), (loose, 0.7, 0))]
    return detections, [truth((BOX, 0)), truth((BOX, 0))]


def crowd(*boxes: tuple) -> Objects:
    """Objects of class 0, all but the first of them crowds."""
    objects = truth(*((box, 0) for box in boxes))
    return dataclasses.replace(objects, crowd=np.arange(len(boxes)) > 0)
