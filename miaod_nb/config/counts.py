"""How many images or anchors an amount means."""

import math


def count_of(amount: float, total: int) -> int:
    """The count that an amount means: itself from 1 on, below 1 that fraction of `total`, rounded
    down. It may be 0, or more than there are."""
    # The small term keeps 0.29 * 100 = 28.999... from losing one.
    return int(amount) if amount >= 1 else math.floor(amount * total + 1e-9)
