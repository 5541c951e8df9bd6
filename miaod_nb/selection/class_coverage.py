"""Class coverage: any strategy, but of the classes that are short more."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from miaod_nb.config import Config, suggest
from miaod_nb.config.shares import EVEN, ClassTarget, parse_class_target
from miaod_nb.errors import ConfigError
from miaod_nb.runs.card import Card
from miaod_nb.selection.outputs import Outputs, outputs_of
from miaod_nb.selection.parts import Wanted, how_many, seen_by, wanted_by
from miaod_nb.selection.protocol import Candidates, Choice, Strategy
from miaod_nb.wording import number_text

if TYPE_CHECKING:  # to choose needs no torch
    from torch import Tensor

    from miaod_nb.data.batches import UnlabeledBatch
    from miaod_nb.detector.model import DetectionModel

CLASS_BOXES = "class_boxes"  # the column
SHORTLIST = 4  # budgets that a strategy which compares images is asked for
SAID = 10  # classes that a remark names
ADDED = {EVEN: "rare classes first", "shares": "classes by share", "boxes": "classes by number"}


def covering_classes(config: Config, strategy: Strategy) -> Strategy:
    """The strategy as `class_target` asks for it."""
    is_on = bool(config.class_target) and not strategy.card.labels_all
    return ClassCoverage(strategy, config) if is_on else strategy


class Taken(NamedTuple):
    """An image that was taken: its place in the order of want, the short class that it was taken
    for, None where the order alone decided, and whether no class was shorter."""

    place: int
    label: int | None
    is_shortest: bool


@dataclass(frozen=True)
class ClassCoverage:
    """Another strategy's order of want, and in it first the images that show a class that is short.

    The next image is the one with the largest product of three: its place in that order (1 for the
    first, towards 0 for the last), how short a class is (from 0 to 1), and how many boxes of it are
    expected, 1 at most, so that crowds do not win; the largest over the classes. Expected boxes are
    the detector's: the sum of the scores of its detections of the class, in labeled images too, so
    that what it overlooks or invents is the same on both sides. Once no class is short, or no image
    shows one that is, the order alone decides.
    """

    inner: Strategy
    config: Config

    @cached_property
    def target(self) -> ClassTarget:
        """What is wanted."""
        return parse_class_target(self.config.class_target)

    @cached_property
    def card(self) -> Card:
        card, added = self.inner.card, ADDED[self.target.kind]
        return replace(
            card, label=f"{card.label} + {added}",
            words=f"{card.words}; {added}: {self.config.class_target}, by predicted boxes",
            passes_over=card.ranks_by is not None, columns=(*card.columns, CLASS_BOXES),
            observes_labeled=True, settings=(*card.settings, "class_target"), look="",
        )  # fmt: skip

    def observe(self, model: "DetectionModel", batch: "UnlabeledBatch") -> "dict[str, Tensor]":
        import torch

        boxes = [class_boxes(outputs) for outputs in outputs_of(model, batch, self.config)]
        seen = seen_by(self.inner, model, batch)
        return {**seen, CLASS_BOXES: torch.as_tensor(np.stack(boxes), dtype=torch.float32)}

    def choose(self, pool: Candidates, budget: int, rng: np.random.Generator) -> Choice:
        if not len(pool.ids) or not budget:
            return Choice([])
        asked = how_many(self.inner.card, pool, SHORTLIST * budget)
        wanted = wanted_by(self.inner, pool, asked, rng)
        place_of = dict(zip(pool.ids, range(len(pool.ids)), strict=True))
        boxes = pool.columns[CLASS_BOXES][[place_of[one.id] for one in wanted]]
        goal, have = goals(self.target, _names(pool)), self._have(pool)
        found = covering(boxes, goal, have, self.target.kind == "boxes", budget)
        return Choice(
            [wanted[one.place].id for one in found],
            reasons=[self._why(pool, wanted[one.place], boxes[one.place], one) for one in found],
        )

    def remarks(self, pool: Candidates, ids: Sequence[str]) -> list[str]:
        """How far the batch is from the target, by expected boxes; nothing of an empty one."""
        if not ids:
            return []
        among, names = set(ids), _names(pool)
        boxes = pool.columns[CLASS_BOXES][[i for i, one in enumerate(pool.ids) if one in among]]
        goal, have = goals(self.target, names), self._have(pool) + boxes.sum(axis=0)
        if not have.any():
            return ["class target not met: the detector expects no box, in the batch or before"]
        words = "{} {} of {} boxes"
        if self.target.kind != "boxes":
            goal, have = 100 * goal, 100 * have / max(have.sum(), np.finfo(float).tiny)
            words = "{} {} % of the boxes, {} % wanted"
        missed = [
            words.format(name, f"{there:.1f}", number_text(wanted))
            for name, there, wanted in zip(names, have, goal, strict=True)
            if there < 0.99 * wanted
        ]
        if not missed:
            return []
        more = f"; and {len(missed) - SAID} more classes" if missed[SAID:] else ""
        return [f"class target not met, by expected boxes: {'; '.join(missed[:SAID])}{more}"]

    def _have(self, pool: Candidates) -> np.ndarray:
        """Expected boxes of each class (C,) before the batch: in labeled images, or none where the
        target is a number of boxes a cycle."""
        num_classes = pool.columns[CLASS_BOXES].shape[1]
        if self.target.kind == "boxes" or CLASS_BOXES not in pool.labeled:
            return np.zeros(num_classes)
        return pool.labeled[CLASS_BOXES].sum(axis=0, dtype=np.float64)

    def _why(self, pool: Candidates, wanted: Wanted, boxes: np.ndarray, taken: Taken) -> str:
        if taken.label is None:
            return wanted.reason
        is_rarest = taken.is_shortest and self.target.kind == EVEN
        what = "rarest predicted class" if is_rarest else "class that is short"
        expected = f"{number_text(float(boxes[taken.label]))} boxes expected"
        place = f"number {taken.place + 1} in the order of {self.inner.card.label}"
        return f"{what}: {_names(pool)[taken.label]} ({expected}); {place}"


def class_boxes(outputs: Outputs) -> np.ndarray:
    """How many boxes of each class an image is expected to show: float64 (C,), sums of scores."""
    found = outputs.found
    return np.bincount(found.labels, weights=found.scores, minlength=outputs.num_classes)


def refuse_unknown_classes(config: Config, classes: Sequence[str]) -> None:
    """Raises ConfigError for a target of a class that is none of these; () where none is known."""
    if config.class_target and classes:
        goals(parse_class_target(config.class_target), classes)


def goals(target: ClassTarget, classes: Sequence[str]) -> np.ndarray:
    """What is wanted of each class: float64 (C,), shares of all boxes or numbers of boxes. Raises
    ConfigError for a class that there is not."""
    unknown = [name for name in target.amounts if name not in classes]
    if unknown:
        raise ConfigError(
            f"there is no class '{unknown[0]}'", where="class_target",
            remedy="a class that no label has yet is known once the setting `classes` names it; "
            + suggest(unknown[0], dict.fromkeys(classes)),
        )  # fmt: skip
    if target.kind == EVEN:
        return np.full(len(classes), 1 / len(classes))
    return np.array([target.amounts.get(name, 0.0) for name in classes])


def covering(
    boxes: np.ndarray, goal: np.ndarray, have: np.ndarray, is_number: bool, count: int
) -> list[Taken]:
    """`count` images, one after the other, as `ClassCoverage` says.

    boxes: expected of each class, (N, C), in the order of want. goal, have: (C,), see `goals`, and
    what there is of it before.
    """
    worth = 1 - np.arange(len(boxes)) / len(boxes)
    gains = worth[:, None] * np.minimum(boxes, 1)
    # Each class has a queue of its own; which class comes next is all that changes on the way.
    queues = [iter(queue) for queue in np.argsort(-gains, axis=0, kind="stable").T.tolist()]
    queues.append(iter(range(len(boxes))))
    heads, taken = [next(queue) for queue in queues], set[int]()
    found: list[Taken] = []
    have = have.astype(np.float64)
    while len(found) < min(count, len(boxes)):
        short = shortage(have, goal, is_number)
        products = short * gains[heads[:-1], range(len(goal))]
        c = int(products.argmax())
        is_short = bool(products[c] > 0)
        place = heads[c] if is_short else heads[-1]
        found.append(Taken(place, c if is_short else None, bool(short[c] == short.max())))
        taken.add(place)
        have += boxes[place]
        heads = [
            next((i for i in queue if i not in taken), head) if head in taken else head
            for queue, head in zip(queues, heads, strict=True)
        ]
    return found


def shortage(have: np.ndarray, goal: np.ndarray, is_number: bool) -> np.ndarray:
    """How short each class is: (C,), from 1 where there is nothing to 0 where there is enough, or,
    of shares, as much of the goal as of any other class; 0 for a class that is not wanted."""
    filled = np.divide(have, goal, out=np.zeros_like(have), where=goal > 0)
    enough = 1.0 if is_number else filled.max() or 1.0
    return np.where(goal > 0, np.clip(1 - filled / enough, 0, 1), 0.0)


def _names(pool: Candidates) -> Sequence[str]:
    """Names of the classes, or their numbers where nobody gave names."""
    count = pool.columns[CLASS_BOXES].shape[1]
    return pool.classes or [f"class {c}" for c in range(count)]
