"""The toy data set: tide pools seen from above, drawn from a seed into a VOC year folder.

Six kinds of animals, the rarest seven times rarer than the most frequent, among clutter that is no
object; some images are hard, and `difficulty.csv` says why.
"""

import glob
import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from miaod_nb.errors import DataError, disk_fault
from miaod_nb.progress import progress
from miaod_nb.toy.scenes import KINDS, REPEATS, ToyObject, paint_scene, take_photo
from miaod_nb.toy.shapes import CLASSES

DRAWING = 1  # to be raised when the same seed gives other pictures: older sets are then refused
DIFFICULTY = "difficulty.csv"  # why each image is hard
MARKER = "toy.json"  # what a complete set was made of
LISTS = ("trainval", "test")
EMPTY, REPEATED = "empty", "near-duplicate"
SECONDS_TO_STALE = 3600  # a half made set that has not grown for so long was left by a killed run


def make_toy(
    folder: Path, *, seed: int = 0, num_pool: int = 400, num_test: int = 200, size: int = 128
) -> Path:
    """`folder`, a VOC year folder with `num_pool` + `num_test` images of `size` x `size` pixels.

    The lists are `trainval` and `test`. `difficulty.csv` has a row an image: id, list, kind (of
    KINDS, or "near-duplicate", in trainval only), objects, smallest (root of the smallest box's
    area, of the side), least_visible (share of a silhouette), contrast and light (1: full), blur
    (standard deviation, of the side), clutter (count), note (why it is hard).

    The same arguments give the same bytes, and no image depends on how many are made. The folder
    appears only when it is whole; a complete one made with the same arguments is kept as it is.
    Raises DataError if it holds anything else or cannot be written.
    """
    folder = Path(folder)
    recipe = {
        "drawing": DRAWING, "seed": seed, "num_pool": num_pool, "num_test": num_test, "size": size,
    }  # fmt: skip
    if _is_kept(folder, recipe):
        return folder
    building = folder.with_name(f".tmp-{os.getpid()}-{folder.name}")
    with _explained(folder):
        _remove_stale(folder)
        try:
            _write_set(building, recipe)
            try:
                building.rename(folder)
            except OSError:  # another process was faster
                if not _is_kept(folder, recipe):
                    raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return folder


def _is_kept(folder: Path, recipe: dict[str, int]) -> bool:
    """Whether the folder holds this set; False if nothing is there. Raises DataError otherwise."""
    with _explained(folder):
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return False
    try:
        found = json.loads((folder / MARKER).read_text("utf-8"))
        ids = pd.read_csv(folder / DIFFICULTY)["id"]
        files = [path for image_id in ids for path in _paths(folder, image_id)]
        files += [_list_path(folder, name) for name in LISTS]
        missing = [path for path in files if not path.is_file() or not path.stat().st_size]
    except (OSError, ValueError, KeyError):
        found, missing = None, []
    if found == recipe and not missing:
        return True
    if found == recipe:
        what = f"the toy data set is damaged: {missing[0].relative_to(folder)} is missing"
    elif isinstance(found, dict):
        what = f"the folder holds another toy data set ({_described(found)})"
    else:
        what = "the toy data set cannot be made here: the folder holds something else"
    raise DataError(
        what,
        where=folder,
        remedy=f"name another folder, or remove this one to have it made ({_described(recipe)})",
    )


def _remove_stale(folder: Path) -> None:
    """Removes what killed runs left of this set."""
    for path in folder.parent.glob(f".tmp-*-{glob.escape(folder.name)}"):
        with suppress(FileNotFoundError):  # another process may just be ready
            if time.time() - path.stat().st_mtime > SECONDS_TO_STALE:
                shutil.rmtree(path, ignore_errors=True)


