"""What other strategies would have chosen in a cycle, with the detector that it has."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from miaod_nb.boxes import Detections, count_labels
from miaod_nb.config import Config, validated
from miaod_nb.errors import ConfigError
from miaod_nb.experiment.pricing import learn_seconds
from miaod_nb.experiment.run import Run
from miaod_nb.experiment.selecting import see_all, selection_of, tables_of
from miaod_nb.inspection.anchor_values import find_image
from miaod_nb.inspection.asking import detector_of
from miaod_nb.inspection.replay import difference
from miaod_nb.inspection.table import SHOWN_SCORE
from miaod_nb.passes.inference import detect_images
from miaod_nb.passes.kept_detections import keep_detections, kept_detections
from miaod_nb.runs.machine import memory_explained
from miaod_nb.runs.schema import SelectedImage
from miaod_nb.selection.protocol import Strategy
from miaod_nb.selection.registry import build_strategy, plain

COSTING = ("budget", "image_seconds", "box_seconds")  # settings that no strategy sees by


def choose_with(
    run: Run, cycle: int, strategy: str, settings: Mapping[str, Any] | None = None,
    budget: float | str | None = None,
) -> list[SelectedImage]:  # fmt: skip
    """What a strategy would have chosen in a cycle of a run, with the cycle's detector: nothing is
    trained. Rows as in selection.json, most wanted first.

    settings: of the strategy, such as {"entropy_aggregate": "sum"}; the others are the run's.
    budget: as the setting; None: the run's. Seed and people's decisions are the run's too, so its
    own strategy chooses what it has chosen. What the strategy sees in the images that the cycle
    scores, and in labeled ones where it asks for these, is kept in the run folder; what was cut off
    goes on. Raises ConfigError, DataError, DecisionError and RunFolderError.
    """
    run.refuse_cycle(cycle)
    given = {} if budget is None else {"budget": budget}
    chooser, config = _strategy_with(run, {"strategy": strategy, **(settings or {}), **given})
    tables = tables_of(run, cycle, chooser.card, _prefix(run.config, config))
    missing = {
        which: shards for which, shards in tables.items()
        if not all(map(shards.is_done, range(len(shards))))
    }  # fmt: skip
    if missing:
        with memory_explained():
            see_all(run, detector_of(run, cycle), chooser, missing)
    return selection_of(run, cycle, chooser, config, tables)["selected"]


def strategies_side_by_side(run: Run, cycle: int, names: Sequence[str]) -> pd.DataFrame:
    """What strategies would take with one detector, a row a strategy.

    Columns: strategy (its label); images, how many it takes; boxes, how many objects the detector
    sees there; minutes, how long people would work at them; in_common, the share of all images of
    this and of the first strategy that both take (Jaccard); and `class <name>`, of which classes
    the boxes are. Raises as `choose_with` does.
    """
    seconds, classes = learn_seconds(run, run.config), run.record.classes_of(cycle)
    taken = {name: [row["id"] for row in choose_with(run, cycle, name)] for name in names}
    every = list(dict.fromkeys(i for ids in taken.values() for i in ids))
    found = {i: one.above(SHOWN_SCORE) for i, one in detected(run, cycle, every).items()}
    rows = []
    for name, ids in taken.items():
        counts = count_labels((found[i].labels for i in ids), len(classes))
        work = len(ids) * seconds.image + counts.sum() * seconds.box
        rows.append({
            "strategy": _strategy_with(run, {"strategy": name})[0].card.label,
            "images": len(ids), "boxes": int(counts.sum()), "minutes": work / 60,
            "in_common": difference(taken[names[0]], ids).jaccard,
            **{f"class {one}": int(n) for one, n in zip(classes, counts, strict=True)},
        })  # fmt: skip
    return pd.DataFrame(rows)


def detected(run: Run, cycle: int, ids: Sequence[str]) -> dict[str, Detections]:
    """What the cycle's detector finds in images of the run, by id; what is new is kept in the run
    folder. Raises as `choose_with` does."""
    found = kept_detections(run.folder, cycle, ())
    records = [find_image(run, image_id) for image_id in ids if image_id not in found]
    if records:
        model = detector_of(run, cycle)
        with memory_explained():
            new = detect_images(model, records, run.config, f"cycle {cycle} boxes")
        keep_detections(run.folder, cycle, new)
        found |= new
    return {image_id: found[image_id] for image_id in ids}


def _strategy_with(run: Run, changes: Mapping[str, Any]) -> tuple[Strategy, Config]:
    """The strategy that these changes of the run's settings make, and the settings. What the run's
    settings add to its own strategy another one does without. Raises ConfigError for a strategy
    that chooses nothing, and for settings that decide more than a choice."""
    is_own = changes["strategy"] == run.config.strategy
    before = run.config if is_own else plain(run.config, run.card)
    config = validated(before.model_dump() | dict(changes))
    strategy = build_strategy(config)
    if strategy.card.labels_all:
        raise ConfigError(f"the strategy '{config.strategy}' chooses no images: it labels all",
                          where="strategy", remedy="choose another strategy")  # fmt: skip
    own = ("strategy", *COSTING, *strategy.card.settings)
    for name in changes:
        if name not in own:
            raise ConfigError(
                f"{name} is no setting of the choice of '{config.strategy}'", where=name,
                remedy="choose of: " + ", ".join(own[1:]),
            )  # fmt: skip
    return strategy, config


def _prefix(own: Config, other: Config) -> str:
    """What the tables of what a strategy sees begin with: "" for what the run itself sees."""
    before, now = own.model_dump(mode="json"), other.model_dump(mode="json")
    changed = {name: now[name] for name in now if now[name] != before[name]}
    seen = {name: value for name, value in changed.items() if name not in COSTING}
    if "budget" in changed and isinstance(other.budget, str) != isinstance(own.budget, str):
        seen["budget"] = isinstance(other.budget, str)  # boxes are counted, or not
    digest = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:8]
    return f"{other.strategy}-{digest}-" if seen else ""
