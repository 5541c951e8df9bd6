"""Class coverage: more of the classes that are short, whatever the strategy."""

import numpy as np
import pytest
import torch

from miaod_nb.config import make_config
from miaod_nb.errors import ConfigError
from miaod_nb.selection.batch import choose_batch
from miaod_nb.selection.class_coverage import (
    CLASS_BOXES,
    class_boxes,
    goals,
    refuse_unknown_classes,
    shortage,
)
from miaod_nb.selection.parts import remarks_of
from miaod_nb.selection.protocol import Candidates, Strategy
from miaod_nb.selection.registry import build_strategy
from tests.selection.test_outputs import outputs
from tests.tiny import lively_detector, noise, unlabeled

CLASSES = ("cat", "dog", "sheep")


def strategy(target: str, name: str = "mi_aod", **settings: object) -> Strategy:
    overrides = {"strategy": name, "class_target": target}
    return build_strategy(make_config("tiny", overrides | settings))


def candidates(
    boxes: list[list[float]], labeled: list[list[float]] = (), ids: list[str] | None = None,
    classes: tuple[str, ...] = CLASSES,
) -> Candidates:  # fmt: skip
    """The images in the order of want."""
    pool = np.array(boxes, np.float32).reshape(-1, len(classes))
    columns = {CLASS_BOXES: pool, "score": -np.arange(len(pool), dtype=np.float32)}
    known = {CLASS_BOXES: np.array(labeled, np.float32).reshape(-1, len(classes))}
    names = ids or [str(place) for place in range(len(pool))]
    return Candidates.of_all(names, ["old"], columns, known, classes)


def chosen(rule: Strategy, pool: Candidates, budget: int) -> list[str]:
    return list(rule.choose(pool, budget, np.random.default_rng(0)).ids)


CATS, DOG, SHEEP, NOTHING = [4.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0.0, 0, 0]


def test_rare_classes_come_first_by_hand():
    """4 cats and 2 dogs are labeled. Sheep, of which there are none, count 1, dogs 0.5: 0.2 x 1 of
    the last image is less than 0.6 x 0.5 of the dog. Then dogs count 0.25: less than the sheep."""
    pool = candidates([CATS, CATS, DOG, DOG, SHEEP], [CATS, DOG, DOG])
    rule = strategy("even")
    found = rule.choose(pool, 4, np.random.default_rng(0))
    assert list(found.ids) == ["2", "4", "3", "0"]
    own = "the two classifiers disagree most on its anchors"
    assert list(found.reasons) == [
        "class that is short: dog (1 boxes expected); number 3 in the order of MI-AOD",
        "rarest predicted class: sheep (1 boxes expected); number 5 in the order of MI-AOD",
        "class that is short: dog (1 boxes expected); number 4 in the order of MI-AOD",
        own,
    ]


def test_numbers_of_boxes_are_met_and_then_the_order_alone_decides():
    pool = candidates([CATS, SHEEP, DOG, CATS, DOG, DOG, DOG], [DOG, DOG])
    rule = strategy("dog=2,cat=4")
    assert chosen(rule, pool, 5) == ["0", "2", "4", "1", "3"]
    assert remarks_of(rule, pool, ["0", "2", "4", "1", "3"]) == []
    assert remarks_of(rule, pool, ["1", "2"]) == [
        "class target not met, by expected boxes: cat 0.0 of 4 boxes; dog 1.0 of 2 boxes"
    ]


def test_shares_count_what_is_labeled():
    pool = candidates([CATS, DOG, DOG, SHEEP], [[1.0, 1.0, 0]])
    rule = strategy("dog=75%,sheep=25%")
    assert chosen(rule, pool, 3) == ["3", "1", "2"]
    assert remarks_of(rule, pool, ["0", "1"]) == [
        "class target not met, by expected boxes: dog 28.6 % of the boxes, 75 % wanted; "
        "sheep 0.0 % of the boxes, 25 % wanted"
    ]


def test_crowds_do_not_win():
    pool = candidates([[0, 1.0, 0], [0, 30.0, 0]], [CATS])
    assert chosen(strategy("even"), pool, 1) == ["0"]


def test_images_without_boxes_follow_the_order():
    pool = candidates([NOTHING] * 4, [CATS])
    assert chosen(strategy("even"), pool, 9) == list("0123")
    assert chosen(strategy("even"), candidates([]), 3) == []
    one_class = candidates([[0.0], [2.0]], [[1.0]], classes=("cat",))
    assert chosen(strategy("even"), one_class, 1) == ["0"]  # a single class is never short


@pytest.mark.parametrize("name", ["mi_aod", "coreset"])
def test_the_order_of_the_pool_changes_nothing(name):
    rng = np.random.default_rng(0)
    boxes, scores = rng.gamma(0.3, size=(40, 3)), rng.normal(size=40)
    labeled = {CLASS_BOXES: boxes[:4], "feature": boxes[:4]}
    rule = strategy("even", name)

    def found(order: np.ndarray) -> list[str]:
        columns = {CLASS_BOXES: boxes[order], "score": scores[order], "feature": boxes[order]}
        ids = [str(i) for i in order]
        return chosen(rule, Candidates.of_all(ids, [], columns, labeled, CLASSES), 10)

    expected = found(np.arange(40))
    assert len(set(expected)) == 10
    assert all(found(rng.permutation(40)) == expected for _ in range(5))


def test_with_chance_as_the_strategy():
    rule = strategy("even", "random")
    pool = candidates([CATS] * 20 + [SHEEP], [CATS])
    assert {"20"} < set(chosen(rule, pool, 5))
    assert rule.card.label == "random + rare classes first" and rule.card.columns == (CLASS_BOXES,)
    (first, *_), *_ = choose_batch(rule, pool, 5, [0, 0])
    assert first == "20"


def test_how_short_classes_are():
    have, goal = np.array([4.0, 1.0, 9.0]), np.array([0.5, 0.5, 0.0])
    assert shortage(have, goal, False).tolist() == [0, 0.75, 0]
    assert shortage(have, np.array([8.0, 1, 0]), True).tolist() == [0.5, 0, 0]
    assert shortage(np.zeros(3), goal, False).tolist() == [1, 1, 0]


def test_a_misspelled_class_is_refused():
    config = make_config("tiny", {"class_target": "dgo=3"})
    with pytest.raises(ConfigError, match="there is no class 'dgo'") as error:
        refuse_unknown_classes(config, CLASSES)
    assert "did you mean 'dog'?" in error.value.remedy and error.value.where == "class_target"
    refuse_unknown_classes(config, ())  # nobody knows yet
    refuse_unknown_classes(make_config("tiny", {"class_target": "even"}), CLASSES)
    assert goals(build_strategy(config).target, ("dgo",)).tolist() == [3]


def test_expected_boxes_by_hand():
    assert class_boxes(outputs([0.75, 0.5, 0.25], [0, 0, 2])).tolist() == [1.25, 0, 0.25]
    assert class_boxes(outputs([], [])).tolist() == [0, 0, 0]


@torch.no_grad()
def test_batch_equals_single():
    rule, model, images = strategy("even", score_threshold=0.3), lively_detector(3), noise(3)
    batch = rule.observe(model, unlabeled(images))
    assert tuple(batch) == rule.card.columns and batch[CLASS_BOXES].any()
    for i in range(3):
        single = rule.observe(model, unlabeled(images[i : i + 1]))[CLASS_BOXES]
        torch.testing.assert_close(batch[CLASS_BOXES][i : i + 1], single, rtol=1e-4, atol=1e-6)
