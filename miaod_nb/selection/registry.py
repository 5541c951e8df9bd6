"""Every strategy by its name: those of the package, and those that plugins bring."""

from collections.abc import Callable, Mapping
from typing import Any

from miaod_nb import plugins
from miaod_nb.config import Config, make_config
from miaod_nb.config.shares import parse_mix
from miaod_nb.errors import ConfigError
from miaod_nb.runs.card import Card, fault_of
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.badge import Badge
from miaod_nb.selection.cdal import Cdal
from miaod_nb.selection.class_coverage import covering_classes
from miaod_nb.selection.coreset import CoreSet
from miaod_nb.selection.counting import counting_boxes
from miaod_nb.selection.entropy import Entropy
from miaod_nb.selection.full import Full
from miaod_nb.selection.least_confidence import LeastConfidence
from miaod_nb.selection.look_alikes import without_look_alikes
from miaod_nb.selection.margin import Margin
from miaod_nb.selection.mi_aod import MiAod, MiAodWeighted
from miaod_nb.selection.mix import Mix
from miaod_nb.selection.ppal import Ppal
from miaod_nb.selection.protocol import Strategy
from miaod_nb.selection.random import Random
from miaod_nb.selection.typicality import Typicality

BUILT_IN = {
    s.card.name: s
    for s in (
        MiAod, MiAodWeighted, Entropy, LeastConfidence, Margin, Ppal, Badge, CoreSet, Cdal,
        Typicality, Random, Full,
    )
}  # fmt: skip


def mixed(config: Config) -> Mix:
    """The strategies that the setting `mix` names. Raises ConfigError."""
    if not config.mix:
        raise ConfigError("strategy=mix needs to know what to mix", where="mix",
                          remedy="set mix, for example to 30% coreset, 70% entropy")  # fmt: skip
    shares = parse_mix(config.mix)
    for name in shares:
        refuse_unknown(name, "mix")
        if name == MIX or card_of(name).labels_all:
            raise ConfigError(f"'{name}' chooses no share of a batch", where="mix",
                              remedy="mix strategies that choose images by themselves")  # fmt: skip
    return Mix([(_build(name, config), share) for name, share in shares.items()])


MIX = "mix"
OF_PACKAGE: dict[str, Callable[[Config], Strategy]] = {**BUILT_IN, MIX: mixed}
STRATEGIES = dict(OF_PACKAGE)
# What a setting adds to any strategy, in this order; each gives the strategy back where it adds
# nothing.
COMBINATORS: tuple[Callable[[Config, Strategy], Strategy], ...] = (
    covering_classes,
    without_look_alikes,
    counting_boxes,
)
MEND_CARD = "mend it: `card = Card(name=..., label=..., ...)` of its class (docs/extending.md)"


def build_strategy(config: Config) -> Strategy:
    """The configured strategy, with all that settings add to it. Raises ConfigError for a name that
    nobody registered."""
    strategy = _build(config.strategy, config)
    for combine in COMBINATORS:
        strategy = combine(config, strategy)
    return strategy


def settled(config: Config, card: Card) -> Config:
    """The settings as a run with this strategy has them: two spellings of one training are one, and
    what the strategy implies holds."""
    spelled = "auto" if config.training == card.training_of("auto") else config.training
    return config.model_copy(update={"training": spelled, **card.implied})


def plain(config: Config, card: Card) -> Config:
    """The settings without what they add to the strategy, whose card is given, so that another
    one can take its place."""
    added = {"class_target", "max_similarity", *card.implied}
    return config.model_copy(update={name: Config.model_fields[name].default for name in added})


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
    if name in OF_PACKAGE and make is not OF_PACKAGE[name]:
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
