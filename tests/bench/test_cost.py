"""What a cycle costs is counted by hand, and as a run really did it."""

import re

import pytest
from torch._subclasses.fake_tensor import FakeTensorMode

from miaod_nb.bench.cost import (
    PROTOCOLS,
    Protocol,
    Speeds,
    image_passes,
    labeled_images,
    predict,
    seconds_of,
    size_factor,
)
from miaod_nb.bench.measure import count_flops
from miaod_nb.bench.steps import Shape, own_steps
from miaod_nb.config import make_config
from miaod_nb.detector import DETECTORS
from tests.conftest import PROJECT
from tests.experiment.helpers import log_of, miaod, run_arguments

SMALL = {
    "batch_size": 4, "label_set_epochs": 3, "adversarial_epochs": 2, "rounds": 1, "repeats": 2,
    "min_epoch_steps": 0, "initial": 10, "budget": 5, "cycles": 3,
}  # fmt: skip
DATA = Protocol(pool=30, test=7, picture=(64, 64))


def speeds(workers: int = 0, optimizer: float = 0.0, loading: float = 0.0) -> Speeds:
    steps = {"label-set": 3.0, "minimize unlabeled": 2.0, "maximize unlabeled": 1.0, "scoring": 0.5}
    return Speeds(steps, optimizer, loading, workers)


def test_image_passes_by_hand():
    passes = image_passes(make_config("tiny", SMALL), 10, DATA)
    # 10 images twice are 5 batches of 4. Two label-set stages of 3 epochs, 2 epochs a side else.
    assert passes == {
        "label-set": 2 * 3 * 5 * 4,
        "minimize labeled": 2 * 5 * 4, "minimize unlabeled": 2 * 5 * 4,
        "maximize labeled": 2 * 5 * 4, "maximize unlabeled": 2 * 5 * 4,
        "scoring": 20, "test": 7,
    }  # fmt: skip


def test_small_sets_are_repeated_and_random_choice_scores_nothing():
    config = make_config("tiny", SMALL | {"min_epoch_steps": 9, "strategy": "random"})
    # Label-set training alone, as many epochs: 3 + (2 + 2 + 3).
    assert image_passes(config, 10, DATA) == {"label-set": 10 * 9 * 4, "test": 7}


def test_few_unlabeled_images_are_paired_with_all_labeled_ones():
    config = make_config("tiny", SMALL | {"first_unlabeled": "second", "adversarial_epochs": 1})
    passes = image_passes(config, 28, DATA)  # 2 unlabeled images: one batch, 14 labeled ones
    assert passes["minimize unlabeled"] == passes["minimize labeled"] == 14 * 4


def test_cycles_that_go_on_cost_what_their_own_epochs_do():
    going_on = {"start_from": "previous", "later_epochs": 1, "strategy": "random"}
    costs = predict(make_config("tiny", SMALL | going_on), DATA, speeds())
    # 3 + (2 + 2 + 3) epochs, then 1 + (2 + 2 + 1); 10, 15 and 20 images twice, in batches of 4
    assert [cost.training_passes for cost in costs] == [10 * 5 * 4, 6 * 8 * 4, 6 * 10 * 4]


def test_labeled_images_of_the_cycles():
    assert labeled_images(make_config("tiny", SMALL), 30) == [10, 15, 20]
    assert labeled_images(make_config("tiny", SMALL), 13) == [10, 13]


@pytest.mark.parametrize(("budget", "images"), [("5 boxes", 5), ("1 minute", 4)])
def test_a_budget_of_boxes_or_minutes_is_of_as_many_images_as_have_a_box_each(budget, images):
    """A minute is enough for four looks of 7.8 seconds with boxes of 7."""
    config = make_config("tiny", SMALL | {"budget": budget, "strategy": "random"})
    assert labeled_images(config, 30) == [10, 10 + images, 10 + 2 * images]
    assert image_passes(config, 10, DATA)["scoring"] == 20  # chance itself looks at none
    assert labeled_images(make_config("tiny", SMALL | {"strategy": "full"}), 30) == [30]


def test_the_protocol_of_voc0712_is_as_long_as_it_is_known_to_be():
    data = PROTOCOLS["voc0712"]
    costs = predict(make_config("voc0712"), data, speeds())
    labeled = [827 + 413 * cycle for cycle in range(7)]
    assert [cost.labeled for cost in costs] == labeled
    training = sum(cost.training_passes for cost in costs)
    assert training == pytest.approx(34 * sum(labeled), rel=1e-3)  # 491,708
    inference = sum(cost.inference_passes for cost in costs)
    assert inference == 7 * (data.pool + data.test) - sum(labeled)


