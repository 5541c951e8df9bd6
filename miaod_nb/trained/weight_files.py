"""Where a trained detector's weights lie, and what a file says of them: ours or the authors'."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from miaod_nb.authors.checkpoint import named_arrays
from miaod_nb.authors.reference import as_reference
from miaod_nb.config import Config, make_config, validated
from miaod_nb.data.records import Range
from miaod_nb.errors import CheckpointError, ConfigError, RunFolderError
from miaod_nb.progress import say
from miaod_nb.runs.record import RunRecord

COCO_CLASSES = 80


class Weights(NamedTuple):
    """A detector's arrays, the configuration that says how to build it (with its classes), and
    which values of deep gray images are black and white for it."""

    config: Config
    arrays: Mapping[str, Tensor]
    gray: Range | None = None


def is_ours(content: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's content is a detector as `Detector.save` and a run write it."""
    kinds = {"model": dict, "classes": list, "settings": dict}
    return all(isinstance(content.get(name), kind) for name, kind in kinds.items())


def our_weights(
    content: Mapping[str, Any], path: Path, overrides: Mapping[str, Any] | None = None
) -> Weights:
    """The detector in a file of ours. Raises CheckpointError, and ConfigError for overrides."""
    settings = content["settings"] | {"classes": content["classes"]}
    try:
        validated(settings)
    except ConfigError as error:
        raise CheckpointError(
            f"the settings in the file cannot be used: {error.what}",
            where=path,
            remedy="restore the file, or use the version of miaod that wrote it",
        ) from error
    config = validated(settings | dict(overrides or {}))
    return Weights(config, named_arrays(content["model"]), content.get("gray"))


def their_weights(
    content: Mapping[str, Any], path: Path, overrides: Mapping[str, Any] | None = None,
    preset: str = "",
) -> Weights:  # fmt: skip
    """The detector in a checkpoint of the authors' code: its architecture comes from the file, its
    class names from the overrides or the file, all else from the preset and the overrides.

    preset: "" is coco for a file with COCO's 80 classes, and voc0712 for any other. Prints which
    one it is and the size of images, because the file does not say them.

    Raises CheckpointError and ConfigError.
    """
    found = as_reference(content, path)
    settings = {"classes": found.classes} | found.settings | dict(overrides or {})
    remedy = "give their names in the order of the training, for example classes=dog,cat"
    if settings["classes"] is None:
        raise CheckpointError(f"the file does not name its {found.num_classes} classes",
                              where=path, remedy=remedy)  # fmt: skip
    preset = preset or ("coco" if found.num_classes == COCO_CLASSES else "voc0712")
    config = make_config(preset, settings)
    if len(config.classes or ()) != found.num_classes:
        raise CheckpointError(
            f"there are {len(config.classes or ())} names for the file's {found.num_classes} "
            "classes", where=path, remedy=remedy,
        )  # fmt: skip
    width, height = config.image_size
    say(f"  {path.name}: settings of inference from the preset {preset}, images {width}x{height}")
    return Weights(config, found.arrays)


def weights_of_run(run_dir: Path, cycle: int | None = None) -> Path:
    """The weight file of a run's newest finished cycle, or of `cycle`. Raises RunFolderError."""
    found = RunRecord.open(run_dir).trained
    if not found or cycle not in (None, *found):
        there = f"finished are: {', '.join(map(str, found))}" if found else "no cycle is finished"
        wanted = "of a finished cycle" if cycle is None else f"of cycle {cycle}"
        raise RunFolderError(
            f"the folder holds no weights {wanted}; {there}",
            where=run_dir,
            remedy="give a run folder of miaod with such a cycle, or a weight file",
        )
    return run_dir / f"cycle{found[-1] if cycle is None else cycle}/weights.pt"
