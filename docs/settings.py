"""The page of all settings: written from `Config` itself, with the authors' names beside ours.

`python docs/settings.py > docs/settings.md` writes it.
"""

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from authors_settings import AUTHORS, TheirSetting
from pydantic.fields import FieldInfo

from miaod_nb.config import PRESETS, Config, allowed, make_config

PROTOCOLS = {"voc0712": "", "voc0712_ssd": "SSD ", "coco": "COCO "}  # how their values are marked
OUR_COLUMNS = ("setting", "default", "other presets", "accepted", "effect")
THEIR_COLUMNS = ("name", "there", "here", "unit and effect")

INTRODUCTION = """\
# Settings

A setting is changed with `--set key=value` (`SET='a=1 b=2'` for make, `overrides` in a notebook
or in Python). A wrong value is refused with what is accepted, a misspelled name with the nearest
one. `--preset NAME` begins with the preset's values. This page is written from the code by
`python docs/settings.py`; a test holds the two together.

The default is the authors' value for VOC with RetinaNet (`voc0712`); what other presets have in its
place stands beside it. Settings with a star change how a run is carried out but not what it finds;
all others belong to the fingerprint of a run folder. `detector=ssd300` brings what SSD needs, as in
`voc0712_ssd`, unless it is set beside it.
"""

THEIR_NAMES = """\
## The authors' names

Every name in the configuration of the authors' code. "There" is their value for VOC with RetinaNet,
then those for SSD and COCO where they differ. "Here" is the setting that does the same, with its
default and what the presets of their other protocols have. Where it says "none", the last column
says why.
"""


def settings_page() -> str:
    """`docs/settings.md`: every field of Config by group, and the authors' names for them."""
    parts = [INTRODUCTION]
    for group, names in grouped_fields().items():
        table = _table(OUR_COLUMNS, map(_our_row, names))
        parts.append(f"## {group.capitalize()}\n\n{table}")
    parts.append(THEIR_NAMES)
    for files, settings in AUTHORS.items():
        table = _table(THEIR_COLUMNS, map(_their_row, settings))
        parts.append(f"### {files}\n\n{table}")
    return "\n".join(parts)


def grouped_fields() -> dict[str, list[str]]:
    """The fields of Config under the comments that head them in its source."""
    groups: dict[str, list[str]] = {}
    names = groups.setdefault("preset", [])
    for line in inspect.getsource(Config).splitlines():
        if heading := re.fullmatch(r"    # ([a-z ]+)", line):
            names = groups.setdefault(heading[1], [])
        elif (field := re.match(r"    (\w+): ", line)) and field[1] in Config.model_fields:
            names.append(field[1])
    return groups


def _our_row(name: str) -> tuple[str, ...]:
    field = Config.model_fields[name]
    mark = " *" if name in Config.run_fields() else ""
    others = _other_values(name, PRESETS)
    return f"`{name}`{mark}", _default(name), others, _accepted(field), _effect(name)


def _accepted(field: FieldInfo) -> str:
    if field.annotation == float | str:
        return "a number, or one with its unit"
    if field.annotation == float | Literal["auto"]:
        return "a number, or auto"
    lists = "names" if "str" in str(field.annotation) else "numbers"
    return allowed(field).removesuffix(": ") or ("a text" if field.annotation is str else lists)


def _effect(name: str) -> str:
    return str(Config.model_fields[name].description)


def _their_row(setting: TheirSetting) -> tuple[str, ...]:
    here = [
        "; ".join(filter(None, [f"`{name}` {_default(name)}", _other_values(name, PROTOCOLS)]))
        for name in setting.ours
    ]
    return (
        f"`{setting.name}`",
        setting.value if isinstance(setting.value, str) else _by_protocol(setting.value),
        ", ".join(here) or setting.here,
        setting.note or "; ".join(map(_effect, setting.ours)),
    )


def _default(name: str) -> str:
    return _spelled(Config.model_fields[name].default)


def _by_protocol(values: Mapping[str, Any]) -> str:
    """Their values, those of SSD and COCO only where they differ from the first."""
    first = values["voc0712"]
    return "; ".join(
        mark + _spelled(values[preset])
        for preset, mark in PROTOCOLS.items()
        if preset in values and (not mark or values[preset] != first)
    )


def _other_values(name: str, presets: Iterable[str]) -> str:
    """The values of the presets that differ from the default, equal ones together."""
    if name == "preset":
        return ""
    by_value: dict[str, list[str]] = {}
    for preset in presets:
        value = _spelled(getattr(make_config(preset), name))
        by_value.setdefault(value, []).append(f"`{preset}`")
    by_value.pop(_default(name), None)
    return "; ".join(f"{', '.join(names)} {value}" for value, names in by_value.items())


def _spelled(value: Any) -> str:
    """A value as it may be given to `--set`; long lists by their length."""
    if isinstance(value, tuple) and len(value) > 5:
        return f"{len(value)} names"
    if isinstance(value, tuple):
        return ",".join(map(_spelled, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, str) else json.dumps(value)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    print(settings_page(), end="")