def rows_of_the_page() -> list[list[float]]:
    """cycle, labeled, training passes, other passes, PFLOP: the rows of docs/cost.md."""
    text = (PROJECT / "docs/cost.md").read_text()
    found = re.findall(r"^\| (\d) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|$", text, re.MULTILINE)
    return [[float(value) for value in row] for row in found]


def test_the_page_on_cost_has_the_passes_of_the_protocol():
    costs = predict(make_config("voc0712"), PROTOCOLS["voc0712"], speeds())
    assert [row[:4] for row in rows_of_the_page()] == [
        [cycle, cost.labeled, cost.training_passes, cost.inference_passes]
        for cycle, cost in enumerate(costs)
    ]


@pytest.mark.slow
def test_the_page_on_cost_has_the_operations_of_the_protocol():
    config = make_config("voc0712", {"backbone_weights": "none"})
    with FakeTensorMode():
        model = DETECTORS["retinanet"](config, 20)
        steps = own_steps(config, model, model, Shape(2, 608, 800))
        flops = {step.name: count_flops(step.ready()) / step.images for step in steps}
    as_seconds = Speeds(flops, optimizer=0, loading=0, workers=0)
    costs = predict(config, PROTOCOLS["voc0712"], as_seconds)
    shown = [row[4] for row in rows_of_the_page()]
    assert shown == pytest.approx([cost.seconds / 1e15 for cost in costs], rel=0.01)


def test_seconds_add_up():
    passes = image_passes(make_config("tiny", SMALL), 10, DATA)
    training = (120 + 40) * 3.0 + 40 * 2.0 + 2 * 40 * 1.0
    inference = (20 + 7) * 0.5
    assert seconds_of(passes, speeds(), 4) == pytest.approx(training + inference)
    steps = (120 + 4 * 40) / 4
    assert seconds_of(passes, speeds(optimizer=0.5), 4) == pytest.approx(
        training + 0.5 * steps + inference
    )
    cost, *others = predict(make_config("tiny", SMALL), DATA, speeds())
    assert cost.seconds == pytest.approx(training + inference)
    assert (cost.training_passes, cost.inference_passes) == (280, 27)
    assert [other.labeled for other in others] == [15, 20]


def test_images_are_loaded_before_the_step_or_beside_it():
    passes = {"scoring": 10, "label-set": 10}
    alone = 10 * 3.0 + 10 * 0.5
    assert seconds_of(passes, speeds(loading=1.0), 4) == pytest.approx(alone + 20 * 1.0)
    beside = speeds(workers=2, loading=1.0)
    assert seconds_of(passes, beside, 4) == pytest.approx(10 * 3.0 + 10 * 1.0)


def test_size_factor_counts_pixels_with_padding():
    config = make_config("voc0712")  # 500x375 becomes 800x600, padded 800x608
    assert size_factor(config, (500, 375), Shape(2, 320, 512)) == 800 * 608 / (320 * 512)
    assert size_factor(make_config("toy"), (128, 128), Shape(8, 128, 128)) == 1


def test_a_run_does_as_many_steps_as_predicted(make_voc, tmp_path):
    data_root = make_voc(tmp_path / "VOC2007", num_trainval=24, num_test=5, size=(64, 64))
    settings = {"initial": 7, "budget": 4, "log_every": 1}
    outcome = miaod(*run_arguments(data_root, tmp_path / "run", **settings))
    assert outcome.code == 0, outcome.err
    costs = predict(make_config("tiny", settings), Protocol(24, 5, (64, 64)), speeds())
    assert [cost.labeled for cost in costs] == [7, 11]
    for cycle, cost in enumerate(costs):
        done = [record for record in log_of(tmp_path / "run") if record["cycle"] == cycle]
        terms = [record["terms"] for record in done if record["event"] == "step"]
        pairs = sum(any(name.startswith("unlabeled_") for name in of_step) for of_step in terms)
        assert 2 * (len(terms) + pairs) == cost.training_passes  # batches of 2 images
        (scored,) = (record["images"] for record in done if record["event"] == "score")
        assert scored + 5 == cost.inference_passes
