"""The uncertainty viewer: why an image was chosen, layer by layer and anchor by anchor."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from traitlets import Dict, List, Unicode, observe

from miaod_nb.data.transforms import InputSize
from miaod_nb.errors import ConfigError
from miaod_nb.experiment.run import Run
from miaod_nb.inspection.anchor_values import find_image
from miaod_nb.inspection.maps import anchor_map
from miaod_nb.inspection.table import SHOWN_SCORE
from miaod_nb.labeling.reviewing import newest_batch
from miaod_nb.plots.look import label_of
from miaod_nb.runs.card import PER_CLASS
from miaod_nb.runs.score_table import headers_of
from miaod_nb.selection.uncertainty import num_averaged
from miaod_nb.views.base import FROM_SCRIPT, View, source, styles
from miaod_nb.views.contract import LAYERS, Layer, Listed, Panel, Payload, Truth
from miaod_nb.views.looked_at import LookedAt
from miaod_nb.views.payload import anchor_panel, photo
from miaod_nb.views.stills import Still, heat_picture, opened
from miaod_nb.wording import number_text

START = {  # without predictions: their boxes would lie over the layer that one wants to see
    "layer": "discrepancy", "level": -1, "class": -1, "opacity": 0.5, "boxes": False,
    "truth": True, "anchors": False, "k": 0, "sort": "score",
}  # fmt: skip
DIFFERENCES = {"l1": "|p₁ − p₂|", "l2": "(p₁ − p₂)²"}


class UncertaintyViewer(View):
    """See `uncertainty_viewer`. Its state as the script has it:

    index: the images, each a `Listed`. ks: the counts of anchors of the k slider. settings: layer
    ("none" or a key of LAYERS), level and class (-1: all), opacity, boxes, truth, anchors, k
    (place in ks) and sort. payload: the image that was asked for last; embedded: others that need
    no kernel, by id. wanted: what the script asks for. Told by the script: shown, the id of the
    image that is seen; listed, the place that was clicked, and its anchors (places in the grid).
    """

    _esm = source(
        "heat.js", "picture.js", "curves.js", "order.js", "controls.js", "legends.js", "tables.js",
        "layout.js", "panels.js", "viewer.js",
    )  # fmt: skip
    _css = styles("viewer.css")

    index: Any = List().tag(sync=True)
    classes: Any = List().tag(sync=True)
    ks: Any = List().tag(sync=True)
    units: Any = Dict().tag(sync=True)
    disagreement_of = Unicode("").tag(sync=True)
    payload: Any = Dict().tag(sync=True)
    embedded = Dict().tag(sync=True)
    settings = Dict(START).tag(**FROM_SCRIPT)
    wanted = Dict().tag(**FROM_SCRIPT)
    shown = Unicode("").tag(**FROM_SCRIPT)
    listed = Dict().tag(**FROM_SCRIPT)

    def look_at(
        self, run: Run, cycle: int | None, beside: Iterable[Any], ids: Iterable[str]
    ) -> None:
        """Shows the most uncertain image of a cycle. Raises ConfigError and others."""
        self._looked_at = _all_looked_at(run, cycle, beside, tuple(ids))
        first = self._looked_at[0]
        with self.hold_sync():
            self.classes = list(run.record.classes)
            self.ks = first.ks
            self.units = _units(first)
            self.settings = START | {"k": first.ks.index(_own_k(first))}
            self.index, self.disagreement_of = _index(self._looked_at)
            self.payload = self.payload_of(first.table["id"].iloc[0])

    def payload_of(self, image_id: str) -> Payload:
        """All that is needed to show an image; the detectors are asked if nobody did before."""
        first = self._looked_at[0]
        truth: Truth | None = None
        panels: list[Panel] = []
        for looked_at in self._looked_at:
            values = looked_at.values(image_id)
            truth = truth or looked_at.truth(image_id, values.size)
            config = looked_at.run.config
            panel = anchor_panel(
                values,
                first.run.record.classes,
                config.uncertainty_norm,
                config.weighted_selection,
            )
            standing = looked_at.standing(values, self.ks)
            panels.append({"title": looked_at.title, **standing, **panel})
        image = photo(find_image(first.run, image_id))
        return {"id": image_id, "size": list(values.size), "image": image, "truth": truth,
                "panels": panels}  # fmt: skip

    def still(self) -> Still | None:
        """The image that was asked for last, its detections and the layer that is chosen."""
        if not self.payload:
            return None
        payload, first = self.payload, self._looked_at[0]
        panel, values = payload["panels"][0], first.values(payload["id"])
        layer = str(self.settings["layer"])
        layer = layer if layer in LAYERS else "discrepancy"
        heat = anchor_map(values.layers()[layer], values.grid, values.size)
        image = np.asarray(opened(payload["image"]).resize(values.size[::-1]))
        found = values.detections.above(SHOWN_SCORE)
        names = found.names(first.run.record.classes)
        texts = [f"{name} {score:.2f}" for name, score in zip(names, found.scores, strict=True)]
        score = "" if panel["score"] is None else f", score {number_text(panel['score'])}"
        rank = "" if panel["rank"] is None else f", rank {panel['rank']} of {panel['pool']}"
        return Still(
            f"Uncertainty viewer, {panel['title']}: image {payload['id']}{rank}{score}; what is "
            f"found in it and where the classifiers differ.",
            heat_picture(image, found.boxes.tolist(), texts, heat, LAYERS[layer]),
        )

    def embed(self, ids: Iterable[str]) -> None:
        """Keeps these images in the view, so that an executed notebook or a page shows them too.
        An image takes about 50 to 300 kB. A view that shows nothing keeps its message alone."""
        if not self.index:
            return
        with self.explaining():
            wanted = list(ids)
            self._refuse_unlisted(wanted)
            self.embedded = self.embedded | {one: self.payload_of(one) for one in wanted}

    def _refuse_unlisted(self, ids: Iterable[str]) -> None:
        """Raises ConfigError for images that nobody could find in the view."""
        listed = {image["id"] for image in self.index}
        for image_id in ids:
            if image_id not in listed:
                raise ConfigError(
                    f"this view has no image '{image_id}'",
                    where=self._looked_at[0].title,
                    remedy="choose ids of its `index`, or name the image among the `ids` of "
                    "`uncertainty_viewer`",
                )

    @observe("wanted")
    def _bring(self, change: Any) -> None:
        with self.explaining():
            self.payload = self.payload_of(change["new"]["id"])


def uncertainty_viewer(
    run: Run, cycle: int | None = None, beside: Iterable[tuple[Run, int]] = (),
    ids: Iterable[str] = (),
) -> UncertaintyViewer:  # fmt: skip
    """The images of a cycle of a run and where its classifiers differ on them.

    cycle: None is the newest that has chosen images. beside: further cycles, of this run or of
    others on the same images, whose detectors are shown the same image. ids: a few images of the
    pool instead of those that the cycle scored; then the cycle may still be in training. What
    cannot be shown is said in the view.
    """
    viewer = UncertaintyViewer()
    with viewer.explaining():
        viewer.look_at(run, cycle, beside, ids)
    return viewer


def _all_looked_at(
    run: Run, cycle: int | None, beside: Iterable[Any], ids: tuple[str, ...]
) -> list[LookedAt]:
    cycle = newest_batch(run.record) if cycle is None else cycle
    run.refuse_cycle(cycle)
    found = [LookedAt(run, cycle, ids=ids)]
    for other, other_cycle in beside:
        other.refuse_cycle(other_cycle)
        _refuse_apart(run, other, other_cycle)
        scored = bool(other.card.columns)
        found.append(LookedAt(other, other_cycle, bool(scored or ids), ids))
    return found


def _refuse_apart(run: Run, other: Run, cycle: int) -> None:
    """Raises ConfigError for runs whose boxes are not in pixels of the same images."""
    differing = ""
    if InputSize.of(other.config) != InputSize.of(run.config):
        differing = "sizes of images (image_size or resize)"
    elif other.record.pool != run.record.pool or not _knows_more(run, other, cycle):
        differing = "images or classes"
    if differing:
        raise ConfigError(
            f"the runs that are to stand side by side have other {differing}",
            where=f"{run.folder.root}, {other.folder.root}",
            remedy="choose cycles of one run, or runs on the same data in the same size",
        )


def _knows_more(run: Run, other: Run, cycle: int) -> bool:
    """Whether the classes of a cycle of another run are the first ones of this run."""
    theirs = other.record.classes_of(cycle)
    return theirs == run.record.classes[: len(theirs)]


def _own_k(looked_at: LookedAt) -> int:
    """The k of the run's own score, among the table's."""
    return num_averaged(looked_at.run.config.top_k, max(looked_at.ks))


def _units(looked_at: LookedAt) -> dict[Layer, list[str]]:
    """What the layers measure: for all classes, and for one."""
    difference = DIFFERENCES[looked_at.run.config.uncertainty_norm]
    return {
        "discrepancy": [f"mean of {difference} over the outputs", difference],
        "weight": ["sum over the classes; 1 is the average anchor of a level", "part of the class"],
        "weighted": [f"mean of {difference} × weight of each class", f"{difference} × weight"],
    }


def _index(looked_at: Sequence[LookedAt]) -> tuple[list[Listed], str]:
    """The images that can be looked at, and what `disagreement` compares."""
    first = looked_at[0]
    other, name = _other_ranks(looked_at)
    parts = _class_parts(first)
    scored = first.table["rank"].where(first.table["score"].notna())
    away = ((scored.rank(ascending=False) - other).abs() / len(first.table)).round(3)
    images: list[Listed] = [
        {"id": row.id, "rank": None if pd.isna(row.rank) else int(row.rank),
         "score": _short(row.score),
         "labeled": row.id in first.labeled, "selected": row.id in first.selected,
         "classes": parts.get(row.id),
         "disagreement": None if pd.isna(away[row.id]) else float(away[row.id])}
        for row in first.table.loc[:, ["id", "rank", "score"]].itertuples(index=False)
    ]  # fmt: skip
    images += [
        {"id": image_id, "rank": None, "score": None, "labeled": True, "selected": False}
        for image_id in sorted(first.labeled if not first.ids else ())
    ]
    own = first.run.card.label
    return images, f"{own} and {name} disagree most"


def _other_ranks(looked_at: Sequence[LookedAt]) -> tuple[pd.Series, str]:
    """How another strategy ranks the inspected images, and its name: one that stands beside, or
    else entropy (MI-AOD for a run of entropy)."""
    first = looked_at[0]
    own = first.run.card.name
    for other in looked_at[1:]:
        card = other.run.card
        if other.scored and card.ranks_by and card.name != own:
            scores = other.table["score"].reindex(first.table.index)
            return scores.rank(), card.label
    name = "entropy" if own != "entropy" else "mi_aod"
    column = "entropy" if own != "entropy" else f"mean {_own_k(first)}"
    return first.table[column].rank(), label_of(name)


def _class_parts(looked_at: LookedAt) -> dict[str, list[float | None]]:
    """The part of each class in the recorded scores of the images, by id."""
    if looked_at.ids:
        return {}
    if PER_CLASS not in looked_at.run.card.columns:
        return {}
    columns = headers_of(PER_CLASS, looked_at.run.record.classes_of(looked_at.cycle))
    table = looked_at.run.record.scores(looked_at.cycle, ["id", *columns]).set_index("id")
    table = table.loc[looked_at.table.index]
    return {image_id: [_short(part) for part in row]
            for image_id, row in zip(table.index, table.to_numpy(), strict=True)}  # fmt: skip


def _short(value: float) -> float | None:
    """Three digits are enough to sort by and to read; None where there is no value."""
    return None if pd.isna(value) else float(f"{value:.3g}")
