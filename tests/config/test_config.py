"""The configuration: what is accepted, what an error says, and what the fingerprint depends on."""

import json
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import ValidationError

from miaod_nb.config import (
    PRESETS,
    VOC_CLASSES,
    Budget,
    Config,
    fingerprint,
    lr_rescaling,
    make_config,
    parse_settings,
    spell,
    validated,
)
from miaod_nb.data.pool import resolve_count
from miaod_nb.errors import ConfigError
from miaod_nb.experiment.dataset import num_scored
from miaod_nb.selection.registry import card_of

DATA = {"ids": ["a", "b"], "classes": ["dog"], "split": [0]}
FIELDS = sorted(Config.model_fields)
NUMBERS = [name for name in FIELDS if Config.model_fields[name].annotation in (int, float)]
CHOICES = [name for name in FIELDS if get_origin(Config.model_fields[name].annotation) is Literal]
UNBOUNDED = {
    "controls": ("entropy",),
    "preset": "voc",
    "classes": ("dog",),
    "train_list": "other",
    "test_list": "other",
    "image_size": (96, 64),
    "detector": "other",
    "backbone": "convnext_atto",
    "backbone_weights": "none",
    "weights": __file__,
    "anchor_ratios": (1.0,),
    "strategy": "other",
    "budget": "400boxes",
    "discrepancy_weight": "auto",
    "class_target": "even",
    "mix": "30% random, 70% entropy",
    "device": "cuda:1",
}  # valid values other than the defaults, for fields that are neither number, choice nor switch


def bounds(name: str) -> dict[str, float]:
    """The limits of a number as declared, such as {"ge": 1, "le": 10}."""
    marks = Config.model_fields[name].metadata
    names = ("ge", "gt", "le", "lt")
    return {key: getattr(mark, key) for mark in marks for key in names if hasattr(mark, key)}


def another_value(name: str) -> Any:
    """A valid value that differs from the default."""
    field = Config.model_fields[name]
    if name in CHOICES:
        return next(choice for choice in get_args(field.annotation) if choice != field.default)
    if field.annotation is bool:
        return not field.default
    if name in NUMBERS:
        low, high = bounds(name).values()
        if field.annotation is int:
            return field.default + (1 if field.default < high else -1)
        if field.default >= 1:
            return field.default + (1 if field.default < high else (low - high) / 2)
        return (low + field.default) / 2 if field.default > low else min(high, 1) / 2
    return UNBOUNDED[name]


def refused(overrides: dict[str, Any], preset: str = "voc0712") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        make_config(preset, overrides)
    return caught.value


def set_from_text(text: str) -> Any:
    """The field's value after `--set text`."""
    overrides = parse_settings([text])
    return getattr(make_config("voc0712", overrides), text.partition("=")[0].strip())


# --- presets and overrides --------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_and_carry_their_name(preset: str) -> None:
    config = make_config(preset)
    assert config.preset == preset
    assert lr_rescaling(config) is None
    for field, value in PRESETS[preset].items():
        assert getattr(config, field) == value


def test_authors_preset_is_the_published_recipe() -> None:
    config = make_config("voc0712")
    assert (config.optimizer, config.learning_rate, config.batch_size) == ("sgd", 1e-3, 2)
    assert (config.momentum, config.weight_decay, config.clip_norm) == (0.9, 5e-4, 0)
    assert (config.initial, config.budget, config.cycles) == (0.05, 0.025, 7)
    assert config.classes == VOC_CLASSES and len(VOC_CLASSES) == 20
    # 34 passes over the labeled and the unlabeled images in all (label-set, then two rounds)
    label_set, adversarial = config.label_set_epochs, 2 * 2 * config.adversarial_epochs
    passes = label_set + config.rounds * (adversarial + label_set)
    assert config.repeats * passes == 34


def test_coco_preset_is_the_published_recipe() -> None:
    config, voc = make_config("coco"), make_config("voc0712")
    assert (config.train_list, config.test_list) == ("train2017", "val2017")
    assert (config.initial, config.budget, config.cycles) == (0.02, 0.02, 5)
    assert (config.image_size, config.warmup_steps) == ((1333, 800), 500)
    assert (config.optimizer, config.learning_rate, config.batch_size) == ("sgd", 1e-3, 2)
    assert (config.score_fraction, config.first_unlabeled) == (0.2, "second")
    assert (config.empty_images, config.classes) == ("drop", None)
    differing = {name for name in FIELDS if getattr(config, name) != getattr(voc, name)}
    assert differing == {
        "preset", "classes", "train_list", "test_list", "empty_images", "image_size",
        "warmup_steps", "initial", "budget", "cycles", "first_unlabeled", "score_fraction",
    }  # fmt: skip


