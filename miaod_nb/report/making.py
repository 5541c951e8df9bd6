"""The last part of a report: how to make it again, on what it ran, what it took."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from miaod_nb.config import changes, spell
from miaod_nb.report.pieces import (
    Command,
    Piece,
    Section,
    Table,
    Text,
    duration,
)
from miaod_nb.report.reported import ReportedRun
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.steps import shown

NO_STAGE = ("step", "weights", "review", None)  # events of the log that end no stage


def how_it_was_made(runs: Sequence[ReportedRun]) -> Section:
    """Settings, environment and cost of every run."""
    pieces: list[Piece] = [
        Text(
            "These commands make the runs again. --data-root, where it stands, is the folder in "
            "which you have the images."
        ),
        Command("\n".join(map(_command, runs))),
    ]
    settings = [
        {"run": run.name, "preset": run.record.config.preset, "setting": name,
         "value": spell(value)}
        for run in runs for name, value in changes(run.record.config).items()
    ]  # fmt: skip
    if settings:
        pieces.append(Table("Settings that differ from the preset.", pd.DataFrame(settings)))
    pieces.append(Table("Code and machine.", pd.DataFrame([_environment(run) for run in runs])))
    pieces += _cost(runs)
    return Section("How it was made", pieces)


def _command(run: ReportedRun) -> str:
    parts = ["miaod", "run", "--preset", run.record.config.preset]
    if not run.is_generated:  # else the preset brings them
        parts += ["--data-root", Path(run.record.data_root or "").name]
    parts += ["--run-dir", run.record.folder.root.name]
    for name, value in changes(run.record.config).items():
        parts += ["--set", f"{name}={spell(value)}"]
    return shlex.join(parts)


def _environment(run: ReportedRun) -> dict[str, str]:
    found = run.record.environment()
    return {"run": run.name} | {name: str(value)[:20] for name, value in found.items()}


def _cost(runs: Sequence[ReportedRun]) -> list[Piece]:
    rows = [
        {"run": run.name, "cycle": str(cycle)}
        | {shown(name): duration(time) for name, time in minutes.items()}
        | {"in all": duration(sum(minutes.values()))}
        for run in runs for cycle in range(run.record.cycles)
        if (minutes := stage_minutes(run.record.folder, cycle))
    ]  # fmt: skip
    if not rows:
        return [Text("The log tells no times.")]
    table = pd.DataFrame(rows)
    names = [name for name in table if name != "in all"]
    return [Table(
        "How long each stage took, by the times in the log. A pause between two sessions "
        "counts in; a dash is a stage that the run does not have, or whose result was taken over "
        "from another run.", table[[*names, "in all"]],
    )]  # fmt: skip


def stage_minutes(folder: RunFolder, cycle: int) -> dict[str, float]:
    """How long the stages of a cycle took: from the event that ended the one before to its own.
    A review takes people's time, not the machine's: it is none."""
    events = {record["event"]: record["time"] for record in folder.read_log()
              if record.get("cycle") == cycle and record.get("event") not in NO_STAGE
              and "time" in record}  # fmt: skip
    if "split" not in events:
        return {}
    is_taken_over = folder.exists(f"cycle{cycle}/taken_over.json")
    before, minutes = events.pop("split"), {}
    for event, time in events.items():
        stage = event.removeprefix("end of ")
        if not (is_taken_over and stage != event) and time >= before:
            minutes[stage] = (time - before) / 60
            before = time
    return minutes
