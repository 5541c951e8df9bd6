"""Which images a run is about: a table of its first data and of what joined later."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from miaod_nb.data.records import ImageRecord
from miaod_nb.errors import RunFolderError
from miaod_nb.progress import say
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.schema import Described, ListDigest, read_document

POOL, LEDGER = "pool.parquet", "ledger.jsonl"
LISTS = ("pool", "test")
# list: pool or test. path: below the data folder. joined: the first cycle that the image takes part
# in, 0 for the first data. Of a run of an earlier version, source and path are not known: "".
COLUMNS = {
    "id": "str", "list": "str", "source": "str", "path": "str", "width": "int32",
    "height": "int32", "joined": "int32",
}  # fmt: skip


def pool_table(
    pool: Sequence[ImageRecord], joined: Sequence[int], test: Sequence[ImageRecord], root: Path
) -> pd.DataFrame:
    """The table of these images. joined: as in COLUMNS, of each pool image. root: the data
    folder."""
    prefix, records = f"{root}/", [*pool, *test]
    table = pd.DataFrame({
        "id": [record.id for record in records],
        "list": ["pool"] * len(pool) + ["test"] * len(test),
        "source": [record.source for record in records],
        "path": [str(record.image_path).removeprefix(prefix) for record in records],
        "width": [record.width for record in records],
        "height": [record.height for record in records],
        "joined": [*joined, *[0] * len(test)],
    })  # fmt: skip
    return table.astype(COLUMNS)


def read_pool(folder: RunFolder) -> pd.DataFrame | None:
    """The table of a run, the pool in the order of its indices; None for a folder without a run.

    A run of an earlier version has the images in its config.json. Raises RunFolderError.
    """
    if folder.exists(POOL):
        table = folder.load_parquet(POOL)
        if list(table) != list(COLUMNS):
            raise RunFolderError(
                "the file does not describe the images of a run",
                where=folder.path(POOL),
                remedy="restore it from a copy, or choose another run_dir",
            )
        return table
    if not folder.exists("config.json"):
        return None
    document: Described = read_document(folder, "config.json", Described)
    data: Mapping[str, Any] = document["identity"]["data"]
    lists = {name: data.get(name, ()) for name in LISTS}
    if any(isinstance(lines, Mapping) for lines in lists.values()):
        raise RunFolderError(
            "the table of the run's images is missing",
            where=folder.path(POOL),
            remedy="restore it from a copy, or choose another run_dir",
        )
    try:
        rows = [(name, *_parts(line)) for name, lines in lists.items() for line in lines]
    except ValueError:
        raise RunFolderError(
            "a line of its lists of images is not an id and a size",
            where=f"{folder.path('config.json')}, field identity.data",
            remedy="restore it from a copy, or choose another run_dir",
        ) from None
    table = pd.DataFrame(rows, columns=["list", "id", "width", "height"])
    return table.assign(source="", path="", joined=0)[list(COLUMNS)].astype(COLUMNS)


def _parts(line: str) -> tuple[str, int, int]:
    image_id, _, size = line.rpartition(" ")
    width, _, height = size.partition("x")
    return image_id, int(width), int(height)


def save_pool(folder: RunFolder, table: pd.DataFrame, before: pd.DataFrame | None) -> None:
    """Writes the table if it is another one than `before`, and notes and says what joined. Raises
    RunFolderError when the cycle that images were to join has begun meanwhile."""
    known = {} if before is None else dict(zip(before["id"], before["joined"], strict=True))
    new = table[(table["joined"] > 0) & ~table["id"].isin(known)]
    for cycle, rows in new.groupby("joined"):
        if "split" in folder.done_steps(cycle):
            raise RunFolderError(
                f"another process has begun cycle {cycle} of this run since it was opened here",
                where=folder.root,
                remedy="run the same command again, or restart the notebook",
            )
        event = {"event": "joined", "cycle": int(cycle), "images": rows["id"].tolist()}
        line = json.dumps(event)[:-1]  # a run that was killed before it wrote the table has it
        if not folder.exists(LEDGER) or line not in folder.load_text(LEDGER):
            folder.append_line(LEDGER, json.dumps(event | {"time": time.time()}))
        say(f"{len(rows)} new images joined the pool, first {rows['id'].iloc[0]}: they take part "
            f"from cycle {cycle}")  # fmt: skip
    if before is None or not table.equals(before) or not folder.exists(POOL):
        folder.save_parquet(POOL, table)


def ids_of(table: pd.DataFrame, list_name: str) -> tuple[str, ...]:
    """Ids of the images of a list ("pool", "test"), in the order of their indices."""
    return tuple(table.loc[table["list"] == list_name, "id"])


def first_data(table: pd.DataFrame) -> dict[str, list[str]]:
    """What the identity of the run says of each list: "id WxH" of the images that it began with."""
    return {
        name: [
            f"{row.id} {row.width}x{row.height}"
            for row in table[(table["list"] == name) & (table["joined"] == 0)].itertuples()
        ]
        for name in LISTS
    }


def digested(data: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of the data with a digest in place of each list of images."""
    return {
        key: _digest_of(value) if key in LISTS and not isinstance(value, Mapping) else value
        for key, value in data.items()
    }


def _digest_of(lines: Iterable[str]) -> ListDigest:
    lines = list(lines)
    return {"images": len(lines), "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}