def test_counts_of_the_coco_preset_are_the_published_ones() -> None:
    config, num_images = make_config("coco"), 117266
    assert resolve_count(config.initial, num_images) == 2345
    assert resolve_count(config.budget, num_images) == 2345
    assert num_scored(config, num_images) == 117266 // 5 == 23453


def test_config_is_frozen_and_hashable() -> None:
    config = make_config("tiny")
    with pytest.raises(ValidationError):
        config.seed = 1
    assert len({config, make_config("tiny"), make_config("tiny", {"seed": 1})}) == 2


def test_overrides_do_not_leak_into_the_preset() -> None:
    overrides = {"seed": 5}
    assert make_config("tiny", overrides).seed == 5
    assert make_config("tiny").seed == PRESETS["tiny"]["seed"]
    assert overrides == {"seed": 5}


def test_learning_rate_follows_an_overridden_batch_alone() -> None:
    scaled = make_config("voc0712", {"batch_size": 6})
    assert scaled.learning_rate == pytest.approx(3e-3)
    note = lr_rescaling(scaled)
    assert note is not None and "0.003: the preset's 0.001 in proportion" in note
    assert "2 -> 6" in note
    chosen = make_config("voc0712", {"batch_size": 6, "learning_rate": 0.5})
    assert (chosen.learning_rate, lr_rescaling(chosen)) == (0.5, None)
    same = make_config("voc0712", {"batch_size": 2})
    assert (same.learning_rate, lr_rescaling(same)) == (1e-3, None)


@pytest.mark.parametrize("preset", PRESETS)
def test_rate_of_every_preset_scales_and_says_so_after_a_round_trip_too(preset: str) -> None:
    base = make_config(preset)
    scaled = make_config(preset, {"batch_size": 3 * base.batch_size})
    assert scaled.learning_rate == pytest.approx(3 * base.learning_rate)
    read = validated(json.loads(json.dumps(scaled.model_dump(mode="json"))))
    assert lr_rescaling(scaled) == lr_rescaling(read) is not None


@pytest.mark.parametrize(
    ("overrides", "trains"),
    [
        ({}, True),
        ({"strategy": "random"}, False),
        ({"strategy": "random", "training": "mi_aod"}, True),
        ({"training": "label_set"}, False),
    ],
)
def test_adversarial_stages_follow_strategy_or_training(
    overrides: dict[str, Any], trains: bool
) -> None:
    config = make_config("voc0712", overrides)
    training = card_of(config.strategy).training_of(config.training)
    assert training == ("mi_aod" if trains else "label_set")


# --- settings as text -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cycles=3", 3),
        ("cycles = 3", 3),
        ("learning_rate=1e-2", 0.01),
        ("initial=20", 20),
        ("classes=dog,cat", ("dog", "cat")),
        ("classes=box, fox", ("box", "fox")),
        ("classes=taxi", ("taxi",)),
        ('classes=["traffic light","a,b"]', ("traffic light", "a,b")),
        ("classes=7", ("7",)),
        ("classes=007,1", ("007", "1")),
        ("classes=true", ("true",)),
        ("classes=null", None),
        ("classes=None", None),
        ("image_size=320x240", (320, 240)),
        ("image_size=320,240", (320, 240)),
        ("image_size=[320,240]", (320, 240)),
        ("anchor_ratios=0.5,1,2", (0.5, 1.0, 2.0)),
        ("anchor_ratios=1", (1.0,)),
        ("train_list=2012", "2012"),
        ("train_list=a=b", "a=b"),
        ("weighted_selection=true", True),
        ("weighted_selection=False", False),
        ("training=label_set", "label_set"),
        ('training="label_set"', "label_set"),
    ],
)
def test_settings_from_text(text: str, value: Any) -> None:
    assert set_from_text(text) == value


@pytest.mark.parametrize("pair", ["cycles", "=3", " =3", ""])
def test_text_without_a_key_or_equals_sign_is_refused(pair: str) -> None:
    with pytest.raises(ConfigError, match="key=value"):
        parse_settings([pair])


def test_the_last_of_equal_keys_wins() -> None:
    assert parse_settings(["seed=1", "cycles=2", "seed=3"]) == {"seed": 3, "cycles": 2}
    assert parse_settings([]) == {}


