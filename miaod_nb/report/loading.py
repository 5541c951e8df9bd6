"""The runs that a report is about, read from their folders."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from miaod_nb.compare.groups import label_runs
from miaod_nb.config import validated
from miaod_nb.errors import DataError, MiaodError
from miaod_nb.experiment import Run, open_run
from miaod_nb.experiment.opening import stored_experiment
from miaod_nb.report.reported import ReportedRun
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.pool_file import first_data, read_pool
from miaod_nb.runs.record import RunRecord, is_run


def load_runs(runs: Sequence[Run | str | Path]) -> list[ReportedRun]:
    """The runs, each once. Raises MiaodErrors for a folder that is no run, and if nothing was done
    yet."""
    folders: dict[Path, Run | None] = {}
    for run in runs:
        is_open = isinstance(run, Run)
        root = run.folder.root if isinstance(run, Run) else Path(run)
        folders.setdefault(root.resolve(), run if is_open else None)  # type: ignore[arg-type]
    loaded = [_load(root, experiment, list(folders)) for root, experiment in folders.items()]
    if not any(run.cycles for run in loaded):
        raise DataError("there is nothing to report: no cycle was begun",
                        where=", ".join(str(run.folder.root) for run in loaded),
                        remedy=f"miaod run --run-dir {loaded[0].folder.root}"
                        if loaded else "name a run folder")  # fmt: skip
    return _labeled(loaded)


def _load(root: Path, experiment: Run | None, all_roots: Sequence[Path]) -> ReportedRun:
    if not is_run(root):
        raise DataError("this is no run folder of miaod", where=root,
                        remedy="name folders that hold a config.json; a work folder of the "
                        "authors' code becomes one by `miaod convert`")  # fmt: skip
    folder = RunFolder(root)
    document = stored_experiment(folder)
    record = RunRecord.open(root)
    experiment, trouble = (experiment, "") if experiment else _opened(root)
    if experiment and not trouble:
        trouble = _changed(folder, document["identity"]["data"], experiment)
    has_namesake = [other.name for other in all_roots].count(root.name) > 1
    return ReportedRun(
        name=f"{root.parent.name}/{root.name}" if has_namesake else root.name, label="",
        folder=folder, config=validated(document["settings"]), identity=document["identity"],
        data_root=str(document.get("data_root", "")), classes=record.classes,
        pool=record.pool, test=record.test, experiment=experiment, trouble=trouble,
    )  # fmt: skip


def _opened(root: Path) -> tuple[Run | None, str]:
    """The experiment, or why there is none."""
    try:
        run = open_run(run_dir=root, overrides={"device": "auto"})
        _ = run.dataset  # its images and labels are there
        return run, ""
    except MiaodError as error:
        place = f" ({error.where})" if error.where is not None else ""
        return None, f"{error.what}{place}"


def _changed(folder: RunFolder, data: dict[str, Any], experiment: Run) -> str:
    """In which way the images are other ones than the run was made with; "" if they are not."""
    now, table = experiment.dataset.identity, read_pool(folder)
    data = data | (first_data(table) if table is not None else {})
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


def _labeled(runs: Sequence[ReportedRun]) -> list[ReportedRun]:
    """The runs with their labels."""
    labels = label_runs([RunRecord.open(run.folder.root) for run in runs])
    return [replace(run, label=label) for run, label in zip(runs, labels, strict=True)]
