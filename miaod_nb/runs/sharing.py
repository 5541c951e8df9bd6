"""Equal work is done once: training that a run next to this one has finished is taken over."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from miaod_nb.errors import MiaodError
from miaod_nb.runs.card import Card
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.identity import stored_identity
from miaod_nb.runs.pool_file import read_pool
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.steps import goes_on


def equal_training(folder: RunFolder, cycle: int) -> RunFolder | None:
    """A run folder beside `folder` whose finished training of this cycle gives equal weights.

    Its settings, data, labels, unlabeled sample, environment and code are the same, and so is the
    detector that it goes on from, if it does; and its strategy chooses otherwise: the same
    experiment in two folders is meant to be run twice.
    """
    for path in sorted(folder.root.resolve().parent.glob("*/config.json")):
        beside = RunFolder(path.parent)
        try:
            if _is_equal(beside, folder, cycle):
                return beside
        except (MiaodError, KeyError, TypeError, ValueError):
            continue  # not a run folder of ours, or one that is damaged: not a reason to stop
    return None


def training_records(folder: RunFolder, cycle: int) -> list[dict[str, Any]]:
    """What the training of a cycle wrote into the log: its steps, and the end of each stage."""
    return [r for r in folder.read_log() if r.get("cycle") == cycle and is_of_training(r)]


def is_of_training(record: Mapping[str, Any]) -> bool:
    """Whether a record of the log was written by a training stage."""
    return "stage" in record


def _is_equal(beside: RunFolder, folder: RunFolder, cycle: int) -> bool:
    (there, their_data), (here, data) = stored_identity(beside), stored_identity(folder)
    if their_data != data:
        return False
    theirs, ours = RunRecord.open(beside.root), RunRecord.open(folder.root)
    if theirs.card is None or ours.card is None:  # nobody knows what trained it
        return False
    of_choice = {"strategy", *theirs.card.settings, *ours.card.settings}
    if all(there.get(name) == here.get(name) for name in of_choice):
        return False
    if _of_training(there, theirs.card, of_choice) != _of_training(here, ours.card, of_choice):
        return False
    # What joined later differs from run to run; indices are equal where these images are.
    pools = [_images_of(one) for one in (beside, folder)]
    if any(theirs != ours for theirs, ours in zip(*pools, strict=False)):
        return False
    files = ["environment.json", f"cycle{cycle}/labels.json"]
    if any(beside.load_json(file) != folder.load_json(file) for file in files):
        return False
    arrays = [f"X_L_{cycle}.npy", f"X_U_{cycle}.npy"]
    if not all(np.array_equal(beside.load_npy(a), folder.load_npy(a)) for a in arrays):
        return False
    if not beside.exists(f"cycle{cycle}/weights.pt"):
        return False
    return not goes_on(ours.config, cycle, ours.first_cycle) or _equal_weights(
        *(one.load_tensors(f"cycle{cycle - 1}/weights.pt") for one in (beside, folder))
    )


def _equal_weights(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether two detectors are the same in all that a training which goes on from them takes."""
    tensors = [one["model"] | {"class_quality": one["class_quality"]} for one in (theirs, ours)]
    names = tensors[0].keys()
    return names == tensors[1].keys() and all(
        tensors[0][name].equal(tensors[1][name]) for name in names
    )


def _images_of(folder: RunFolder) -> list[tuple[Any, ...]]:
    """Id, width and height of the images of the pool, in the order of their indices."""
    table = read_pool(folder)
    assert table is not None  # it is a run
    pool = table.loc[table["list"] == "pool", ["id", "width", "height"]]
    return list(pool.itertuples(index=False, name=None))


def _of_training(identity: Mapping[str, Any], card: Card, of_choice: set[str]) -> dict[str, Any]:
    """What decides the weights besides the labels: all settings but those of the choice alone."""
    kept = {name: value for name, value in identity.items() if name not in of_choice}
    return kept | {"training": card.training_of(identity["training"])}
