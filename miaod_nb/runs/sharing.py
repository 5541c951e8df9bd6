"""Equal work is done once: training that a run next to this one has finished is taken over."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from miaod_nb.errors import MiaodError
from miaod_nb.runs.card import Card
from miaod_nb.runs.files import RunFolder

# Settings of the choice between images, besides those that the strategy's card names. With equal
# labels and all else equal, weights are equal.
OF_SELECTION = {"strategy", "entropy_aggregate", "weighted_selection", "uncertainty_norm"}


def equal_training(folder: RunFolder, cycle: int) -> RunFolder | None:
    """A run folder beside `folder` whose finished training of this cycle gives equal weights.

    Its settings, data, labels, unlabeled sample, environment and code are the same and its strategy
    is another: the same experiment in two folders is meant to be run twice.
    """
    here = folder.load_json("config.json")
    for path in sorted(folder.root.resolve().parent.glob("*/config.json")):
        beside = RunFolder(path.parent)
        try:
            if _is_equal(here, beside, folder, cycle):
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


def _is_equal(here: Mapping[str, Any], beside: RunFolder, folder: RunFolder, cycle: int) -> bool:
    there = beside.load_json("config.json")
    if there["identity"]["strategy"] == here["identity"]["strategy"]:
        return False
    if _of_training(there) != _of_training(here):
        return False
    files = ["environment.json", f"cycle{cycle}/labels.json"]
    if any(beside.load_json(file) != folder.load_json(file) for file in files):
        return False
    if "code" not in folder.load_json(files[1]):  # begun by a version that did not note it
        return False
    arrays = [f"X_L_{cycle}.npy", f"X_U_{cycle}.npy"]
    if not all(np.array_equal(beside.load_npy(a), folder.load_npy(a)) for a in arrays):
        return False
    return beside.exists(f"cycle{cycle}/weights.pt")


def _of_training(described: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the weights besides the labels: all settings but those of the choice alone."""
    identity, card = described["identity"], Card.from_dict(described["card"])
    kept = {k: v for k, v in identity.items() if k not in OF_SELECTION.union(card.settings)}
    return kept | {"training": card.training_of(identity["training"])}
