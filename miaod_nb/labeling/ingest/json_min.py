"""Label Studio's JSON_MIN: seconds and who, but nothing of what was skipped or suggested."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miaod_nb.data.records import FaultCounts
from miaod_nb.labeling.exchange import Returned
from miaod_nb.labeling.ingest import label_studio
from miaod_nb.labeling.ingest.format import Format, files_in, read_entries, start_of
from miaod_nb.labeling.names import Images


def fits(path: Path) -> bool:
    """Whether it is a JSON list of records of annotations."""
    if path.is_dir() or not files_in(path, ".json"):
        return False
    start = start_of(path)
    is_whole = '"annotations"' in start and '"data"' in start
    return start.startswith("[") and '"annotation_id"' in start and not is_whole


def read(path: Path, images: Images, faults: FaultCounts) -> list[Returned]:
    """What became of each record."""
    records = read_entries(path, "record", "export the project as JSON or JSON-MIN", faults)
    return [label_studio.returned(_task(record), images, faults) for record in records]


def _task(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record as Label Studio's JSON would have it."""
    if record.get("annotation_id") is None:
        return {"data": record, "annotations": []}
    regions = [
        {"type": "rectanglelabels", "value": one, **{
            key: one.get(key) for key in ("original_width", "original_height")}}
        for value in record.values() if isinstance(value, list)
        for one in value if isinstance(one, Mapping) and "rectanglelabels" in one
    ]  # fmt: skip
    return {"data": record, "annotations": [{
        "result": regions, "completed_by": record.get("annotator"),
        **{key: record.get(key) for key in ("lead_time", "updated_at", "created_at")},
    }]}  # fmt: skip


FORMAT = Format("label-studio-min", "Label Studio (JSON-MIN)", fits, read)
