"""How numbers and texts are written for people, wherever they stand."""

import math
from decimal import ROUND_HALF_UP, Context

_THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_UP)


def number_text(value: float | None) -> str:
    """A number to three digits: 0.0123, 4.57, 1.23e-7; no value: –. As `shown` of the views'
    scripts writes it."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    rounded = _THREE_DIGITS.create_decimal_from_float(float(value))
    is_plain = 1e-4 <= abs(value) < 1e6
    return f"{rounded.normalize():f}" if is_plain else f"{rounded:.2e}"
