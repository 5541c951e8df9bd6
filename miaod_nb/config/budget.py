"""What a cycle may spend on labels: a number of images, of boxes, or of minutes."""

import re
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

Unit = Literal["images", "boxes", "minutes"]
_UNITS: dict[str, Unit] = {
    "image": "images", "images": "images", "box": "boxes", "boxes": "boxes",
    "minute": "minutes", "minutes": "minutes",
}  # fmt: skip
_SPELLED = re.compile(r"(\d+|\d*\.\d+)\s*([a-z]+)", re.ASCII)
MOST = 10**7


@dataclass(frozen=True)
class Budget:
    """What a cycle may spend. amount: of images a whole count, or below 1 a fraction of the pool;
    of boxes a whole count; of minutes any number."""

    amount: float
    unit: Unit = "images"

    @classmethod
    def of(cls, setting: float | str) -> Self:
        """The budget that a setting names: 60, 0.05, "60 images", "400 boxes", "1.5 minutes".
        Raises ValueError."""
        amount, unit = (float(setting), "images") if _is_number(setting) else _parts(setting)
        if not 0 < amount <= MOST:
            raise ValueError(f"above 0 and at most {MOST}")
        is_whole = amount.is_integer() or unit == "minutes"
        if not is_whole and (amount >= 1 or isinstance(setting, str)):
            raise ValueError(f"a number of {unit} from 1 on must be whole")
        return cls(amount, cast(Unit, unit))

    @property
    def in_images(self) -> bool:
        return self.unit == "images"

    @property
    def setting(self) -> float | str:
        """As a setting spells it, so that a shell takes it for one word: 60.0 or "400boxes"."""
        return self.amount if self.in_images else f"{self.amount:.15g}{self.unit}"

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit}"


def budget_setting(value: Any) -> float | str:
    """The one spelling of a budget. Raises ValueError."""
    return Budget.of(value).setting


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parts(text: Any) -> tuple[float, str]:
    found = _SPELLED.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if not found or found[2] not in _UNITS:
        raise ValueError("a number, perhaps with images, boxes or minutes behind it")
    return float(found[1]), _UNITS[found[2]]