@pytest.mark.parametrize(
    "text",
    [
        "cycles=2.5",
        "cycles=3.0",
        "cycles=true",
        "cycles=null",
        "cycles=",
        "seed=abc",
        "seed=" + "9" * 5000,
        "learning_rate=true",
        "learning_rate=Infinity",
        "clip_norm=Infinity",
        "momentum=NaN",
        "weighted_selection=1",
        "weighted_selection=yes",
        "training=true",
        "device=0",
        "device=cuda:",
        "backbone_weights=None",
        "classes=",
        "classes=a,,b",
        "classes=a,b,a",
        "classes=[]",
        "classes=[1]",
        'classes=[" "]',
        "image_size=320",
        "image_size=240x320",
        "image_size=320x31",
        "image_size=5000x320",
        "image_size=320.5x240",
        "image_size=3x2x1",
        "image_size=bigxsmall",
        "anchor_ratios=",
        "anchor_ratios=0.5,,1",
        "anchor_ratios=0,1",
        "anchor_ratios=true",
        "anchor_ratios=[]",
        "initial=1.5",
        "budget=2.01",
        "discrepancy_weight=-0.1",
        "discrepancy_weight=10.1",
        "discrepancy_weight=NaN",
        "discrepancy_weight=true",
        "discrepancy_weight=automatic",
        "budget=true",
        "budget=0",
        "budget=NaN",
        "budget=0 boxes",
        "budget=2.5 boxes",
        "budget=0.5 images",
        "budget=4 hours",
        "budget=boxes",
        "budget=-3 boxes",
        "budget=1e2boxes",
        "budget=" + "9" * 400 + "boxes",
        "top_k=1000.5",
    ],
)
def test_bad_text_is_refused_by_name(text: str) -> None:
    name = text.partition("=")[0]
    error = refused(parse_settings([text]))
    assert error.where == name
    assert error.what.startswith(f"{name} = ")
    assert error.remedy


# --- what an error says -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NUMBERS)
def test_number_error_states_value_and_both_bounds(name: str) -> None:
    low, high = bounds(name).values()
    for value in (low - 1, high + 1, "many", True, float("nan")):
        error = refused({name: value})
        assert f"{name} = {value!r}" in error.what
        assert f" {low}, " in str(error.remedy) and f" {high}:" in str(error.remedy)


@pytest.mark.parametrize("name", NUMBERS)
def test_bounds_are_inclusive_or_not_as_the_error_says(name: str) -> None:
    for key, limit in bounds(name).items():
        if key in ("ge", "le"):
            assert getattr(make_config("voc0712", {name: limit}), name) == limit
        else:
            word = {"gt": "above", "lt": "below"}[key]
            assert f"{word} {limit}" in str(refused({name: limit}).remedy)


@pytest.mark.parametrize("name", CHOICES)
def test_choice_error_lists_the_choices(name: str) -> None:
    error = refused({name: "nonsense"})
    assert f"{name} = 'nonsense'" in error.what
    assert ", ".join(get_args(Config.model_fields[name].annotation)) in str(error.remedy)


@pytest.mark.parametrize("name", sorted(UNBOUNDED.keys() - {"preset"}))
def test_other_errors_tell_what_the_field_is(name: str) -> None:
    error = refused({name: {"not": "this"}})
    assert f"{name} = {{'not': 'this'}}" in error.what
    assert str(Config.model_fields[name].description) in str(error.remedy)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"image_size": 320}, ["32 to 4096", "320x240"]),
        ({"anchor_ratios": (-1.0,)}, ["above 0 to 10"]),
        ({"device": "gpu"}, ["auto, cpu, cuda or cuda:N"]),
        ({"tensorboard": 1}, ["true or false"]),
        ({"budget": 1.5}, ["whole", "fraction"]),
        ({"discrepancy_weight": 11}, ["from 0 to 10, or auto"]),
        ({"classes": ("a", "a")}, ["stands twice"]),
    ],
)
def test_error_names_what_is_accepted(overrides: dict[str, Any], words: list[str]) -> None:
    error = refused(overrides)
    assert all(word in str(error) for word in words)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [("60 images", "60"), ("60images", "60"), ("60", "60"), ("0.025", "0.025"),
     ("400 boxes", "400boxes"), (" 400BOXES ", "400boxes"), ("1 box", "1boxes"),
     ("90 minutes", "90minutes"), ("1.5 minutes", "1.5minutes"), ("1 minute", "1minutes")],
)  # fmt: skip
def test_a_budget_has_one_spelling_and_one_fingerprint(text: str, spelled: str) -> None:
    one, other = (make_config("tiny", parse_settings([f"budget={t}"])) for t in (text, spelled))
    assert one == other and spell(one.budget) == spelled
    assert fingerprint(one, DATA) == fingerprint(other, DATA)
    assert Budget.of(one.budget).setting == one.budget


