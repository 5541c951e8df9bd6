"""What a cycle costs: how many images go through the detector, times what the bench measured."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from miaod_nb.bench.steps import Shape
from miaod_nb.config import Budget, Config
from miaod_nb.data.plans import training_plan
from miaod_nb.data.pool import resolve_count
from miaod_nb.data.transforms import InputSize
from miaod_nb.experiment.dataset import num_scored
from miaod_nb.learning.train import cycle_stages
from miaod_nb.runs.steps import goes_on
from miaod_nb.selection.registry import build_strategy

# A pass that is not measured by itself costs about as much as the measured one that it resembles:
# minimize trains the labeled batch as label-set does, but for the classifiers; the labeled batch of
# maximize has the regressor in place of the MIL tower; detection and scoring run two towers each.
_MEASURED = {
    "minimize labeled": "label-set", "maximize labeled": "maximize unlabeled", "test": "scoring",
}  # fmt: skip
_INFERENCE = ("scoring", "test")


@dataclass(frozen=True)
class Protocol:
    """Data of an experiment: images in the pool and to test on, and pixels (width, height) of a
    typical one."""

    pool: int
    test: int
    picture: tuple[int, int]


PROTOCOLS = {
    "voc0712": Protocol(16551, 4952, (500, 375)),
    "voc0712_ssd": Protocol(16551, 4952, (500, 375)),
    "coco": Protocol(117266, 5000, (640, 480)),
    "toy": Protocol(400, 200, (128, 128)),
    "tiny": Protocol(48, 16, (64, 64)),
}
PICTURE = (500, 375)  # where the preset leaves it to the data


@dataclass(frozen=True)
class Speeds:
    """Seconds: of an image in each measured step, of an optimizer step, and of loading an image,
    which goes on beside the detector's work if there are workers."""

    steps: Mapping[str, float]
    optimizer: float
    loading: float
    workers: int


@dataclass(frozen=True)
class CycleCost:
    """What a cycle with so many labeled images is predicted to take."""

    labeled: int
    training_passes: int
    inference_passes: int
    seconds: float


def predict(config: Config, protocol: Protocol, speeds: Speeds) -> list[CycleCost]:
    """The cost of every cycle that the configuration asks for."""
    costs = []
    for cycle, labeled in enumerate(labeled_images(config, protocol.pool)):
        passes = image_passes(config, labeled, protocol, cycle)
        inference = sum(passes[name] for name in _INFERENCE)
        seconds = seconds_of(passes, speeds, config.batch_size)
        costs.append(CycleCost(labeled, passes.total() - inference, inference, seconds))
    return costs


def labeled_images(config: Config, pool: int) -> list[int]:
    """How many images are labeled in each cycle, to the last one or until all of them are."""
    if build_strategy(config).card.labels_all:
        return [pool]
    counts = [resolve_count(config.initial, pool, "initial")]
    budget = _images_a_cycle(config, pool)
    while len(counts) < config.cycles and counts[-1] < pool:
        counts.append(min(counts[-1] + budget, pool))
    return counts


def _images_a_cycle(config: Config, pool: int) -> int:
    """How many images a cycle adds; of a budget in boxes or minutes as many as it is enough for
    when each has a box."""
    budget = Budget.of(config.budget)
    if budget.in_images:
        return resolve_count(budget.amount, pool, "budget")
    seconds = config.image_seconds + config.box_seconds
    most = budget.amount if budget.unit == "boxes" else 60 * budget.amount / seconds
    return min(max(int(most), 1), pool)


def image_passes(config: Config, labeled: int, protocol: Protocol, cycle: int = 0) -> Counter[str]:
    """How many images go through each kind of step in a cycle with `labeled` images.

    Epochs are counted as if all images had one orientation; two add at most a batch to an epoch.
    """
    steps = _epoch_steps(config, labeled)
    pairs = max(steps, _epoch_steps(config, _unlabeled_images(config, labeled, protocol.pool)))
    passes: Counter[str] = Counter()
    adversarial = build_strategy(config).card.training_of(config.training) == "mi_aod"
    for plan in cycle_stages(config, adversarial, goes_on=goes_on(config, cycle)):
        if plan.stage.uses_unlabeled:
            for half in ("labeled", "unlabeled"):
                passes[f"{plan.stage.name} {half}"] += plan.epochs * pairs * config.batch_size
        else:
            passes["label-set"] += plan.epochs * steps * config.batch_size
    passes["test"] = protocol.test
    card = build_strategy(config).card
    if card.columns and not card.labels_all:
        passes["scoring"] = min(protocol.pool - labeled, num_scored(config, protocol.pool))
    return passes


def seconds_of(passes: Mapping[str, int], speeds: Speeds, batch_size: int) -> float:
    """How long these passes take, one after the other."""
    total = 0.0
    for name, count in passes.items():
        work = speeds.steps[_MEASURED.get(name, name)]
        if name not in _INFERENCE:
            work += speeds.optimizer / batch_size
        both = max(work, speeds.loading) if speeds.workers else work + speeds.loading
        total += count * both
    return total


def size_factor(config: Config, picture: tuple[int, int], measured: Shape) -> float:
    """Pixels of a typical image as the detector gets it, over those of a measured one."""
    size = InputSize.of(config)
    width, height = (size.padded(side) for side in size.fitted(*picture))
    return width * height / (measured.width * measured.height)


def _unlabeled_images(config: Config, labeled: int, pool: int) -> int:
    """Images that train without labels: as many as labeled ones, or as there are."""
    left = pool - labeled
    return labeled if config.first_unlabeled == "end" or not left else min(labeled, left)


def _epoch_steps(config: Config, images: int) -> int:
    plan = training_plan(
        [str(i) for i in range(images)], [True] * images, config.batch_size,
        np.random.default_rng(0), passes=config.repeats, min_steps=config.min_epoch_steps,
    )  # fmt: skip
    return len(plan)
