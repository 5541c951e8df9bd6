"""What a few runs say of many: confidence intervals."""

import math

# Student's t, two-sided 95 %, for 2 values, 3, ...; the last for 11, and a little wide for more.
T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)


def half_width(deviation: float, count: int) -> float:
    """Half of the 95 % confidence interval of a mean, by Student's t.

    deviation: the standard deviation of the `count` values, of a sample (n - 1). Raises ValueError
    for fewer than two values, which say nothing of their spread.
    """
    if count < 2:
        raise ValueError(f"{count} values have no confidence interval")
    return T_95[min(count - 2, len(T_95) - 1)] * deviation / math.sqrt(count)
