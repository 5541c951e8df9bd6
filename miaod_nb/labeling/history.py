"""Every image's story in one table: when and why it was chosen, where it went, who labeled it."""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from miaod_nb.errors import ConfigError
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.runs.pool_file import LEDGER
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.decisions import decisions_of
from miaod_nb.wording import number_text

# time: seconds since 1970, NaN where it is not known. detector: the run's fingerprint and the cycle
# that trained it. seconds: that the labeling took.
COLUMNS = ("time", "image", "cycle", "event", "rank", "score", "detector", "by", "seconds", "what")


def history(record: RunRecord, image_id: str = "") -> pd.DataFrame:
    """The events of a run's images, of one or of all, in the order of time: the COLUMNS.

    Raises ConfigError for an image that the run does not have, and RunFolderError.
    """
    if image_id and image_id not in record.pool:
        raise ConfigError(f"this run has no image '{image_id}' to label", where="image",
                          remedy="give the id of an image of its pool")  # fmt: skip
    rows = [*_chosen(record), *_decided(record), *_ledger(record), *_answered(record)]
    table = pd.DataFrame([row for row in rows if image_id in ("", row["image"])], columns=COLUMNS)
    table = table.sort_values(["time", "cycle"], kind="stable", na_position="first")
    return table.reset_index(drop=True)


def history_lines(table: pd.DataFrame) -> list[str]:
    """The same for people, a line an event."""
    lines = []
    for row in table.itertuples():
        when = "" if pd.isna(row.time) else f"{pd.Timestamp(row.time, unit='s'):%Y-%m-%d %H:%M:%S}"
        parts = [f"cycle {row.cycle:.0f}" if pd.notna(row.cycle) else "", str(row.event)]
        parts += [f"rank {row.rank:.0f}"] if pd.notna(row.rank) else []
        parts += [f"score {number_text(row.score)}"] if pd.notna(row.score) else []
        parts += [str(row.what)] if row.what else []
        parts += [f"by {row.by}"] if row.by else []
        parts += [f"{row.seconds:.0f} seconds"] if pd.notna(row.seconds) else []
        parts += [f"detector {row.detector}"] if row.detector else []
        lines.append(f"{when:19}  {row.image}: {', '.join(filter(None, parts))}")
    return lines


def _row(image: str, event: str, **more: Any) -> dict[str, Any]:
    texts = {"detector": "", "by": "", "what": ""}
    return {**dict.fromkeys(COLUMNS, None), **texts, "image": image, "event": event, **more}


def _chosen(record: RunRecord) -> Iterator[dict[str, Any]]:
    """The images that the run began with, and those that each cycle chose."""
    times = {
        one["cycle"]: one.get("time") for one in record.folder.read_log()
        if one.get("event") == "select"
    }  # fmt: skip
    if record.cycles:
        for image_id in record.labeled(0):
            yield _row(image_id, "began the run", cycle=0)
    for cycle in filter(record.has_chosen, range(record.cycles)):
        selection = record.selection(cycle)
        for row in selection["selected"]:
            yield _row(
                row["id"], f"chosen by {selection['strategy']}", cycle=cycle, rank=row["rank"],
                score=row["score"], time=times.get(cycle), what=row["reason"],
                detector=f"{record.fingerprint[:8]}/cycle{cycle}",
            )  # fmt: skip


def _decided(record: RunRecord) -> Iterator[dict[str, Any]]:
    """What people decided on the board or by file."""
    for cycle in range(record.cycles):
        for one in decisions_of(record, cycle):
            yield _row(one.id, f"decided: {one.action}", cycle=cycle, time=one.time, what=one.note)


def _ledger(record: RunRecord) -> Iterator[dict[str, Any]]:
    """What the ledger has of images: joined, exported, imports that were taken back."""
    if not record.folder.exists(LEDGER):
        return
    for line in record.folder.load_text(LEDGER).splitlines():
        try:
            event = json.loads(line)
            images, name = list(event["images"]), str(event["event"])
        except (ValueError, KeyError, TypeError, RecursionError):  # a line that a crash left torn
            continue
        if name == "imported":  # its answers are told one by one
            continue
        what = f"to {event['tool']}" if "tool" in event else str(event.get("import", ""))
        for image_id in images:
            yield _row(image_id, name, cycle=event.get("cycle"), time=event.get("time"), what=what)


def _answered(record: RunRecord) -> Iterator[dict[str, Any]]:
    """Every answer about an image, also those that were taken back or followed by others."""
    for one in LabelStore(record.folder).all_answers():
        boxes = f"{len(one.objects)} boxes" if one.objects else "nothing there"
        origin = f", import {one.imported}" * bool(one.imported)
        yield _row(one.id, "labeled", time=one.time, by=one.by, seconds=one.seconds,
                   what=f"{boxes} ({one.source}{origin})")  # fmt: skip
