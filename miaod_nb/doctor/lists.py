"""New lists without what the doctor found: written elsewhere, the data stay as they are."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import yaml

from miaod_nb.config import changes, spell
from miaod_nb.data.layouts.coco import CocoSource
from miaod_nb.data.layouts.folder import FolderSource
from miaod_nb.data.layouts.voc import VocSource
from miaod_nb.data.layouts.yolo import YoloSource
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.sources import Source
from miaod_nb.doctor.checkup import Checkup
from miaod_nb.doctor.copies import MIRRORED
from miaod_nb.errors import DataError
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.outputs import out_folder

Lists = Sequence[tuple[str, str, Source, list[ImageRecord]]]  # setting, name, whose, what stays


def write_lists(checkup: Checkup, folder: Path) -> list[str]:
    """Writes lists of the usable images without second copies and without leaks into a folder; says
    what they leave out, and how a run is begun on them. Mirrored copies stay, unless they leak.
    Raises DataError for a layout of one's own, and for a folder that cannot be written."""
    images = checkup.examined.images
    config, root = images.config, images.data_root
    leaks = {one.image.image_path for one in checkup.copies.leaks}
    second = {one.image.image_path for one in checkup.copies.found if one.how != MIRRORED}
    in_pool = {one.image_path for one in images.pool}
    pool = [one for one in images.pool if one.image_path not in second | leaks]
    test = [one for one in images.test if one.image_path not in leaks | in_pool]
    lists = [("train_list", config.train_list, images.sources.pool, pool)]
    lists += [("test_list", config.test_list, images.sources.test, test)] * bool(test)
    with out_folder(folder, "--fix") as out:
        root, settings = _write(lists, out, root)
    own = {name: value for name, value in changes(config).items() if name not in settings}
    command = ["miaod", "new", "--images", str(root), "--name", "NAME", "--preset", config.preset]
    for name, value in (own | settings).items():
        command += ["--set", f"{name}={spell(value)}"]
    return [
        f"lists written into {folder}: {len(pool)} of {len(images.pool)} usable pool images"
        + f", {len(test)} of {len(images.test)} to test on" * bool(images.test),
        f"to use them, in a new run: {shlex.join(command)}",
    ]


def _write(lists: Lists, out: RunFolder, root: Path) -> tuple[Path, dict[str, str]]:
    """Writes the lists as the layout has them; gives the data root and the settings that name
    them."""
    settings: dict[str, str] = {}
    place = out.root.resolve()
    for setting, name, source, records in lists:
        name = Path(name).name + "-test" * (str(place / Path(name).name) in settings.values())
        ids = "".join(f"{one.id}\n" for one in records)
        if isinstance(source, VocSource) and len(source.years) > 1:
            for year in source.years:
                mine = [one for one in records if one.image_path.is_relative_to(year)]
                out.save_text(f"{name}/{year.name}.txt", "".join(f"{one.id}\n" for one in mine))
        elif isinstance(source, VocSource | FolderSource):
            out.save_text(f"{name}.txt", ids)
        elif isinstance(source, CocoSource):
            out.save_text(f"{name}.json", _coco(source, records))
        elif isinstance(source, YoloSource):
            paths = "".join(f"{one.image_path.resolve()}\n" for one in records)
            out.save_text(f"{name}.txt", paths)
        else:
            raise DataError(
                f"lists cannot be written in {source.layout} layout", where=root,
                remedy="leave --fix out, and take these images off your lists",
            )  # fmt: skip
        settings[setting] = str(place / name)
    source = lists[0][2]
    if not isinstance(source, YoloSource):
        return root, settings
    names = {name: str(place / f"{name}.txt") for _, name, _, _ in lists}
    classes = {"names": list(source.classes())}
    out.save_text("data.yaml", yaml.safe_dump(classes | names, allow_unicode=True))
    return place, {setting: name for setting, name, _, _ in lists}


def _coco(source: CocoSource, records: Sequence[ImageRecord]) -> str:
    """The list's file with these images alone, and where they lie below the data folder."""
    content = json.loads(source.labels_at("").read_bytes())
    by_number = {source.result_id(one.id): one for one in records}
    places = {
        entry["file_name"]: by_number[entry["id"]].image_path.relative_to(source.root).as_posix()
        for entry in content["images"] if entry["id"] in by_number
    }  # fmt: skip
    images = [
        entry | {"file_name": places[entry["file_name"]]}
        for entry in content["images"] if entry["file_name"] in places
    ]  # fmt: skip
    kept = {entry["id"] for entry in images}
    annotations = [one for one in content.get("annotations", []) if one["image_id"] in kept]
    return json.dumps(content | {"images": images, "annotations": annotations})
