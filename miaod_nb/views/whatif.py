"""What if the batch had been chosen otherwise: other settings, the same detector, no training."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from traitlets import Dict, Unicode, observe

from miaod_nb.config import Budget
from miaod_nb.config.shares import EVEN
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.experiment.pricing import learn_seconds
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.anchor_values import find_image, keep_anchor_values
from miaod_nb.inspection.features import ALIKE, kept_features
from miaod_nb.inspection.inspected import BEST_BUDGETS
from miaod_nb.inspection.otherwise import detected
from miaod_nb.inspection.replay import (
    STRATEGIES,
    UNITS,
    Seen,
    costs_of,
    difference,
    kept_counts,
    replay,
)
from miaod_nb.plots.look import label_of
from miaod_nb.selection.choosing import prices_of
from miaod_nb.selection.class_coverage import class_boxes
from miaod_nb.selection.decisions import verdicts_of
from miaod_nb.selection.outputs import Outputs
from miaod_nb.selection.uncertainty import num_averaged
from miaod_nb.views.base import FROM_SCRIPT, View, source, styles
from miaod_nb.views.batches import batch_of
from miaod_nb.views.contract import Changed, Options, Replayed
from miaod_nb.views.payload import photo
from miaod_nb.views.stills import TILES, Still, sheet

TILE = 128  # pixels of the longest side of a picture
SHOWN = 60  # pictures of added images, and as many of dropped ones


class WhatIf(View):
    """See `what_if`. Its state as the script has it:

    options: see `Options`; settings: strategy, aggregate, k, weighted, budget, unit, second, share,
    max_similarity, class_target (see `replay`), set by the script or in Python. result: a
    `Replayed`, with the settings that it answers.
    """

    _esm = source("whatif.js")
    _css = styles("whatif.css")
    heading = Unicode("").tag(sync=True)
    options: Any = Dict().tag(sync=True)
    settings = Dict().tag(**FROM_SCRIPT)
    result = Dict().tag(sync=True)
    pictures = Dict().tag(sync=True)

    def look_at(self, run: Run, cycle: int | None) -> None:
        """Takes the images of a cycle. Raises ConfigError and others."""
        cycle = batch_of(run, cycle).cycle
        table, verdicts = keep_anchor_values(run, cycle), verdicts_of(run.record, cycle)
        self._run, self._table = run, table[~table["id"].isin(list(verdicts.barred))]
        self._known: dict[str, str] = {}  # pictures made so far
        self._cycle, self._seen = cycle, costs_seen(run, cycle)
        self._batch = [i for i in run.record.selected(cycle) if i not in verdicts.barred]
        with self.hold_sync():
            self.heading = f"What if: the batch of cycle {cycle}, {run.folder.root.name}"
            self.options = options_of(run, self._table, self._seen, bool(verdicts.wanted))
            self.settings = self.options["run"]

    def still(self) -> Still | None:
        """The images that come in; with the run's own settings there are none."""
        if not self.result:
            return None
        added, kept = self.result["added"], self.result["kept"]
        tiles = [(self.pictures.get(one["id"], ""), f"in: {one['id']}") for one in added[:TILES]]
        own = self.options["run"]
        ways = ", ".join(
            f"{name} {value}" for name, value in self.result["settings"].items()
            if value != own[name]
        ) or "the run's own settings"  # fmt: skip
        text = f"{self.heading}: with {ways}, {kept} images stay and {len(added)} come in."
        return Still(text, sheet(tiles))

    @observe("settings")
    def _replay(self, change: Any) -> None:
        with self.explaining():
            _refuse_incomplete(self.settings, self.options.get("run", {}))
            self._seen = seen_for(self.settings, self._run, self._cycle, self._table, self._seen)
            result = replayed(
                self._table, self.options["run"], self.settings, self._seen, self._batch
            )
            shown = [row["id"] for row in result["added"][:SHOWN] + result["dropped"][:SHOWN]]
            with self.hold_sync():
                self.pictures = {i: self._picture(i) for i in shown if self._picture(i)}
                self.result = {"settings": dict(self.settings), **result}

    def _picture(self, image_id: str) -> str:
        """The picture of an image; "" if its file is gone, which is no reason to show nothing."""
        if image_id not in self._known:
            try:
                self._known[image_id] = photo(find_image(self._run, image_id), TILE)
            except DataError:
                self._known[image_id] = ""
        return self._known[image_id]


def what_if(run: Run, cycle: int | None = None) -> WhatIf:
    """How the batch of a cycle of a run would change with other settings of the selection.

    cycle: None is the newest that has chosen images. The batch is replayed from values that are
    kept of the most uncertain images and a sample of the others, without those that people have
    skipped or deferred, and without regard to what they accepted. What cannot be shown is said in
    the view.
    """
    view = WhatIf()
    with view.explaining():
        view.look_at(run, cycle)
    return view


def costs_seen(run: Run, cycle: int) -> Seen:
    """What labels of the cycle are expected to cost, as far as the run knows it."""
    prices = prices_of(run.record.selection(cycle))
    return Seen(
        estimate=prices.estimate if prices else None, seconds=learn_seconds(run, run.config)
    )


