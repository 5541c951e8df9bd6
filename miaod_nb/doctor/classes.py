"""Classes with too few labels to learn or to measure, and names that may mean one class."""

import difflib
from collections.abc import Iterable, Sequence

import numpy as np

from miaod_nb.data.labels import respelled
from miaod_nb.doctor.examined import Examined, Labeled
from miaod_nb.doctor.finding import Example, Finding, Severity

FEW = 10  # images; LVIS calls classes of at most so many rare, and detectors find them badly
ALIKE = 0.85  # similarity of names, from 0 to 1; "person" and "persons" have 0.92


def class_findings(examined: Examined) -> list[Finding]:
    """What the labels that may be read, and the names of the classes, say of the classes."""
    images, classes = examined.labels.images, examined.labels.classes
    found = [*_spellings(classes)]
    if not images:
        return [one for one in found if one.count]
    trained = _images_by_class((one for one in images if not one.is_tested), len(classes))
    tested = _images_by_class((one for one in images if one.is_tested), len(classes))
    known = sum(not one.is_tested for one in images)
    say = [
        (Severity.HURTS, trained == 0, f"class without a label in the {known} images to train on",
         "label some images of it, or take it out of `classes`"),
        (Severity.NOTE, (trained > 0) & (trained < FEW),
         f"class with labels in fewer than {FEW} images to train on",
         "label more of it first: from so few its AP says little, and is often 0"),
        (Severity.NOTE, (tested == 0) & bool(tested.any()), "class that no test image shows",
         "add images of it to the test list: its AP is not measured"),
    ]  # fmt: skip
    for severity, places, what, remedy in say:
        examples = [
            Example(classes[i], words=f"{trained[i]} images to train on, {tested[i]} to test on")
            for i in np.flatnonzero(places)
        ]
        found.append(Finding(severity, what, len(examples), remedy, examples))
    return [one for one in found if one.count]


def _images_by_class(images: Iterable[Labeled], num_classes: int) -> np.ndarray:
    """How many images have an object of each class that counts: int (C,)."""
    counts = np.zeros(num_classes, np.int64)
    for one in images:
        counts[np.unique(one.objects.labels[~one.objects.ignored])] += 1
    return counts


def _spellings(classes: Sequence[str]) -> list[Finding]:
    """Findings of classes that differ from an earlier one by spelling, or by little."""
    same, near = [], []
    for place, name in enumerate(classes):
        before = classes[:place]
        if known := respelled(name, before):
            same.append(Example(f"{known} / {name}"))
        elif alike := difflib.get_close_matches(name, before, n=1, cutoff=ALIKE):
            near.append(Example(f"{alike[0]} / {name}"))
    return [
        Finding(Severity.HURTS, "class that is another one in another spelling", len(same),
                "write one name in all labels: these are two classes to the detector", same),
        Finding(Severity.NOTE, "class that is almost called as another one", len(near),
                "write one name in all labels, if one is misspelled", near),
    ]  # fmt: skip
