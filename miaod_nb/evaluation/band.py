"""What the band around the mean of several runs says, and what it does not, in words."""

import re

FEW_IMAGES = 500  # below it, other images may move a mean AP by as much as other seeds do


def band_in_words(evaluated_on: str) -> str:
    """What the band is an interval of, over what, and on how many images.

    evaluated_on: as tables of metrics have it, "test list (200 images)" or "holdout (12 of the
    first labeled images, never trained on)"; where it does not say how many, the words do not.
    """
    return f"95 % confidence interval of the mean over seeds, on these {_images(evaluated_on)}"


def band_warning(evaluated_on: str) -> str:
    """That so few images are part of the doubt, which the band leaves out; "" where they are many,
    or nothing says how many."""
    number = _number(evaluated_on)
    if number is None or (number >= FEW_IMAGES and not _is_holdout(evaluated_on)):
        return ""
    return (
        f"other images than these {number} may move the curves as much as other seeds do; the band "
        "leaves that out, and more seeds do not mend it"
    )


def _images(evaluated_on: str) -> str:
    number = _number(evaluated_on)
    kind = "held-out images" if _is_holdout(evaluated_on) else "test images"
    return kind if number is None else f"{number} {kind}"


def _is_holdout(evaluated_on: str) -> bool:
    return evaluated_on.startswith("holdout ")


def _number(evaluated_on: str) -> int | None:
    found = re.search(r" \((\d+) (?:images\)|of )", evaluated_on)
    return int(found[1]) if found else None