def seen_for(
    settings: Mapping[str, Any], run: Run, cycle: int, table: pd.DataFrame, seen: Seen
) -> Seen:
    """What is seen, with what these settings ask for besides, which the cycle's detector looks up
    when it is first asked. Raises as `keep_anchor_values` does."""
    labeled = run.record.labeled(cycle)
    if settings["max_similarity"] < 1 and seen.features is None:
        found = kept_features(run, cycle, [*table["id"], *labeled])
        seen = seen._replace(
            features=found[: len(table)], labeled_features=found[len(table) :]
        )  # fmt: skip
    if settings["class_target"] and seen.labeled_boxes is None:
        count, found_there = len(run.record.classes_of(cycle)), detected(run, cycle, labeled)
        boxes = [class_boxes(Outputs(found_there[image_id], count)) for image_id in labeled]
        seen = seen._replace(labeled_boxes=np.stack(boxes))
    return seen


def options_of(
    run: Run, table: pd.DataFrame, seen: Seen, has_wishes: bool = False
) -> Options:  # fmt: skip
    """What can be set, and how the run itself has it. has_wishes: people accepted images."""
    ks, budget = kept_counts(table), min(run.record.budget, int(table["rank"].notna().sum()))
    config, own_budget = run.config, Budget.of(run.config.budget)
    own = {
        "strategy": run.card.name, "aggregate": "mean",
        "k": num_averaged(config.top_k, ks[-1]), "weighted": config.weighted_selection,
        "budget": budget if own_budget.in_images else own_budget.amount, "unit": own_budget.unit,
        "second": "", "share": 50, "max_similarity": config.max_similarity,
        "class_target": config.class_target,
    }  # fmt: skip
    sampled = int((table["kind"] == "sample").sum())
    scope = f"Chosen among all {len(table)} images of the pool that nobody set aside."
    if table["stands_for"].sum() > len(table):
        scope = (
            f"Chosen among the {len(table) - sampled} most uncertain images and {sampled} drawn at "
            "random of the rest."
        )
    if has_wishes:
        scope += " What people accepted or asked for is not taken into account."
    labels = {name: label_of(name) for name in STRATEGIES} | {
        "least_confidence": "least confidence"
    }
    batch = table.sort_values("rank").head(budget)
    costs: dict[str, int] = {
        unit: max(round(float(costs_of(batch, seen, unit).sum())), 1)
        for unit in UNITS if unit != "images"
    }  # fmt: skip
    return {
        "strategies": labels | ({} if run.card.name in labels else {run.card.name: run.card.label}),
        "ks": ks, "anchors": ks[-1], "most": min(BEST_BUDGETS * budget, len(table)),
        "costs": {"images": budget, **costs},
        "added": {
            "max_similarity": min(config.max_similarity, ALIKE),
            "class_target": config.class_target or EVEN,
        },
        "run": own, "scope": scope,
    }  # fmt: skip


def replayed(
    table: pd.DataFrame, own: Mapping[str, Any], settings: Mapping[str, Any], seen: Seen,
    batch: list[str],
) -> Replayed:  # fmt: skip
    """How the batch of these settings differs from that of the run's own: replayed where a column
    alone decides it, else the batch as it is. Raises ConfigError."""
    replayed_by = partial(replay, table, own=own["strategy"], seen=seen)
    before = replayed_by(**own) if _is_order(own) else batch
    after = before if settings == own else replayed_by(**settings)
    changed = difference(before, after)
    known = table.dropna(subset="rank")
    most = len(table) if settings["strategy"] in STRATEGIES else len(known)
    order = replayed_by(**{**settings, "budget": most}) if _is_order(settings) else after
    old = dict(zip(known["id"], known["rank"].astype(int).tolist(), strict=True))
    new = {image_id: rank for rank, image_id in enumerate(order, start=1)}

    def rows(ids: list[str]) -> list[Changed]:
        return [{"id": i, "before": old.get(i), "after": new.get(i)} for i in ids]

    return {
        "added": rows(changed.added), "dropped": rows(changed.dropped), "ids": after,
        "kept": len(after) - len(changed.added), "jaccard": changed.jaccard,
    }  # fmt: skip


def _is_order(settings: Mapping[str, Any]) -> bool:
    """Whether images have ranks beyond the batch: of a single strategy that ranks them."""
    is_plain = settings["max_similarity"] >= 1 and not settings["class_target"]
    is_single = not settings["second"] and settings["unit"] == "images"
    return is_plain and is_single and settings["strategy"] != "random"


def _refuse_incomplete(settings: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raises ConfigError for settings that are not of the kind that the run's own are."""
    if _kinds(settings) != _kinds(own):
        raise ConfigError(
            f"settings = {dict(settings)} are not complete, or of another kind",
            where="settings",
            remedy=f"give all of these, for example {dict(own)}",
        )


def _kinds(settings: Mapping[str, Any]) -> dict[str, type]:
    """The type of each setting; whole numbers are numbers."""
    kinds = {name: type(value) for name, value in settings.items()}
    return {name: float if kind is int else kind for name, kind in kinds.items()}
