"""The runs that a report is about, read from their folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from miaod_nb.compare.groups import label_runs
from miaod_nb.errors import DataError, MiaodError
from miaod_nb.experiment import Run, open_run
from miaod_nb.report.reported import ReportedRun
from miaod_nb.runs.pool_file import first_data, read_pool
from miaod_nb.runs.record import RunRecord, is_run, nearest_run


def load_runs(runs: Sequence[Run | str | Path]) -> list[ReportedRun]:
    """The runs, each once. Raises MiaodErrors for a folder that is no run, and if nothing was done
    yet."""
    folders: dict[Path, Run | None] = {}
    for run in runs:
        root = run.folder.root if isinstance(run, Run) else Path(run)
        folders.setdefault(root.resolve(), run if isinstance(run, Run) else None)
    records = [_record(root) for root in folders]
    if not any(record.cycles for record in records):
        raise DataError("there is nothing to report: no cycle was begun",
                        where=", ".join(map(str, folders)),
                        remedy=f"miaod run --run-dir {records[0].root}"
                        if records else "name a run folder")  # fmt: skip
    names, labels = [root.name for root in folders], label_runs(records)
    return [
        ReportedRun(
            f"{root.parent.name}/{root.name}" if names.count(root.name) > 1 else root.name, label,
            record, *_opened(record, experiment),
        )
        for (root, experiment), record, label in zip(folders.items(), records, labels, strict=True)
    ]  # fmt: skip


def _record(root: Path) -> RunRecord:
    if not is_run(root):
        raise DataError(
            "this is no run folder of miaod",
            where=root,
            remedy=f"{nearest_run(root)}name folders that hold a config.json; a work folder of the "
            "authors' code becomes one by `miaod convert`",
        )
    return RunRecord.open(root)


def _opened(record: RunRecord, experiment: Run | None) -> tuple[Run | None, str]:
    """What reads the run's images, and why some of them cannot be shown; None if none can."""
    try:
        run = experiment or open_run(run_dir=record.root, overrides={"device": "auto"})
        return run, _changed(record, run)
    except MiaodError as error:
        place = f" ({error.where})" if error.where is not None else ""
        return None, f"{error.what}{place}"


def _changed(record: RunRecord, experiment: Run) -> str:
    """In which way the images are other ones than the run was made with; "" if they are not."""
    now, table = experiment.dataset.identity, read_pool(record.folder)
    lists = first_data(table) if table is not None else {}
    data: dict[str, Any] = {**record.described["identity"]["data"], **lists}
    for kind in ("pool", "test"):
        gone = sorted({*data[kind]} - {*now[kind]})
        new = sorted({*now[kind]} - {*data[kind]})
        if gone:
            return (f"{len(gone)} images of the run ({kind}) are gone or of another size, first "
                    f"{_ids(gone)[0]}")  # fmt: skip
        if missing := experiment.dataset.missing:
            return f"{len(missing)} images that joined the run are gone, first {missing[0]}"
        if new:
            return f"{len(new)} images ({kind}) were added since the run, first {_ids(new)[0]}"
    return "" if data == now else "the images stand in another order, or other classes were labeled"


def _ids(described: Sequence[str]) -> tuple[str, ...]:
    """Ids of images that are described as "id WxH"."""
    return tuple(one.rpartition(" ")[0] for one in described)