def test_unknown_setting_suggests_the_nearest() -> None:
    assert "'learning_rate'" in str(refused({"learing_rate": 1}).remedy)
    assert "'cycles'" in str(refused({"cycle": 1}).remedy)
    assert "known are: preset, classes" in str(refused({"qqq": 1}).remedy)
    assert "known are: preset, classes" in str(refused({"color": 1}).remedy)


def test_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'voc0712'"):
        make_config("voc07")
    assert "by itself" in str(refused({"preset": "tiny"}).remedy)


# --- JSON and the fingerprint -----------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_round_trip_through_json(preset: str) -> None:
    config = make_config(preset, {"classes": "dog,cat"})
    document = json.loads(json.dumps(config.model_dump(mode="json")))
    assert Config(**document) == config
    assert validated(document) == config


def test_document_of_another_version_is_refused_by_name() -> None:
    document = make_config("tiny").model_dump(mode="json") | {"bach_size": 2}
    with pytest.raises(ConfigError, match="'batch_size'") as caught:
        validated(document)
    assert caught.value.where == "bach_size"


def test_run_fields_are_those_of_carrying_out() -> None:
    assert Config.run_fields() == {
        "preset", "cycles", "controls", "device", "workers", "threads", "log_every", "save_every",
        "tensorboard", "cache_mb", "compile",
    }  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_fingerprint_changes_with_every_field_but_those_of_the_run(name: str) -> None:
    base = validated({})
    changed = validated({name: another_value(name)})
    assert changed != base
    same = fingerprint(changed, DATA) == fingerprint(base, DATA)
    assert same is (name in Config.run_fields())


def test_fingerprint_ignores_order_and_spelling_but_not_the_data() -> None:
    config = make_config("voc", {"initial": 20, "classes": "dog,cat"})
    reordered = dict(reversed(config.model_dump(mode="json").items()))
    expected = fingerprint(config, DATA)
    assert fingerprint(validated(reordered), dict(reversed(DATA.items()))) == expected
    spelled = make_config("voc", {"classes": ["dog", "cat"], "initial": 20.0})
    assert fingerprint(spelled, DATA) == expected
    assert fingerprint(config, DATA | {"ids": ["b", "a"]}) != expected
    assert len(expected) == 64 and int(expected, 16) >= 0


def test_weight_file_counts_by_its_content_and_not_by_its_path(tmp_path: Path) -> None:
    for name, content in (("a.pt", b"weights"), ("b.pt", b"weights"), ("c.pt", b"others")):
        (tmp_path / name).write_bytes(content)
    first, moved, other = (
        make_config("voc", {"backbone_weights": str(tmp_path / name)})
        for name in ("a.pt", "b.pt", "c.pt")
    )
    # printf weights | sha256sum
    assert first.identity()["backbone_weights"] == "file:9a129038d9a00aed"
    assert str(tmp_path) not in json.dumps(first.identity())
    assert fingerprint(first, DATA) == fingerprint(moved, DATA) != fingerprint(other, DATA)
    assert first.model_dump()["backbone_weights"] == str(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("setting", "name", "file"),
    [
        ("backbone_weights", "missing.pt", "missing.pt"),
        ("backbone_weights", ".", "."),
        ("weights", "missing.pt", "missing.pt"),
        ("weights", ".", "weights.pt"),
    ],
)
def test_weight_file_that_cannot_be_read_is_named(
    tmp_path: Path, setting: str, name: str, file: str
) -> None:
    config = make_config("voc", {setting: str(tmp_path / name)})
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        fingerprint(config, DATA)
    assert str(caught.value.where) == f"{setting} = {tmp_path / file}"


def test_folder_of_a_cycle_stands_for_its_weights(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"weights")
    by_file = make_config("tiny", {"weights": str(tmp_path / "weights.pt")}).identity()
    assert by_file["weights"] == "file:9a129038d9a00aed"
    assert make_config("tiny", {"weights": str(tmp_path)}).identity() == by_file


def test_settings_added_later_leave_older_fingerprints_alone():
    """At its default such a setting is what every run before it had."""
    identity = make_config("tiny").identity()
    assert not {"instance_aggregate", "voc_pixels_from", "weights"} & identity.keys()
    changed = make_config("tiny", {"instance_aggregate": "sum", "voc_pixels_from": 0}).identity()
    assert changed["instance_aggregate"] == "sum" and changed["voc_pixels_from"] == 0
