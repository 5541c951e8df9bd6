"""Every strategy by its name: those of the package, and those that plugins bring."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from miaod_nb.config import Config, make_config
from miaod_nb.errors import ConfigError
from miaod_nb.plugins import PLUGINS, load_plugins
from miaod_nb.runs.card import Card
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.coreset import CoreSet
from miaod_nb.selection.entropy import Entropy
from miaod_nb.selection.full import Full
from miaod_nb.selection.mi_aod import MiAod
from miaod_nb.selection.protocol import Strategy
from miaod_nb.selection.random import Random

STRATEGIES: dict[str, Callable[[Config], Strategy]] = {
    "mi_aod": MiAod,
    "entropy": Entropy,
    "random": Random,
    "full": Full,
    "coreset": CoreSet,
}
_BUILT_IN: dict[str, Card] = {s.card.name: s.card for s in (MiAod, Entropy, Random, Full, CoreSet)}


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
