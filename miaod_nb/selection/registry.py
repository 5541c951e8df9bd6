"""Every strategy by its name: those of the package, and those that plugins bring."""

from collections.abc import Callable, Mapping
from typing import Any

from miaod_nb import plugins
from miaod_nb.config import Config, make_config
from miaod_nb.errors import ConfigError
from miaod_nb.runs.card import Card, fault_of
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.badge import Badge
from miaod_nb.selection.cdal import Cdal
from miaod_nb.selection.coreset import CoreSet
from miaod_nb.selection.entropy import Entropy
from miaod_nb.selection.full import Full
from miaod_nb.selection.least_confidence import LeastConfidence
from miaod_nb.selection.margin import Margin
from miaod_nb.selection.mi_aod import MiAod
from miaod_nb.selection.ppal import Ppal
from miaod_nb.selection.protocol import Strategy
from miaod_nb.selection.random import Random
from miaod_nb.selection.typicality import Typicality

BUILT_IN = {
    s.card.name: s
    for s in (
        MiAod, Entropy, LeastConfidence, Margin, Random, Full, CoreSet, Cdal, Typicality, Ppal,
        Badge,
    )
}  # fmt: skip
STRATEGIES: dict[str, Callable[[Config], Strategy]] = dict(BUILT_IN)
# What a setting adds to any strategy, in this order; each gives the strategy back where it adds
# nothing.
COMBINATORS: tuple[Callable[[Config, Strategy], Strategy], ...] = ()
MEND_CARD = "mend it: `card = Card(name=..., label=..., ...)` of its class (docs/extending.md)"


def build_strategy(config: Config) -> Strategy:
    """The configured strategy, with all that settings add to it. Raises ConfigError for a name that
    nobody registered."""
    strategy = _build(config.strategy, config)
    for combine in COMBINATORS:
        strategy = combine(config, strategy)
    return strategy


def card_of(name: str) -> Card:
    """The card of a strategy. Raises ConfigError for a name that nobody registered."""
    return _build(name, make_config("voc0712", {"strategy": name})).card


def card_of_run(record: RunRecord) -> Card:
    """The card of a run's strategy, as the run noted it; of an older run as a built-in has it, or
    as little as its newest selection says."""
    if record.card:
        return record.card
    name, cycle = record.config.strategy, record.last_selection
    if name in BUILT_IN:
        return BUILT_IN[name].card
    if cycle is None:
        return Card(name, name, "", "")
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
    return BUILT_IN[name].card if name in BUILT_IN else unknown


def refuse_unknown(name: str, field: str = "strategy") -> None:
    """Raises ConfigError for a name that nobody registered; field: the setting that has it."""
    plugins.refuse_unknown("strategy", name, STRATEGIES, field)


def _build(name: str, config: Config) -> Strategy:
    refuse_unknown(name)
    make = STRATEGIES[name]
    if name in BUILT_IN and make is not BUILT_IN[name]:
        raise ConfigError(
            f"'{name}' is the name of a strategy of the package", where=plugins.place_of(make),
            remedy="register your own one under another name",
        )  # fmt: skip
    with plugins.own_code_explained(f"the strategy '{name}'", make, MEND_CARD):
        strategy = make(config)
    card, fault = getattr(strategy, "card", None), "it has none"
    if isinstance(card, Card):
        fault = fault_of(card) or f"it names '{card.name}'" * (card.name != name)
    if fault:
        raise ConfigError(f"the card of the strategy '{name}' cannot be used: {fault}",
                          where=plugins.place_of(strategy), remedy=MEND_CARD)  # fmt: skip
    return strategy
