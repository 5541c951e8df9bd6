"""Logs of the authors' code: `<timestamp>.log.json`, a JSON object a line."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from miaod_nb.errors import RunFolderError

Record = Mapping[str, Any]

# Their loss terms, each with those of ours that it stands for, and their sum in each kind of stage.
LOSSES = {
    "l_det_cls": ("classification",),
    "l_det_loc": ("box",),
    "l_wave_dis": ("unlabeled_discrepancy",),
    "l_wave_dis_minus": ("unlabeled_agreement",),
    "l_imgcls": ("image_classification", "unlabeled_image_classification"),
}
TOTALS = {"label_set": "L_det", "minimize": "L_wave_min", "maximize": "L_wave_max"}


@dataclass(frozen=True)
class WorkLog:
    """What the authors' code logged.

    path: the folder. evaluations: the mAP of every evaluated detector, in order. training: the
    records of loss terms. seed: of the run, if noted.
    """

    path: Path
    evaluations: tuple[float, ...] = ()
    training: tuple[Record, ...] = ()
    seed: int | None = None

    def mean_ap(self, cycles: int) -> tuple[float, ...]:
        """One mAP a cycle, of the first cycles: the last of each where all have several.

        Raises RunFolderError when it cannot be told which cycle a mAP belongs to.
        """
        if len(self.evaluations) <= cycles:
            return self.evaluations
        each, left = divmod(len(self.evaluations), cycles)
        if left:
            raise RunFolderError(
                f"the log has {len(self.evaluations)} mAPs for {cycles} cycles: it cannot be told "
                "which belongs to which",
                where=self.path / "*.log.json",
                remedy='keep one line with "mAP" for each cycle, in order',
            )
        return self.evaluations[each - 1 :: each]


def read_work_log(folder: Path) -> WorkLog:
    """All `*.log.json` files of the folder, by name; without any, an empty log.

    A last line that was cut off is passed over. Raises RunFolderError for any other broken line,
    and for a mAP that is no number from 0 to 1.
    """
    records = [r for path in sorted(folder.glob("*.log.json")) for r in _read_records(path)]
    seeds = [r["seed"] for r in records if isinstance(r.get("seed"), int)]
    return WorkLog(
        path=folder,
        evaluations=tuple(_checked(r["mAP"], folder) for r in _evaluations(records)),
        training=tuple(record for record in records if _is_training(record)),
        seed=seeds[-1] if seeds else None,
    )


def _evaluations(records: Sequence[Record]) -> list[Record]:
    """The records with a mAP; of several without training between them the last, since the same
    detector was evaluated again."""
    found: list[Record] = []
    trained = logs_training = any(_is_training(record) for record in records)
    for record in records:
        trained = trained or _is_training(record)
        if "mAP" in record:
            if not trained and logs_training:
                found.pop()
            found.append(record)
            trained = False
    return found


def _is_training(record: Record) -> bool:
    return record.get("mode") == "train" and "mAP" not in record


def _read_records(path: Path) -> Sequence[Record]:
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        if isinstance(record, dict):
            records.append(record)
        elif number < len(lines):
            raise RunFolderError(
                f"line {number} of the log is no JSON object: {line[:60]}",
                where=path,
                remedy="remove the line, or restore the file",
            )
    return records


def _checked(value: Any, folder: Path) -> float:
    if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1:
        return float(value)
    raise RunFolderError(
        f"a mAP in the log is {value!r}, not a number from 0 to 1",
        where=folder / "*.log.json",
        remedy="restore the log, or remove the line",
    )


def cycle_lines(
    records: Sequence[Record], mean_ap: float | None, meta: Record, batch_size: int
) -> list[str]:
    """The lines that the authors' code would log of a cycle: `meta` and the loss terms of every
    stage, and the mAP.

    records: the training steps of a run's log. `iter` counts through the stage. In the adversarial
    stages a value is the mean over the two steps of a pair, as theirs is.
    """
    lines: list[Record] = []
    for stage, of_stage in groupby(records, lambda record: record["stage"]):
        lines += [meta, *(_train_line(record, stage, batch_size) for record in of_stage)]
    if mean_ap is not None:
        last = {key: lines[-1][key] for key in ("epoch", "iter", "lr")} if lines else {}
        lines += [{"mode": "val"} | last | {"mAP": mean_ap}]
    return [json.dumps(line) for line in lines]


def _train_line(record: Record, stage: str, batch_size: int) -> Record:
    steps = 1 if stage.startswith("label_set") else 2  # in one step of the log
    terms = record["terms"]
    losses = {
        name: sum(terms[term] for term in ours if term in terms) / steps
        for name, ours in LOSSES.items()
        if any(term in terms for term in ours)
    }
    total = next(name for kind, name in TOTALS.items() if stage.startswith(kind))
    speed = record.get("images_per_s")
    took = {"time": round(steps * batch_size / speed, 5)} if speed else {}
    return {
        "mode": "train", "epoch": record["epoch"] + 1, "iter": record["step"],
        "lr": record["learning_rate"], **took, **losses, total: sum(losses.values()),
    }  # fmt: skip
