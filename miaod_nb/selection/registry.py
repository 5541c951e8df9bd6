"""Every strategy by its name: those of the package, and those that plugins bring."""

import difflib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from miaod_nb.config import Config, make_config
from miaod_nb.errors import ConfigError, MiaodError
from miaod_nb.runs.card import Card
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.coreset import CoreSet
from miaod_nb.selection.entropy import Entropy
from miaod_nb.selection.full import Full
from miaod_nb.selection.mi_aod import MiAod
from miaod_nb.selection.protocol import Strategy
from miaod_nb.selection.random import Random

PLUGINS = "MIAOD_PLUGINS"  # environment: modules or .py files, separated as in PATH

STRATEGIES: dict[str, Callable[[Config], Strategy]] = {
    "mi_aod": MiAod,
    "entropy": Entropy,
    "random": Random,
    "full": Full,
    "coreset": CoreSet,
}
_BUILT_IN: dict[str, Card] = {s.card.name: s.card for s in (MiAod, Entropy, Random, Full, CoreSet)}
_plugin_modules: set[str] = set()


def build_strategy(config: Config) -> Strategy:
    """The configured strategy. Raises ConfigError for a name that nobody registered."""
    return _build(config.strategy, config)


def card_of(name: str) -> Card:
    """The card of a strategy. Raises ConfigError for a name that nobody registered."""
    return _BUILT_IN.get(name) or _build(name, make_config("voc0712", {"strategy": name})).card


def card_of_run(record: RunRecord) -> Card:
    """The card of a run's strategy, as the run noted it; of an older run as a built-in has it, or
    as little as its newest selection says."""
    if record.card:
        return record.card
    name, cycle = record.config.strategy, record.last_selection
    if name in _BUILT_IN or cycle is None:
        return _BUILT_IN.get(name, Card(name, name, "", ""))
    return recorded_card(record.selection(cycle))


def recorded_card(selection: Mapping[str, Any]) -> Card:
    """The card in a selection.json; versions before wrote none, and nobody needs to know the
    strategy."""
    if "card" in selection:
        return Card.from_dict(selection["card"])
    name, rows = selection["strategy"], selection["selected"]
    reason = next((row["reason"] for row in rows), "")
    scored = any(row["score"] is not None for row in rows)
    unknown = Card(name, name, "", reason, ranks_by="score" if scored else None)
    return _BUILT_IN.get(name, unknown)


def refuse_unknown(name: str, field: str = "strategy") -> None:
    """Raises ConfigError for a name that nobody registered; field: the setting that has it."""
    load_plugins()
    if name in STRATEGIES:
        return
    near = difflib.get_close_matches(name, STRATEGIES, n=1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    raise ConfigError(
        f"there is no strategy '{name}'", where=field,
        remedy=f"{guess}choose one of: {', '.join(sorted(STRATEGIES))}; for one of your own name "
        f"the .py file or module that registers it in {PLUGINS} (docs/extending.md)",
    )  # fmt: skip


def load_plugins() -> None:
    """Imports the modules that the environment names, each once. Raises ConfigError."""
    for entry in filter(None, os.environ.get(PLUGINS, "").split(os.pathsep)):
        _plugin_modules.add(_load(entry))


def comes_from(module: str) -> bool:
    """Whether a new process would import the module too: it is the package's, or a plugin."""
    return module.startswith("miaod_nb.") or module in _plugin_modules


def _build(name: str, config: Config) -> Strategy:
    refuse_unknown(name)
    strategy = STRATEGIES[name](config)
    card = getattr(strategy, "card", None)
    if not isinstance(card, Card) or card.name != name:
        raise ConfigError(
            f"the strategy registered as '{name}' has no card of this name",
            where=f"{type(strategy).__module__}.{type(strategy).__qualname__}",
            remedy="give its class `card = Card(name=..., label=..., ...)` (docs/extending.md)",
        )
    return strategy


@cache
def _load(entry: str) -> str:
    """Imports a plugin; gives the name of its module."""
    try:
        if not entry.endswith(".py"):
            return importlib.import_module(entry).__name__
        spec = importlib.util.spec_from_file_location(Path(entry).stem, Path(entry))
        assert spec and spec.loader  # a .py file has both
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return spec.name
    except MiaodError:
        raise
    except Exception as error:
        raise ConfigError(
            f"the plugin cannot be imported: {type(error).__name__}: {error}",
            where=f"{PLUGINS}, {entry}", remedy=f"mend it, or take it out of {PLUGINS}",
        ) from error  # fmt: skip
