"""Which images every strategy takes of `toy`, where all is known of them.

`python docs/strategies_table.py` trains the detector of one cycle (in runs/strategies; a few
minutes on two cores), lets every strategy choose with it as many images as the preset says, and
writes docs/results/toy/strategies.md and .csv.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from miaod_nb import open_run
from miaod_nb.config import validated
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.folding import fold
from miaod_nb.detector.model import DetectionModel
from miaod_nb.experiment import Run
from miaod_nb.inspection.otherwise import choose_with
from miaod_nb.passes.inference import load_batch
from miaod_nb.passes.observing import observe
from miaod_nb.selection.protocol import Strategy
from miaod_nb.selection.registry import BUILT_IN, build_strategy
from miaod_nb.toy.toy import DIFFICULTY

OUT = Path(__file__).parent / "results" / "toy"
POOL = "(the whole pool)"
TIMED, TOGETHER = 64, 8  # images, and how many of them make a batch
# Settings that add to a strategy or divide the batch, besides every strategy as it is.
MORE: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("entropy", {"entropy_aggregate": "mean"}),
    ("entropy", {"entropy_aggregate": "sum"}),
    ("mi_aod", {"max_similarity": 0.95}),
    ("mi_aod", {"class_target": "even"}),
    ("mix", {"mix": "30% coreset, 70% entropy"}),
    ("mix", {"mix": "30% typicality, 70% entropy"}),
    *(
        (name, {"budget": budget})
        for budget in ("150boxes", "25minutes")  # about what 60 images drawn at random cost
        for name in ("mi_aod", "entropy", "coreset", "random")
    ),
)

PAGE = """\
# Which images each strategy takes

One toy pool, one detector (seed {seed}, {labeled} labeled images), one batch of {budget} images for
each strategy: `python docs/strategies_table.py` wrote this. Boxes are those of the labels, minutes
{image_seconds:g} seconds an image and {box_seconds:g} a box (`image_seconds`, `box_seconds`). The
kinds are shares of the images, as the pool's `difficulty.csv` names them. In common: of all images
that this strategy or the first one takes, the share that both take (Jaccard). ms: what a look at an
image costs the processor, on one core, without reading it; 20 % up or down are chance.

{table}

One seed and one cycle: a kind that has a few images more or less here says little. Beside the
setting `budget` stands what a batch was expected to cost at most, and in the table what its labels
have: the estimate is made from labeled images that train, and a choice by value for cost prefers
images whose boxes the detector overlooks. So it is low, the more so where cheap images are wanted.
"""


def describe(name: str, taken: pd.DataFrame, run: Run) -> dict[str, Any]:
    """A row of the table. taken: the images, as difficulty.csv has them."""
    seconds = len(taken) * run.config.image_seconds
    seconds += taken["objects"].sum() * run.config.box_seconds
    kinds = taken["kind"].value_counts(normalize=True)
    return {
        "strategy": name, "images": len(taken), "boxes": int(taken["objects"].sum()),
        "boxes an image": round(taken["objects"].mean(), 2), "minutes": round(seconds / 60, 1),
        **(100 * kinds).round(1).to_dict(),
    }  # fmt: skip


@torch.inference_mode()
def milliseconds(
    strategy: Strategy, model: DetectionModel, batches: Sequence[UnlabeledBatch]
) -> float:
    """Processor time of a strategy's look at an image, the median over the batches."""
    if not strategy.card.columns:
        return 0.0
    times = []
    for batch in batches:
        begun = time.process_time()
        observe(model, batch, strategy)
        times.append((time.process_time() - begun) / len(batch))
    return 1000 * float(pd.Series(times).median())


def table_of(run: Run) -> pd.DataFrame:
    """What every strategy takes in the run's first cycle: a row each, MI-AOD's first."""
    known = pd.read_csv(run.data_root / DIFFICULTY, dtype={"id": str}).set_index("id")
    pool = run.dataset.ids(run.dataset.unlabeled(run.sets(0), 0))
    every = [(name, {}) for name, one in BUILT_IN.items() if not one.card.labels_all]
    rows = [describe(POOL, known.loc[sorted(pool)], run)]
    first: set[str] = set()
    torch.set_num_threads(1)
    model, records = fold(run.load_model(0)), [run.dataset.records[one] for one in pool[:TIMED]]
    batches = [
        load_batch(model, records[start : start + TOGETHER], run.config)
        for start in range(0, TIMED, TOGETHER)
    ]
    for name, settings in [*every, *MORE]:
        ids = {row["id"] for row in choose_with(run, 0, name, settings)}
        first = first or ids
        spelled = ", ".join(f"{key}={value}" for key, value in settings.items())
        row = describe(f"{name} {spelled}".strip(), known.loc[sorted(ids)], run)
        strategy = build_strategy(
            validated(run.config.model_dump() | {"strategy": name} | dict(settings))
        )
        rows.append(row | {
            "in common": round(len(ids & first) / len(ids | first), 2),
            "ms": round(milliseconds(strategy, model, batches), 1),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    kinds = [kind for kind in known["kind"].value_counts().index if kind in table]
    others = [name for name in table if name not in kinds]
    return table[others + kinds].fillna(dict.fromkeys(kinds, 0.0))


def as_markdown(table: pd.DataFrame) -> str:
    """The table as the page has it; shares of kinds without digits."""
    named = {"strategy", "images", "boxes", "boxes an image", "minutes", "in common", "ms"}
    cells = [
        ["" if pd.isna(value) else f"{value:.0f} %" if name not in named else str(value)
         for name, value in zip(table.columns, row, strict=True)]
        for row in table.itertuples(index=False)
    ]  # fmt: skip
    lines = [list(table.columns), ["---", *["--:"] * (len(table.columns) - 1)], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    run = open_run("toy", run_dir="runs/strategies", overrides={"cycles": 1})
    run.run()
    table = table_of(run)
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / "strategies.csv", index=False)
    config = run.config
    page = PAGE.format(
        seed=config.seed, labeled=len(run.sets(0).labeled), budget=run.record.budget,
        image_seconds=config.image_seconds, box_seconds=config.box_seconds,
        table=as_markdown(table),
    )  # fmt: skip
    (OUT / "strategies.md").write_text(page)


if __name__ == "__main__":
    main()
