"""Which runs are of one kind, so that a figure may average them, and which cannot be compared."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from miaod_nb.config import spell
from miaod_nb.errors import DataError
from miaod_nb.plots.look import FULL
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.registry import card_of_run

SEEDS = {"seed", "split_seed"}
KINDS = {"test": "are evaluated on other images", "first_classes": "detect other classes",
         "pool": "choose from other images"}  # fmt: skip


def label_runs(records: Sequence[RunRecord]) -> list[str]:
    """What each run is called beside the others: its strategy, and the settings in which runs of
    that strategy differ. Runs that differ in their seeds alone have one name."""
    cards = [card_of_run(record) for record in records]
    names = [FULL if card.labels_all else card.look or card.label for card in cards]
    settings = [settings_of(record) for record in records]
    labels = []
    for name, own in zip(names, settings, strict=True):
        alike = [one for other, one in zip(names, settings, strict=True) if other == name]
        extra = [f"{key}={spell(own.get(key))}" for key in differing(alike, but=SEEDS)]
        labels.append(f"{name} ({', '.join(extra)})" if extra else name)
    return labels


def settings_of(record: RunRecord) -> dict[str, Any]:
    """The settings that decide a run's results, two spellings of one training as one."""
    found = {name: value for name, value in record.described["identity"].items() if name != "data"}
    return found | {"training": card_of_run(record).training_of(record.config.training)}


def differing(settings: Sequence[Mapping[str, Any]], but: Collection[str]) -> list[str]:
    """The settings that are not the same in all, in their order."""
    names = dict.fromkeys(name for one in settings for name in one if name not in but)
    return [n for n in names if any(one.get(n) != settings[0].get(n) for one in settings)]


def refuse_other_data(records: Sequence[RunRecord]) -> None:
    """Raises DataError for runs whose numbers are of different images or classes."""
    for record in records[1:]:
        for kind, words in KINDS.items():
            if getattr(record, kind) != getattr(records[0], kind):
                raise DataError(
                    f"these runs {words}: their numbers cannot stand in one figure",
                    where=f"{records[0].root}, {record.root}",
                    remedy="compare runs on the same data; `miaod report` shows others side by "
                    "side and says what cannot be compared",
                )  # fmt: skip
