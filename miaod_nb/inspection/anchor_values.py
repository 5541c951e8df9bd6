"""The values of anchors of a cycle's images, each image in a file of the run folder."""

from collections.abc import Iterator, Sequence
from functools import partial

from miaod_nb.data.plans import inference_plan
from miaod_nb.data.transforms import InputSize
from miaod_nb.detector.folding import folded
from miaod_nb.errors import ConfigError, RunFolderError
from miaod_nb.experiment.cycle import Experiment
from miaod_nb.experiment.inference import planned_results
from miaod_nb.experiment.session import memory_explained, prepare_torch
from miaod_nb.inspection.values import AnchorValues, anchor_arrays
from miaod_nb.progress import say


def anchor_values(run: Experiment, cycle: int, image_id: str) -> AnchorValues:
    """The values of an image of the train list, labeled or not: from its file, which is made if it
    is not there. Raises ConfigError, DataError and RunFolderError."""
    index = pool_index(run, image_id)
    kept = _kept(run, cycle, index)
    return kept or next(_computed(run, cycle, [index]))


def pool_index(run: Experiment, image_id: str) -> int:
    """The place of an image in the pool. Raises ConfigError."""
    for index, record in enumerate(run.study.pool):
        if record.id == image_id:
            return index
    raise ConfigError(
        f"there is no image '{image_id}' in the list '{run.config.train_list}'",
        where=run.data_root,
        remedy="give the id of an image of this list; restore its file if it was deleted",
    )


def _kept(run: Experiment, cycle: int, index: int) -> AnchorValues | None:
    """The values in the file of the pool's image `index`; None if it is not there, or broken."""
    file, image_id = _file(cycle, index), run.study.pool[index].id
    if not run.folder.exists(file):
        return None
    try:
        arrays = run.folder.load_npz(file)
        fault = "it is of another image" if str(arrays["id"]) != image_id else ""
        values = AnchorValues.from_arrays(image_id, arrays)
    except (RunFolderError, KeyError) as error:
        fault = error.what if isinstance(error, RunFolderError) else f"it lacks {error}"
    if not fault:
        return values
    say(f"  {run.folder.path(file)} is made anew: {fault}")
    return None


def _computed(run: Experiment, cycle: int, indices: Sequence[int]) -> Iterator[AnchorValues]:
    """The values of these images of the pool, each as soon as its file is written."""
    _refuse_untrained(run, cycle)
    prepare_torch(run.config, run.device)
    model = folded(run.load_model(cycle))
    places = {run.study.pool[index].id: index for index in indices}
    records = [run.study.pool[index] for index in indices]
    plan = inference_plan(records, InputSize.of(run.config), run.config.inference_batch_size)
    compute = partial(anchor_arrays, model, config=run.config)
    with memory_explained():
        for results in planned_results(model, records, plan, compute, run.config):
            for image_id, tensors in results.items():
                arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
                run.folder.save_npz(_file(cycle, places[image_id]), id=image_id, **arrays)
                yield AnchorValues.from_arrays(image_id, arrays)


def _refuse_untrained(run: Experiment, cycle: int) -> None:
    run.refuse_imported(cycle)
    if not run.folder.exists(f"cycle{cycle}/weights.pt"):
        raise RunFolderError(
            f"cycle {cycle} is not trained yet: there is no detector to ask",
            where=run.folder.path(f"cycle{cycle}"),
            remedy="choose a cycle that is done, or run this one first: `miaod run`, or the "
            f"notebooks with cycle={cycle}",
        )


def _file(cycle: int, index: int) -> str:
    return f"cycle{cycle}/anchors/{index}.npz"
