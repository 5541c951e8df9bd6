"""Settings that divide a batch: among strategies (`mix`), and among classes (`class_target`)."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

EVEN = "even"
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%\s*(\S+)")
_AMOUNT = re.compile(r"(.*\S)\s*=\s*(\d+(?:\.\d+)?)\s*(%?)")


class ClassTarget(NamedTuple):
    """What is wanted of each class. kind: "even", as many boxes of one class as of another;
    "shares" of all boxes, which sum to 1; "boxes", how many. amounts: by class, above 0; of
    "even" none."""

    kind: str
    amounts: Mapping[str, float]


def parse_mix(text: str) -> dict[str, float]:
    """Shares, which sum to 1, by strategy: of "30% coreset, 70% entropy". Raises ValueError."""
    found = [_SHARE.fullmatch(part.strip()) for part in text.split(",")]
    if not all(found):
        raise ValueError("a part is not written as 30% entropy")
    pairs = [(match[2], float(match[1]) / 100) for match in found if match]
    return _shares(pairs)


def parse_class_target(text: str) -> ClassTarget:
    """The target of "even", "dog=40%,cat=60%" or "dog=20,cat=10". Raises ValueError."""
    if text.strip() == EVEN:
        return ClassTarget(EVEN, {})
    found = [_AMOUNT.fullmatch(part.strip()) for part in text.split(",")]
    if not all(found):
        raise ValueError("a part is not written as dog=40% or dog=20")
    matches = [match for match in found if match]
    if len({match[3] for match in matches}) > 1:
        raise ValueError("some are shares, others numbers of boxes")
    pairs = [(match[1], float(match[2])) for match in matches]
    if matches[0][3]:
        return ClassTarget("shares", _shares([(name, amount / 100) for name, amount in pairs]))
    return ClassTarget("boxes", _by_name(pairs))


def _shares(pairs: Sequence[tuple[str, float]]) -> dict[str, float]:
    shares = _by_name(pairs)
    if not math.isclose(total := sum(shares.values()), 1, abs_tol=1e-6):
        raise ValueError(f"the shares sum to {100 * total:g} %, not to 100 %")
    return shares


def _by_name(pairs: Sequence[tuple[str, float]]) -> dict[str, float]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a name stands twice")
    if not all(amount > 0 for _, amount in pairs):
        raise ValueError("an amount is 0")
    return dict(pairs)
