"""The effects of a grid in words: nothing is called better whose interval includes zero."""

from collections.abc import Iterable, Sequence

import pandas as pd

from miaod_nb.compare.effects import TwoByTwo, table_of
from miaod_nb.evaluation.statistics import smallest_p
from miaod_nb.plots.look import label_of
from miaod_nb.wording import number_text

BY_CHANCE = 0.05  # of 95 % intervals leave zero out where there is nothing
ANSWERS = {  # of an effect above zero, below it, and undecided: the choice, and the units
    "training gain": ("MI-AOD's training pays {1}", "MI-AOD's training costs {1}",
                      "It is open whether MI-AOD's training pays {1}"),
    "selection gain": ("Choosing by {0} pays {1}", "Choosing by {0} costs {1}",
                       "It is open whether choosing by {0} pays {1}"),
    "interaction": ("Choosing by {0} gains more with MI-AOD's training, {1}",
                    "Choosing by {0} gains less with MI-AOD's training, {1}",
                    "It is open whether what choosing by {0} gains depends on the training, {1}"),
}  # fmt: skip


def main_effects(answers: Iterable[TwoByTwo]) -> pd.DataFrame:
    """The effects that say most, as `table_of` has them: those of the area under the curve where
    there is one, else of the last cycle; by effect, then in the order of the answers."""
    found = []
    for answer in answers:
        last = max((one.cycle for one in answer.effects if one.cycle is not None), default=0)
        areas = [one for one in answer.effects if one.cycle is None]
        found += areas or [one for one in answer.effects if one.cycle == last]
    return table_of(sorted(found, key=lambda one: list(ANSWERS).index(one.name)))


def interval_text(row: pd.Series) -> str:
    """A difference and its 95 % interval."""
    known = f"{row['low']:+.3f} to {row['high']:+.3f}" if pd.notna(row["low"]) else "no interval"
    return f"{row['mean']:+.3f} ({known})".replace("-", "−")


def gain_text(row: pd.Series) -> str:
    """A difference, its interval, and over what it was taken."""
    low, high = number_text(row["from"]), number_text(row["to"])
    range_, at = f"over {low} to {high} {row['by']}", f"at {high} {row['by']}"
    return f"{interval_text(row)} {range_ if row['from'] < row['to'] else at}"


def say_effects(effects: pd.DataFrame, selection: str) -> str:
    """The answers of `main_effects` as sentences, a list item an effect."""
    lines = []
    for name, rows in effects.groupby("effect", sort=False):
        words = ANSWERS[str(name)]
        for which, alike in rows.groupby(rows.apply(_which, axis=1)):
            *others, last = [f"by {unit}" for unit in alike["by"]]
            units = f"{', '.join(others)} and {last}" if others else last
            gains = "; ".join(gain_text(row) for _, row in alike.iterrows())
            said = words[int(str(which))].format(label_of(selection), units)
            lines.append(f"- **{said}:** {gains}.")
    return "\n".join(lines)


def say_comparisons(comparisons: pd.DataFrame, against: str = "random") -> str:
    """How many selections are above or below one, which, and how many would be by chance."""
    many = comparisons["recipe"].nunique() > 1
    named = [
        label_of(row["effect"]) + f" ({row['recipe']})" * many + f" by {row['by']}"
        for _, row in comparisons.iterrows()
    ]
    sides = [_which(row) for _, row in comparisons.iterrows()]
    parts = [
        f"{word} {against} {', '.join(n for n, s in zip(named, sides, strict=True) if s == side)}"
        for side, word in enumerate(("above", "below")) if side in sides
    ]  # fmt: skip
    count = len(comparisons)
    return (
        f"- **Selections against {against}:** {count} comparisons; "
        f"{'; '.join(parts) or 'none leaves zero out'}. By chance alone about "
        f"{BY_CHANCE * count:.1f} would leave zero out."
    )


def say_limits(effects: pd.DataFrame, told: str, notes: Sequence[str]) -> str:
    """What the intervals are over, how few the pairs are, and what was left out."""
    pairs, left_out = int(effects["seeds"].min()), int(effects["left_out"].max())
    exact = f"{pairs} pairs: an exact test by signs cannot give a p below {smallest_p(pairs):.2g}."
    resamples = f"{left_out} resamples without one of the classes are left out."
    reasons = [f"No interval: {reason}." for reason in effects["reason"].unique() if reason]
    lines = [told, *reasons, *[exact] * (pairs > 1), *[resamples] * bool(left_out)]
    lines += [f"{note}." for note in notes]
    return "\n".join(f"- {line[0].upper()}{line[1:]}" for line in dict.fromkeys(lines))


def _which(row: pd.Series) -> int:
    """0: above zero, 1: below, 2: not decided."""
    return 2 if not row["decided"] else int(row["mean"] < 0)
