"""The moving average of weights, against numbers worked out by hand."""

import pytest
import torch

from miaod_nb.learning.moving_average import averaged_detector, moving_average
from tests.tiny import tiny_detector


def averages(decay: float, weights: list[float]) -> list[float]:
    """The average after each step whose weights are these."""
    model = torch.nn.Linear(1, 1)
    average, found = moving_average(model, decay), []
    for weight in weights:
        torch.nn.init.constant_(model.weight, weight)
        average.update_parameters(model)
        found.append(float(average.module.weight.detach()))
    return found


def test_the_first_steps_are_averaged_over_few():
    """The second step keeps 2/11 of the average, the third 3/12, the fourth 4/13."""
    expected = [1.0, 2 / 11, 2 / 11 * 3 / 12, 2 / 11 * 3 / 12 * 4 / 13 + 4 * 9 / 13]
    assert averages(0.99, [1, 0, 0, 4]) == pytest.approx(expected)


def test_the_decay_is_what_was_asked_for_from_where_the_ramp_has_reached_it():
    found = averages(0.25, [0, 0, 0, 8, 8])
    assert found == pytest.approx([0, 0, 0, 6, 7.5])
    assert averages(0.25, [0, 1])[-1] == pytest.approx(9 / 11)


def test_the_weights_before_the_first_step_do_not_count():
    model = torch.nn.Linear(1, 1)
    average = moving_average(model, 0.9)
    torch.nn.init.constant_(model.weight, 5.0)
    average.update_parameters(model)
    assert float(average.module.weight.detach()) == 5.0


def test_what_does_not_train_stays_as_it_is_and_the_quality_of_classes_is_the_models():
    model = tiny_detector(frozen_stages=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average = moving_average(model, 0.9)
    for step in range(5):
        for parameter in model.head.parameters():
            torch.nn.init.constant_(parameter, step)
        model.class_quality = torch.full((2, 2), float(step))
        average.update_parameters(model)
    detector = averaged_detector(average, model)
    for name, value in detector.state_dict().items():  # statistics of BatchNorms among them
        if name.startswith("head."):
            assert 0 < float(value.mean()) < 4
        else:
            assert torch.equal(value, before[name]), name
    assert torch.equal(detector.class_quality, torch.full((2, 2), 4.0))
    detector(torch.zeros(1, 3, 64, 64))
