"""Images that are there twice: equal, saved anew, or mirrored; also across pool and test list."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from miaod_nb.data.records import ImageRecord
from miaod_nb.doctor.examined import Examined
from miaod_nb.doctor.finding import Example, Finding, Severity
from miaod_nb.doctor.looks import Look, looks_of

# A copy saved anew (JPEG 30 to 100, a quarter of the size, darker) is at most 6 bits from the
# first in 240 of 240 trials, and its small picture correlates with that by 0.98 and more in 232. Of
# 700 photos, 364 blood smears and 600 toy images no two others are that near, but two toy scenes in
# another light. The hash alone would name 13 pairs.
MOST_BITS, LEAST_CORRELATION = 6, 0.98
LEAST_CONTRAST = 2.0  # standard deviation of gray values; less is a black frame, or as good as one
EQUAL, SAVED_ANEW, MIRRORED = "equal", "saved anew", "mirrored"
WHAT = {  # what it is, and how one knows
    EQUAL: ("copy", "equal bytes or pixels"),
    SAVED_ANEW: ("copy saved anew", "compressed, resized or in other light"),
    MIRRORED: ("mirrored copy", "left and right exchanged"),
}
TWICE = (
    "take the second ones off the list (--fix writes it): people would label a picture twice, and "
    "training counts it twice"
)
MIRROR = (
    "look at them: training mirrors images by itself, so a mirrored copy teaches next to nothing"
)
LEAK = (
    "take them off the list (--fix writes it): metrics are measured on pictures that are "
    "trained on, and come out too good"
)


class Copy(NamedTuple):
    """A later image that shows what an earlier one shows; how: EQUAL, SAVED_ANEW or MIRRORED."""

    image: ImageRecord
    of: ImageRecord
    how: str


class Copies(NamedTuple):
    """The copies among images, in order; and those that were left out of the search: without
    contrast all look alike."""

    found: Sequence[Copy]
    without_contrast: Sequence[ImageRecord]
    leaks: Sequence[Copy]  # those among `found` that are measured on while the first is trained on


def find_copies(examined: Examined) -> Copies:
    """The copies among the images of both lists; decodes every image. The first of several is one
    that is trained on, and one that has labels, if there is any."""
    images, held_out = examined.images, examined.held_out
    paths = {one.image_path for one in images.pool}
    others = [one for one in images.test if one.image_path not in paths]  # the rest is one file
    has_labels = images.sources.pool.labeled_ids()  # known without opening any
    trained = [one for one in images.pool if one.id not in held_out]
    trained.sort(key=lambda one: one.id not in has_labels)
    records = [*trained, *(one for one in images.pool if one.id in held_out), *others]
    found, without_contrast = copies_among(records, looks_of(records))
    learned = {one.image_path for one in trained}
    leaks = [
        one for one in found
        if one.of.image_path in learned and one.image.image_path not in learned
    ]  # fmt: skip
    return Copies(found, without_contrast, leaks)


def copies_among(
    records: Sequence[ImageRecord], looks: Iterable[Look]
) -> tuple[list[Copy], list[ImageRecord]]:
    """(copies, images without contrast). Each image is compared with the first of every group so
    far, all at once."""
    copies, without_contrast = [], []
    firsts: list[tuple[ImageRecord, Look]] = []
    hashes = np.zeros(len(records), np.uint64)  # of the firsts
    same_pixels: dict[bytes, ImageRecord] = {}
    for record, look in zip(records, looks, strict=True):
        if look.contrast < LEAST_CONTRAST:
            without_contrast.append(record)
            continue
        first, how = same_pixels.get(look.pixels), EQUAL
        if first is None:
            first, how = _nearest(look, firsts, hashes[: len(firsts)])
        same_pixels[look.pixels] = first or record
        if first:
            copies.append(Copy(record, first, how))
        else:
            hashes[len(firsts)] = look.hash
            firsts.append((record, look))
    return copies, without_contrast


def _nearest(
    look: Look, firsts: Sequence[tuple[ImageRecord, Look]], hashes: np.ndarray
) -> tuple[ImageRecord | None, str]:
    """The one of the firsts that this image is a copy of, and how; None: it is none's."""
    for how, own, small in (
        (SAVED_ANEW, look.hash, look.small),
        (MIRRORED, look.mirrored, look.small[:, ::-1]),
    ):
        bits = np.bitwise_count(hashes ^ np.uint64(own))
        near = np.flatnonzero(bits <= MOST_BITS)
        for place in near[np.argsort(bits[near], kind="stable")].tolist():
            record, other = firsts[place]
            if _correlation(small, other.small) >= LEAST_CORRELATION:
                return record, how
    return None, ""


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    a, b = (small.ravel() - small.mean() for small in (one, other))
    return float(a @ b / max(np.sqrt((a @ a) * (b @ b)), 1e-9))  # 0 for an even picture


def in_both_lists(examined: Examined) -> list[Finding]:
    """The files that are in the pool and on the test list."""
    images = examined.images
    paths = {one.image_path for one in images.pool}
    both = [Example(one.id, one) for one in images.test if one.image_path in paths]
    what = f"image that is in both lists, '{images.config.train_list}' and "
    what += f"'{images.config.test_list}'"
    remedy = "take them off one of the lists (--fix writes a test list without them)"
    return [Finding(Severity.STOPS, what, len(both), remedy, both)] if both else []


def copy_findings(examined: Examined, copies: Copies) -> list[Finding]:
    """Leaks and copies, by how they are made, and images without contrast."""
    leaks = set(copies.leaks)
    measured = "held-out" if examined.held_out else "test"
    leaked, twice = [], []
    for how, (what, known_by) in WHAT.items():
        leak = f"{measured} image that is a {what} of one of the pool: a leak ({known_by})"
        mine = [one for one in copies.leaks if one.how == how]
        leaked.append(_finding(Severity.HURTS, leak, LEAK, mine))
        severity, remedy = (Severity.NOTE, MIRROR) if how == MIRRORED else (Severity.HURTS, TWICE)
        mine = [one for one in copies.found if one.how == how and one not in leaks]
        twice.append(_finding(severity, f"{what} of another image ({known_by})", remedy, mine))
    findings = [*leaked, *twice]
    if copies.without_contrast:
        findings.append(
            Finding(
                Severity.NOTE,
                f"image without contrast (standard deviation under {LEAST_CONTRAST:g} of 255), "
                "left out of the search for copies", len(copies.without_contrast),
                "look at them: a black or white frame costs a label and teaches nothing",
                [Example(one.id, one) for one in copies.without_contrast],
            )
        )  # fmt: skip
    return [one for one in findings if one.count]


def _finding(severity: Severity, what: str, remedy: str, copies: Sequence[Copy]) -> Finding:
    examples = [Example(one.image.id, one.image, twin=one.of) for one in copies]
    return Finding(severity, what, len(copies), remedy, examples)
