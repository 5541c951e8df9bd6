"""From what a user gives to a configuration: texts, presets, and words for what is wrong."""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from miaod_nb.config.fields import Config, Names, json_or_text
from miaod_nb.config.presets import DETECTOR_SETTINGS, PRESETS
from miaod_nb.errors import ConfigError


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """Overrides from `key=value` texts; a value is JSON where it can be, else the text itself.

    Raises ConfigError for a text without '='.
    """
    overrides: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"'{pair}' is not a setting", remedy="write it as key=value")
        overrides[key.strip()] = _setting_value(key.strip(), text)
    return overrides


def make_config(preset: str, overrides: Mapping[str, Any] | None = None) -> Config:
    """The preset's configuration with some fields replaced.

    A learning rate belongs to its batch: when `batch_size` is overridden and `learning_rate` is
    not, the rate is scaled linearly. Raises ConfigError as `validated` does.
    """
    overrides = dict(overrides or {})
    _refuse_unknown_preset(preset)
    if "preset" in overrides:
        raise ConfigError(
            "the preset is not a setting",
            where=f"preset = {overrides['preset']!r}",
            remedy="choose the preset by itself; settings change what it holds",
        )
    values = _preset_values(preset, overrides.get("detector")) | overrides
    config = validated(values)
    if "batch_size" in overrides and "learning_rate" not in overrides:
        config = validated(values | {"learning_rate": _scaled_rate(config)})
    return config


def _refuse_unknown_preset(preset: str) -> None:
    if preset not in PRESETS:
        raise ConfigError(
            f"there is no preset '{preset}'", where="preset", remedy=suggest(preset, PRESETS)
        )


def _preset_values(preset: str, detector: Any = None) -> dict[str, Any]:
    """What a preset holds, with the needs of its own detector or of another one."""
    values = PRESETS[preset]
    detector = detector or values.get("detector", "retinanet")
    return values | DETECTOR_SETTINGS.get(str(detector), {}) | {"preset": preset}


def validated(values: Mapping[str, Any]) -> Config:
    """The configuration with these values and defaults for the rest.

    Raises ConfigError naming the first wrong field, its value and what it accepts; for an unknown
    name, the nearest known one.
    """
    try:
        config = Config(**values)
        _refuse_unknown_preset(config.preset)
        return config
    except ValidationError as error:
        first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        raise ConfigError(
            f"unknown setting '{name}'", where=name, remedy=suggest(name, Config.model_fields)
        )
    field = Config.model_fields[name]
    reason = f": {first['ctx']['error']}" if first["type"] == "value_error" else ""
    raise ConfigError(
        f"{name} = {values[name]!r} is not allowed{reason}",
        where=name,
        remedy=f"give {allowed(field)}{field.description}",
    )


def spell(value: object) -> str:
    """A setting's value as `parse_settings` reads it."""
    if isinstance(value, list | tuple):
        parts = list(map(spell, value))
        is_plain = parts and not any("," in part for part in parts)
        return ",".join(parts) if is_plain else json.dumps(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # a count where a fraction may stand
    return value if isinstance(value, str) else json.dumps(value)


def changes(config: Config) -> dict[str, Any]:
    """Overrides that make a configuration again from its preset, JSON-ready: what differs from the
    preset, the detector among it, and what making it would set otherwise."""
    found = _differing(validated(_preset_values(config.preset)), config, ["detector"])
    found |= _differing(make_config(config.preset, found), config)
    # A batch size that is given moves a rate that is not.
    return found | _differing(make_config(config.preset, found), config)


def _differing(
    base: Config, config: Config, names: Iterable[str] = Config.model_fields
) -> dict[str, Any]:
    """The values of a configuration that another one does not have."""
    before, now = base.model_dump(mode="json"), config.model_dump(mode="json")
    return {name: now[name] for name in names if now[name] != before[name]}


def lr_rescaling(config: Config) -> str | None:
    """What to tell the user of a learning rate in proportion to another batch size; None where it
    is the preset's, or another one."""
    base = validated(_preset_values(config.preset))
    if config.batch_size == base.batch_size or config.learning_rate != _scaled_rate(config):
        return None
    return (
        f"learning rate {config.learning_rate:g}: the preset's {base.learning_rate:g} in "
        f"proportion to the batch size ({base.batch_size} -> {config.batch_size}); set "
        "learning_rate to choose another"
    )


def _setting_value(key: str, text: str) -> Any:
    value = json_or_text(text)
    field = Config.model_fields.get(key)
    names = field is not None and field.annotation in (str, Names | None)
    # A name may look like a number or a boolean: `train_list=2012`, `classes=7`.
    return text.strip() if names and isinstance(value, int | float) else value


def _scaled_rate(config: Config) -> float:
    base = validated(_preset_values(config.preset))
    return base.learning_rate * (config.batch_size / base.batch_size)


def suggest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else "known are: " + ", ".join(known)


def allowed(field: FieldInfo) -> str:
    """What the field accepts, in words; nothing where its description says so already."""
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(get_args(field.annotation))}: "
    if field.annotation is bool:
        return "true or false: "
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    bounds = [
        f"{word} {getattr(mark, name)}"
        for name, word in words.items()
        for mark in field.metadata
        if hasattr(mark, name)
    ]
    kind = "a whole number" if field.annotation is int else "a number"
    return ", ".join([kind, *bounds]) + ": " if bounds else ""
