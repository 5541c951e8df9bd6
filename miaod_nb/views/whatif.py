"""What if the batch had been chosen otherwise: other settings, the same detector, no training."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
from traitlets import Dict, Unicode, observe

from miaod_nb.config import Budget
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.anchor_values import find_image, keep_anchor_values
from miaod_nb.inspection.inspected import BEST_BUDGETS
from miaod_nb.inspection.replay import STRATEGIES, difference, kept_counts, replay
from miaod_nb.plots.look import label_of
from miaod_nb.selection.decisions import verdicts_of
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

    options: see `Options`; settings: strategy, aggregate, k, weighted, budget, set by the script or
    in Python. result: a `Replayed`, with the settings that it answers.
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
        with self.hold_sync():
            self.heading = f"What if: the batch of cycle {cycle}, {run.folder.root.name}"
            self.options = options_of(run, self._table, bool(verdicts.wanted))
            self.settings = self.options["run"]

    def still(self) -> Still | None:
        """The images that come in; with the run's own settings there are none."""
        if not self.result:
            return None
        added, kept = self.result["added"], self.result["kept"]
        tiles = [(self.pictures.get(one["id"], ""), f"in: {one['id']}") for one in added[:TILES]]
        ways = ", ".join(f"{name} {value}" for name, value in self.result["settings"].items())
        text = f"{self.heading}: with {ways}, {kept} images stay and {len(added)} come in."
        return Still(text, sheet(tiles))

    @observe("settings")
    def _replay(self, change: Any) -> None:
        with self.explaining():
            _refuse_incomplete(self.settings, self.options.get("run", {}))
            result = replayed(self._table, self.options["run"], self.settings)
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


def options_of(run: Run, table: pd.DataFrame, has_wishes: bool = False) -> Options:
    """What can be set, and how the run itself has it. has_wishes: people accepted images."""
    ks, budget = kept_counts(table), min(run.record.budget, int(table["rank"].notna().sum()))
    own = {
        "strategy": run.card.name, "aggregate": "mean",
        "k": num_averaged(run.config.top_k, ks[-1]), "weighted": run.config.weighted_selection,
        "budget": budget,
    }  # fmt: skip
    sampled = int((table["kind"] == "sample").sum())
    scope = f"Chosen among all {len(table)} images of the pool that nobody set aside."
    if table["stands_for"].sum() > len(table):
        scope = (
            f"Chosen among the {len(table) - sampled} most uncertain images and {sampled} drawn at "
            "random of the rest."
        )
    if not Budget.of(run.config.budget).in_images:
        scope += " Here all images cost the same, however many boxes they have."
    if has_wishes:
        scope += " What people accepted or asked for is not taken into account."
    labels = {name: label_of(name) for name in STRATEGIES} | {run.card.name: run.card.label}
    return {
        "strategies": labels,
        "ks": ks, "anchors": ks[-1], "most": min(BEST_BUDGETS * budget, len(table)),
        "run": own, "scope": scope,
    }  # fmt: skip


def replayed(table: pd.DataFrame, own: Mapping[str, Any], settings: Mapping[str, Any]) -> Replayed:
    """How the batch of these settings differs from that of the run's own. Raises ConfigError."""
    replayed_by = partial(replay, table, own=own["strategy"])
    before, after = replayed_by(**own), replayed_by(**settings)
    changed = difference(before, after)
    known = table.dropna(subset="rank")
    has_order = settings["strategy"] != "random"
    most = len(table) if settings["strategy"] in STRATEGIES else len(known)
    order = replayed_by(**{**settings, "budget": most}) if has_order else after
    old = dict(zip(known["id"], known["rank"].astype(int).tolist(), strict=True))
    new = {image_id: rank for rank, image_id in enumerate(order, start=1)}

    def rows(ids: list[str]) -> list[Changed]:
        return [{"id": i, "before": old.get(i), "after": new.get(i)} for i in ids]

    return {
        "added": rows(changed.added), "dropped": rows(changed.dropped), "ids": after,
        "kept": len(after) - len(changed.added), "jaccard": changed.jaccard,
    }  # fmt: skip


def _refuse_incomplete(settings: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raises ConfigError for settings that are not of the kind that the run's own are."""
    kinds = {name: type(value) for name, value in settings.items()}
    if kinds != {name: type(value) for name, value in own.items()}:
        raise ConfigError(
            f"settings = {dict(settings)} are not complete, or of another kind",
            where="settings",
            remedy=f"give all of these, for example {dict(own)}",
        )