def _described(recipe: dict[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in recipe.items())


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turns what the system says into an error for the user."""
    try:
        yield
    except OSError as error:
        what, remedy = disk_fault(error)
        raise DataError(
            f"{what}: the toy data set cannot be written",
            where=folder,
            remedy=f"{remedy}, or name another folder",
        ) from error


def _paths(folder: Path, image_id: str) -> tuple[Path, Path]:
    return folder / "JPEGImages" / f"{image_id}.jpg", folder / "Annotations" / f"{image_id}.xml"


def _list_path(folder: Path, name: str) -> Path:
    return folder / "ImageSets/Main" / f"{name}.txt"


def _write_set(folder: Path, recipe: dict[str, int]) -> None:
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    counts = dict(zip(LISTS, (recipe["num_pool"], recipe["num_test"]), strict=True))
    plans = [plan for name, count in counts.items() for plan in _plan(name, count, recipe["seed"])]
    rows = []
    for plan in progress(plans, "drawing images"):
        image, objects, row = _make_image(plan, recipe["size"])
        image_path, annotation_path = _paths(folder, plan.id)
        image.save(image_path, quality=92, subsampling=0)
        annotation_path.write_text(_to_xml(image_path.name, objects, recipe["size"]), "utf-8")
        rows.append(row)
    for name in counts:
        ids = [plan.id for plan in plans if plan.list_name == name]
        text = "".join(f"{image_id}\n" for image_id in ids)
        _list_path(folder, name).write_text(text, "utf-8")
    pd.DataFrame(rows).to_csv(folder / DIFFICULTY, index=False)
    (folder / MARKER).write_text(json.dumps(recipe) + "\n", "utf-8")


@dataclass(frozen=True)
class _Plan:
    """What decides an image: the scene, by its kind and seed, and the seed of the photo of it."""

    id: str
    list_name: str
    kind: str
    key: tuple[int, ...]
    scene_key: tuple[int, ...]
    first: str | None  # class of the first animal, if that is not left to chance
    repeats: str = ""  # id of the image that shows the same scene


def _plan(list_name: str, count: int, seed: int) -> list[_Plan]:
    """One plan an image of the list; none depends on `count`."""
    plans: list[_Plan] = []
    latest: _Plan | None = None  # of those that show animals in a scene of their own
    shares = [kind.share for kind in KINDS.values()]
    for number in range(1, count + 1):
        key = (seed, LISTS.index(list_name), number)
        rng = np.random.default_rng(key)
        kind = str(rng.choice(list(KINDS), p=shares))
        # Every second of the first images is sure to show a class, so a dozen show them all.
        first = CLASSES[number // 2] if number % 2 and number < 2 * len(CLASSES) else None
        image_id = f"s{seed}-{('pool', 'test')[key[1]]}-{number:04d}"
        plan = _Plan(image_id, list_name, "easy" if first else kind, key, key, first)
        if list_name == "trainval" and latest and not first and rng.random() < REPEATS:
            plan = replace(latest, id=image_id, key=key, repeats=latest.id)
        elif plan.kind != EMPTY:
            latest = plan
        plans.append(plan)
    return plans


def _make_image(
    plan: _Plan, size: int
) -> tuple[Image.Image, list[ToyObject], dict[str, str | int | float]]:
    """The image, the animals in it, and its row of the difficulty table."""
    kind = KINDS[plan.kind]
    scene = paint_scene(kind, size, plan.first, np.random.default_rng((*plan.scene_key, 1)))
    rng = np.random.default_rng((*plan.key, 2))
    shift, brightness = (0, 0), 1.0
    if plan.repeats:
        x, y = rng.integers(-scene.margin, scene.margin + 1, 2)
        shift, brightness = (int(x), int(y)), rng.uniform(0.85, 1.15)
    image, objects = take_photo(scene, shift, brightness, rng)
    sides = [
        math.sqrt((x2 - x1 + 1) * (y2 - y1 + 1)) for x1, y1, x2, y2 in (o.box for o in objects)
    ]
    row: dict[str, str | int | float] = {
        "id": plan.id,
        "list": plan.list_name,
        "kind": REPEATED if plan.repeats else plan.kind,
        "objects": len(objects),
        "smallest": round(min(sides) / size, 3) if objects else "",
        "least_visible": round(min(o.visible for o in objects), 3) if objects else "",
        "contrast": round(scene.contrast, 3),
        "light": round(scene.light * brightness, 3),
        "blur": round(scene.blur / size, 4),
        "clutter": scene.clutter,
        "note": f"same scene as {plan.repeats} ({plan.kind})" if plan.repeats else kind.why,
    }
    return image, objects, row


def _to_xml(file_name: str, objects: list[ToyObject], size: int) -> str:
    lines = ["<annotation>", f"  <filename>{file_name}</filename>"]
    lines.append(f"  <size><width>{size}</width><height>{size}</height><depth>3</depth></size>")
    for item in objects:
        corners = zip(("xmin", "ymin", "xmax", "ymax"), item.box, strict=True)
        box = "".join(f"<{tag}>{value}</{tag}>" for tag, value in corners)
        lines.append(f"  <object><name>{item.name}</name><difficult>{item.difficult:d}</difficult>")
        lines.append(f"    <bndbox>{box}</bndbox></object>")
    return "\n".join([*lines, "</annotation>"]) + "\n"
