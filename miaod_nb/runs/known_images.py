"""The table of checked images in a run folder: a start decodes no image that an earlier one did."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from miaod_nb.data.checked import CheckedImages
from miaod_nb.errors import RunFolderError
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import project_folder

IMAGES = "images.parquet"


def known_images(run_dir: Path | None) -> pd.DataFrame | None:
    """What this run, or else the one beside it that was begun last, knows of images.

    run_dir=None: a run of `runs` whose folder is not known yet.
    """
    if run_dir is not None and (run_dir / IMAGES).is_file():
        return _load(run_dir)
    folder = project_folder() / "runs" if run_dir is None else run_dir.resolve().parent
    beside = max(_dated(folder.glob(f"*/{IMAGES}")), default=None)
    return _load(beside[1].parent) if beside else None


def save_images(folder: RunFolder, checked: CheckedImages) -> None:
    """Writes what is known now, if the run folder has something else."""
    table = checked.table
    if not table.equals(_load(folder.root)):
        folder.save_parquet(IMAGES, table)


def _load(run_dir: Path) -> pd.DataFrame | None:
    """The table of a run folder; None where it cannot be had: it only saves time."""
    try:
        return RunFolder(run_dir).load_parquet(IMAGES)
    except RunFolderError:
        return None


def _dated(paths: Iterable[Path]) -> Iterable[tuple[int, Path]]:
    for path in paths:
        try:
            yield path.stat().st_mtime_ns, path
        except OSError:  # gone in the meantime, or not for us to read
            continue
