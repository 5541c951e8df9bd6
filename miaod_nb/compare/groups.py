"""Which runs are of one kind, so that a figure may average them, and which cannot be compared."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from miaod_nb.config import spell
from miaod_nb.errors import DataError
from miaod_nb.evaluation import headline
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


def refuse_other_data(records: Sequence[RunRecord], kinds: Collection[str] = KINDS) -> None:
    """Raises DataError for runs whose numbers are of different images or classes. kinds: which
    of the KINDS count."""
    for record in records[1:]:
        for kind in kinds:
            if getattr(record, kind) != getattr(records[0], kind):
                raise DataError(
                    f"these runs {KINDS[kind]}: their numbers cannot stand in one figure",
                    where=f"{records[0].root}, {record.root}",
                    remedy="compare runs on the same data; `miaod report` shows others side by "
                    "side and says what cannot be compared",
                )  # fmt: skip


def refuse_other_metrics(records: Sequence[RunRecord]) -> None:
    """Raises DataError for runs that are judged by different metrics."""
    for record in records[1:]:
        metrics = [headline(one.config.preset) for one in (records[0], record)]
        if metrics[0] != metrics[1]:
            raise DataError(
                f"these runs are judged by different metrics, {' and '.join(metrics)}",
                where=f"{records[0].root}, {record.root}",
                remedy="put runs of presets with one metric into a table",
            )


def refuse_other_settings(records: Sequence[RunRecord], but: Collection[str]) -> None:
    """Raises DataError for runs that differ in a setting that decides results, but for these."""
    settings = [settings_of(record) for record in records]
    for record, own in zip(records, settings, strict=True):
        if names := differing([settings[0], own], but):
            values = [spell(one.get(names[0])) for one in (settings[0], own)]
            raise DataError(
                f"these runs are not of one recipe: {names[0]} is {values[0]} and {values[1]}",
                where=f"{records[0].root}, {record.root}",
                remedy="put each recipe under a name of its own, or into a table of its own",
            )
