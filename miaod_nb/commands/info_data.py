"""What `miaod info` says of a data set, and of a work folder of the authors' code."""

from pathlib import Path

import pandas as pd

from miaod_nb.authors.work_folder import read_work_folder
from miaod_nb.data.labels import audit as audit_labels
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.evaluation import VOC07_AP


def describe_data(data_root: Path, image_list: str, audit: bool) -> list[str]:
    """Usable images and faults of an image list; with `audit` its labels, which are read for that.
    Raises DataError."""
    faults = FaultCounts()
    source = open_source(data_root)
    records = scan_list(source, image_list, faults)
    sources = sorted({record.source for record in records})
    lines = [f"{image_list}: {len(records)} usable images from {', '.join(sources)}"]
    if audit:
        table, label_faults = audit_labels(source, records, None)
        faults.merge(label_faults)
        read = f"the labels of these {len(records)} images were read"
        lines += [f"{read}:", table.to_string()] if len(table) else [f"{read}: none names a class"]
    return [*lines, *faults.lines()]


def describe_work_folder(path: Path) -> list[str]:
    """The cycles in a work folder of the authors' code. Raises RunFolderError."""
    work = read_work_folder(path)
    mean_ap = [f"{value:.4f}" for value in work.mean_ap]
    mean_ap += ["-"] * (work.cycles - len(mean_ap))
    rows = {
        "cycle": range(work.cycles),
        "labeled images": [len(indices) for indices in work.labeled],
        "unlabeled sample": [len(indices) for indices in work.unlabeled_sample],
        VOC07_AP: mean_ap,
    }
    table = pd.DataFrame(rows).to_string(index=False)
    goes_on = f"miaod convert {path} --data-root VOCdevkit --out runs/continued"
    return [f"{work.path}: work folder of the authors' code", table, f"to go on: {goes_on}"]
