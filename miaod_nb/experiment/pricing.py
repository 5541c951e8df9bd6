"""What labels are expected to cost, as far as a run has learned it from those that it has."""

import numpy as np

from miaod_nb.config import Budget, Config
from miaod_nb.experiment.state import RunState
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.label_store import LabelStore
from miaod_nb.selection.costs import BoxEstimate, Prices, Seconds, fit_boxes, fit_seconds

ENOUGH_HELD_OUT = 10  # images that never train, to learn from these alone


def learn_prices(run: RunState, cycle: int, config: Config, seen: np.ndarray) -> Prices:
    """What labels are expected to cost in a cycle, with these settings. seen: `boxes_seen` of all
    its labeled images."""
    budget, estimate = Budget.of(config.budget), _estimate(run, cycle, seen)
    return Prices(budget.amount, budget.unit, estimate, learn_seconds(run, config))


def learn_seconds(run: RunState, config: Config) -> Seconds:
    """How long people work at an image and at a box: as those who labeled for the run did, or as
    the settings say."""
    answers = LabelStore(RunFolder(run.folder.root)).answers().values()
    times = [(len(one.objects), one.seconds) for one in answers if one.seconds is not None]
    return fit_seconds(times, Seconds(config.image_seconds, config.box_seconds))


def _estimate(run: RunState, cycle: int, seen: np.ndarray) -> BoxEstimate:
    """What the detector's scores say of boxes. It is surer of images that it trains on than of
    others, so those that were held out tell it alone where there are enough of them."""
    dataset, sets = run.dataset, run.sets(cycle)
    of_image = dict(zip(dataset.ids(sets.labeled), seen, strict=True))
    objects = {
        image_id: dataset.test_objects[image_id] for image_id in dataset.ids(dataset.held_out)
        if image_id in dataset.test_objects
    }  # fmt: skip
    of_which = "labeled images that never train"
    if len(objects) < ENOUGH_HELD_OUT:
        waiting = run.record.labels(cycle).get("asked", ())
        trained, _ = dataset.labeled_objects(sets, run.classes_of(cycle), waiting)
        of_which = f"labeled images, {len(trained) if objects else 'all'} of which train"
        objects = {**objects, **trained}
    true = np.array([len(one.labels) for one in objects.values()])
    return fit_boxes(np.array([of_image[image_id] for image_id in objects]), true, of_which)
