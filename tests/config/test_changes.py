"""`changes` is the inverse of `make_config`, also typed, and amounts mean the same count."""

import random
from typing import Any, Literal, get_args, get_origin

import pytest
import torch

from miaod_nb.bench.steps import shape_of
from miaod_nb.config import (
    PRESETS,
    Config,
    changes,
    count_of,
    make_config,
    parse_settings,
    spell,
)
from miaod_nb.data.pool import resolve_count
from miaod_nb.experiment.dataset import num_scored
from miaod_nb.selection.uncertainty import num_averaged

# Values that are not Literals or numbers with bounds.
SOME: dict[str, list[Any]] = {
    "classes": [None, ("dog", "cat"), ("dog, wild", "cat")],
    "image_size": [(1000, 600), (320, 320), (300, 300)],
    "anchor_ratios": [(1.0,), (0.5, 1.0, 2.0)], "controls": [("entropy",), ("entropy", "random")],
    "device": ["cpu", "auto"], "backbone_weights": ["imagenet", "none"],
    "detector": ["retinanet", "ssd300", "mine"], "strategy": ["random", "mi_aod", "mine"],
    "batch_size": [2, 4, 8, 16], "learning_rate": [1e-3, 1.23456789e-7, 2e-3],
    "top_k": [10000, 0.09], "initial": [827, 0.1], "budget": [413, 0.05, "400boxes", "1.5minutes"],
}  # fmt: skip


def some_value(name: str, rng: random.Random) -> Any:
    """A value that a setting may have: now and then that of a preset."""
    if rng.random() < 0.3:
        return getattr(make_config(rng.choice(list(PRESETS))), name)
    field = Config.model_fields[name]
    if name in SOME:
        return rng.choice(SOME[name])
    if get_origin(field.annotation) is Literal:
        return rng.choice(get_args(field.annotation))
    if field.annotation is bool:
        return rng.random() < 0.5
    return getattr(make_config("tiny"), name)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", range(40))
def test_changes_make_the_configuration_again(preset: str, seed: int) -> None:
    rng = random.Random(f"{preset} {seed}")
    names = rng.sample([name for name in Config.model_fields if name != "preset"], 8)
    names += [name for name in ("batch_size", "detector", "image_size") if rng.random() < 0.5]
    config = make_config(preset, {name: some_value(name, rng) for name in names})
    told = changes(config)
    assert make_config(preset, told) == config
    typed = [f"{name}={spell(value)}" for name, value in told.items()]
    assert make_config(preset, parse_settings(typed)) == config


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("voc", {"batch_size": 4, "learning_rate": 1e-3}),
        ("voc", {"batch_size": 4}),
        ("voc0712", {"detector": "ssd300", "image_size": "1000x600"}),
        ("voc0712_ssd", {"detector": "retinanet", "backbone": "resnet50"}),
        ("toy", {}),
    ],
)
def test_changes_that_another_setting_moves_are_told(preset: str, overrides: dict) -> None:
    config = make_config(preset, overrides)
    told = changes(config)
    assert make_config(preset, told) == config
    assert overrides.keys() <= told.keys() | {"backbone"}


def test_the_size_that_is_asked_for_is_measured() -> None:
    cpu = torch.device("cpu")
    given = make_config("voc0712", parse_settings(["image_size=1000x600"]))
    assert shape_of(given, cpu)[1:] == (608, 1024)
    assert shape_of(make_config("voc0712"), cpu)[1:] == (320, 512)
    assert shape_of(make_config("voc0712", {"detector": "ssd300"}), cpu)[1:] == (300, 300)


@pytest.mark.parametrize(
    ("amount", "total", "count"),
    [(0.29, 100, 29), (0.57, 100, 57), (0.1, 48, 4), (0.2, 5, 1), (7, 3, 7), (0.001, 10, 0)],
)
def test_an_amount_means_one_count(amount: float, total: int, count: int) -> None:
    assert count_of(amount, total) == count


def test_every_user_of_amounts_counts_alike() -> None:
    config = make_config("tiny", {"score_fraction": 0.29, "top_k": 0.29, "holdout": 0.29})
    assert resolve_count(0.29, 100) == num_averaged(0.29, 100) == num_scored(config, 100) == 29
