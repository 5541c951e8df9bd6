"""How well learning curves are continued: the last points of finished curves are hidden, expected
from those before, and held against what was measured. Prints the tables of stop-or-go.md.

`python docs/stop_or_go.py` takes the published curves and every curve of docs/results first;
`python docs/stop_or_go.py --simulated` takes 500 made-up curves of each form (two minutes).
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from miaod_nb.evaluation import VOC12_AP
from miaod_nb.evaluation.extrapolation import LEAST, Curves, fit_curves
from miaod_nb.plots import PUBLISHED

RESULTS = Path(__file__).parent / "results"
POOL = 16551  # images of VOC07+12 trainval
SIMULATED, AHEAD = 500, 20  # curves; times the first labels: where "all labels" of these stand


class Known(NamedTuple):
    """A finished curve, and what all labels were measured to bring: (images, mAP)."""

    images: np.ndarray
    scores: np.ndarray
    full: tuple[float, float] | None


class Tried(NamedTuple):
    """A hidden point and what was expected of it: from how many points, and where it stands."""

    known: int
    where: str
    measured: float
    low: float
    expected: float
    high: float
    power_low: float
    power: float
    power_high: float
    last: float
    line: float


def published() -> list[Known]:
    """The curves of the authors' figure; all of the same detector."""
    images, full = PUBLISHED.index.to_numpy() / 100 * POOL, PUBLISHED["all labels"].iloc[0] / 100
    names = [name for name in PUBLISHED if name != "all labels"]
    return [Known(images, PUBLISHED[name].to_numpy() / 100, (POOL, full)) for name in names]


def own() -> list[Known]:
    """Every run of docs/results, each held against full supervision that trains alike."""
    found = []
    for path in sorted(RESULTS.glob("*/*.csv")):
        table = pd.read_csv(path).rename(
            columns={"selection": "strategy", "images": "labeled_images"}
        )
        if not {"strategy", "training", "seed", VOC12_AP, "labeled_images"} <= set(table):
            continue
        is_full = table["strategy"].str.startswith("full")
        kinds = ["strategy", "training", *[c for c in ("recipe", "run") if c in table]]
        for kind, rows in table[~is_full].groupby([*kinds, "seed"]):
            of_kind = dict(zip(kinds, kind, strict=False))
            alike = table[is_full & (table["training"] == of_kind["training"])]
            if "recipe" in of_kind:
                alike = alike[alike["recipe"] == of_kind["recipe"]]
            full = (alike["labeled_images"].mean(), alike[VOC12_AP].mean()) if len(alike) else None
            rows = rows.dropna(subset=VOC12_AP).sort_values("labeled_images")
            found.append(Known(rows["labeled_images"].to_numpy(), rows[VOC12_AP].to_numpy(), full))
    return found


def simulated(form: str) -> Iterator[Known]:
    """Curves of seven points with a noise of 0.01 to 0.02. form: power law, exponential, or
    S-shaped: slow at first, which neither form of the fit is."""
    rng = np.random.default_rng(0)
    for _ in range(SIMULATED):
        images = 100 + rng.choice([50, 100]) * np.arange(7)
        ratio = np.append(images, 100 * AHEAD) / 100
        if form == "power law":
            left = ratio ** -rng.uniform(0.2, 1.4)
        elif form == "exponential":
            left = np.exp(-np.exp(rng.uniform(np.log(0.1), np.log(1.5))) * (ratio - 1))
        else:
            late = rng.uniform(1, 5)
            left = (1 + late) / (ratio ** rng.uniform(1.2, 2.5) + late)
        ceiling = rng.uniform(0.4, 0.95)
        truth = ceiling - ceiling * rng.uniform(0.2, 0.9) * left
        scores = np.clip(truth + rng.uniform(0.01, 0.02) * rng.normal(size=8), 0, 1)
        yield Known(images, scores[:7], (100.0 * AHEAD, float(scores[7])))


def hide(curve: Known) -> Iterator[Tried]:
    """Each hidden point of the curve, from three known points on, and full supervision."""
    for known in range(LEAST, len(curve.images) + 1):
        n, y = curve.images[:known], curve.scores[:known]
        curves = fit_curves(n, y)
        power = power_laws(curves)
        hidden = list(zip(curve.images[known:], curve.scores[known:], strict=True))
        named = [(f"{k} ahead", *point) for k, point in enumerate(hidden[:3], start=1)]
        named += [("all labels", *curve.full)] if curve.full else []
        for where, images, score in named:
            one, other = curves.measured_at(images), power.measured_at(images)
            line = y[-1] + (y[-1] - y[-2]) / (n[-1] - n[-2]) * (images - n[-1])
            yield Tried(
                known, where, score, one.low, one.mean, one.high, other.low, other.mean, other.high,
                y[-1], min(line, 1.0),
            )  # fmt: skip


def power_laws(curves: Curves) -> Curves:
    """Those of the curves that are power laws: the answer if there were no other form."""
    arrays = [field.name for field in fields(Curves) if field.name not in ("first", "last")]
    which = curves.is_power if curves.is_power.any() else ~curves.is_power
    return replace(curves, **{name: getattr(curves, name)[which] for name in arrays})


def table_of(curves: Iterable[Known]) -> pd.DataFrame:
    """How far off and how often right, by where the hidden point stands."""
    tried = pd.DataFrame([one for curve in curves for one in hide(curve)], columns=Tried._fields)
    truth = tried["measured"]
    judged = pd.DataFrame({
        "point": tried["where"],
        "in its interval": (tried["low"] <= truth) & (truth <= tried["high"]),
        "width": tried["high"] - tried["low"],
        "off": (tried["expected"] - truth).abs(),
        "last value off": (tried["last"] - truth).abs(),
        "straight line off": (tried["line"] - truth).abs(),
        "power law alone: in": (tried["power_low"] <= truth) & (truth <= tried["power_high"]),
        "power law alone: off": (tried["power"] - truth).abs(),
    })  # fmt: skip
    by_point = judged.groupby("point")
    return by_point.mean().assign(points=by_point.size()).reset_index()


def markdown(table: pd.DataFrame) -> str:
    """The table as text; shares with two digits, mAP with three."""
    names = ["point", "points", *[name for name in table if name not in ("point", "points")]]
    lines = ["| " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) - 1)]
    for _, row in table.iterrows():
        cells = [f"{row[n]:.2f}" if n.endswith("in") or n.startswith("in ") else f"{row[n]:.3f}"
                 for n in names[2:]]  # fmt: skip
        lines.append("| " + " | ".join([row["point"], str(row["points"]), *cells]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    forms = ("power law", "exponential", "S-shaped") if "--simulated" in sys.argv else ()
    print(f"published\n\n{markdown(table_of(published()))}\n")
    print(f"docs/results\n\n{markdown(table_of(own()))}\n")
    for form in forms:
        print(f"{form}\n\n{markdown(table_of(simulated(form)))}\n", flush=True)
