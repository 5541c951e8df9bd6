"""A grid of experiments: recipes x strategies x seeds on one data set, read from a file and checked
before anything runs."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from miaod_nb.config import Config, make_config, parse_settings, suggest
from miaod_nb.data.layouts.label_files import read_text, read_yaml
from miaod_nb.detector import detector_maker
from miaod_nb.errors import ConfigError, MiaodError
from miaod_nb.plots.look import FULL
from miaod_nb.runs.card import NAME, Card
from miaod_nb.runs.files import RunFolder
from miaod_nb.selection.registry import STRATEGIES, build_strategy, refuse_unknown, settled

# What all runs of a grid share, so that their rows can be compared: what is measured on, and what
# is labeled first.
SHARED = {
    "classes", "train_list", "test_list", "voc_pixels_from", "empty_images", "holdout", "initial",
    "initial_strategy", "first_labels", "split_seed",
}  # fmt: skip
ELSEWHERE = {"preset", "cycles", "strategy", "seed"}  # settings that have a key of their own
ADDED = {"class_target", "max_similarity"}  # what settings add to any strategy

Settings = Annotated[dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)]


class GridFile(BaseModel):
    """What stands in a grid file. cycles: left out, as many as the preset has."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    preset: str
    data_root: str = ""
    cycles: int | None = Field(None, ge=1, le=1000)
    recipes: dict[str, Settings] = Field(min_length=1)
    strategies: list[str | dict[str, Settings]] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    settings: Settings = {}
    full: bool = False


@dataclass(frozen=True)
class Cell:
    """One run of a grid. overrides: what makes its settings of the preset's; config, card: as the
    run has them."""

    recipe: str
    selection: str
    overrides: Mapping[str, Any]
    config: Config
    card: Card

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.recipe}-{self.selection}-s{self.config.seed}"

    @cached_property
    def identity(self) -> dict[str, Any]:
        """The settings that decide its results; weight files are read for it, so only once."""
        return self.config.identity()

    @property
    def cycles(self) -> int:
        """How many cycles it has."""
        return 1 if self.card.labels_all else self.config.cycles

    def cycles_done(self, folder: RunFolder) -> int:
        """How many of them are done. folder: that of the run."""
        last = "evaluate" if self.card.labels_all else "select"
        return sum(last in folder.done_steps(cycle) for cycle in range(self.cycles))


@dataclass(frozen=True)
class Grid:
    """A grid as its file describes it; made by `read_grid`. text: of the file."""

    path: Path
    text: str
    preset: str
    data_root: str
    cells: Sequence[Cell]

    @cached_property
    def _of_choice(self) -> set[str]:
        return {"strategy", *(name for cell in self.cells for name in cell.card.settings)}

    def first_training(self, cell: Cell) -> str:
        """What decides the training of a cell's first cycle: equal texts, equal weights."""
        decides = {k: v for k, v in cell.identity.items() if k not in self._of_choice}
        own = {"training": cell.card.training_of(cell.config.training)}
        return json.dumps(decides | own | {"all": cell.card.labels_all}, sort_keys=True)


def read_grid(path: Path) -> Grid:
    """The grid that a file describes. Raises ConfigError for what cannot be, naming the place, and
    DataError for a file that cannot be read."""
    file = _parsed(path)
    strategies = _named_strategies(file, path)
    _refuse_names([*file.recipes, *strategies], path)
    for name, settings in file.recipes.items():
        _refuse_places(settings, {*SHARED, *file.settings}, f"recipes.{name}", path)
    _refuse_places(file.settings, (), "settings", path)
    if double := [seed for seed, count in Counter(file.seeds).items() if count > 1]:
        raise _wrong(f"the seed {double[0]} stands twice", "seeds", path, "name each seed once")
    cells = [
        _cell(file, recipe, selection, seed, path, strategies[selection])
        for seed in file.seeds  # a part of a grid is a whole one of fewer seeds
        for recipe in file.recipes
        for selection in strategies
    ]
    _refuse_equal(cells, path)
    return Grid(path, read_text(path), file.preset, file.data_root, cells)


def _parsed(path: Path) -> GridFile:
    content = read_yaml(path)
    _refuse_doubled(yaml.compose(read_text(path)), path)
    try:
        return GridFile.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        raise _wrong(f"unknown key '{place}'", place, path, suggest(place, GridFile.model_fields))
    if first["type"] == "missing":
        raise _wrong(f"the grid names no {place}", place, path, f"add the key {place}")
    if first["type"] == "too_short":
        raise _wrong(f"{place} is empty", place, path, "name at least one")
    raise _wrong(f"{place} = {first['input']!r} is not allowed: {first['msg']}", place, path,
                 "see docs/grid.md for how a grid is written")  # fmt: skip


def _refuse_doubled(node: yaml.Node | None, path: Path) -> None:
    """Raises ConfigError for a key that stands twice in one place, of which YAML takes the last."""
    if isinstance(node, yaml.MappingNode):
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if double := [key for key, count in keys.items() if count > 1]:
            raise _wrong(f"'{double[0]}' stands twice", f"line {node.start_mark.line + 1} and "
                         "below", path, "give each a name of its own")  # fmt: skip
    for child in node.value if isinstance(node, yaml.CollectionNode) else ():
        for part in child if isinstance(child, tuple) else (child,):
            _refuse_doubled(part, path)


def _named_strategies(file: GridFile, path: Path) -> dict[str, dict[str, Any]]:
    """The settings of the choice of every selection, by its name."""
    pairs: list[tuple[str, dict[str, Any]]] = []
    for one in file.strategies:
        pairs += [(one, {"strategy": one})] if isinstance(one, str) else list(one.items())
    if file.full:
        pairs.append((FULL, {"strategy": FULL}))
    for name, settings in pairs:
        place = f"strategies.{name}"
        with _within(path, place):
            refuse_unknown(str(settings.get("strategy", name)))
        if name in STRATEGIES and settings.get("strategy", name) != name:
            raise _wrong(f"'{name}' is the name of another strategy than {settings['strategy']}",
                         place, path, "give the variant another name")  # fmt: skip
    if double := [n for n, count in Counter(name for name, _ in pairs).items() if count > 1]:
        raise _wrong(f"the strategy '{double[0]}' stands twice", "strategies", path,
                     "name it once, or each variant by a name of its own")  # fmt: skip
    return {name: {"strategy": name} | settings for name, settings in pairs}


def _refuse_names(names: Sequence[str], path: Path) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise _wrong(f"'{name}' cannot name a run folder", name, path, "begin with a letter; "
                         "letters, digits and _.+- may follow, 40 in all")  # fmt: skip


def _refuse_places(
    settings: Mapping[str, Any], not_here: Collection[str], place: str, path: Path
) -> None:
    """Raises ConfigError for a setting that belongs elsewhere in the file, or stands there too."""
    for name in settings:
        if name in ELSEWHERE:
            raise _wrong(f"{name} is no setting of a part of the grid", f"{place}.{name}", path,
                         "preset, cycles, seeds and strategies are keys of the file")  # fmt: skip
        if name in not_here:
            what = (
                f"{name} is the same in all runs of a grid: it decides what is labeled first or "
                "measured on" if name in SHARED
                else f"{name} stands in settings too: it is not clear which holds"
            )  # fmt: skip
            raise _wrong(what, f"{place}.{name}", path, "let it stand in settings alone"
                         if name in SHARED else "take it out of one of the two")  # fmt: skip


def _cell(
    file: GridFile, recipe: str, selection: str, seed: int, path: Path,
    of_choice: Mapping[str, Any],
) -> Cell:  # fmt: skip
    place, variant = f"strategies.{selection}", set(of_choice) - {"strategy"}
    own = file.recipes[recipe]
    _refuse_places(dict.fromkeys(variant), {*own, *file.settings}, place, path)
    cycles = {} if file.cycles is None else {"cycles": file.cycles}
    shared = {"split_seed": seed} | _values(file.settings) | cycles
    with _within(path, "settings"):
        make_config(file.preset, shared)
    with _within(path, f"recipes.{recipe}"):
        detector_maker(make_config(file.preset, shared | _values(own)).detector)
    overrides = shared | _values(own) | _values(of_choice) | {"seed": seed}
    with _within(path, place):
        config = make_config(file.preset, overrides)
        card = build_strategy(config).card
    if strange := sorted(variant - {*card.settings, *ADDED}):
        raise _wrong(f"{strange[0]} is no setting of the choice alone", f"{place}.{strange[0]}",
                     path, "let it stand in a recipe; a strategy may be given "
                     + ", ".join(sorted({*card.settings, *ADDED})))  # fmt: skip
    return Cell(recipe, selection, overrides, settled(config, card), card)


def _values(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, their texts read as on the command line: 1e-3 is a text in YAML."""
    texts = [f"{name}={value}" for name, value in settings.items() if isinstance(value, str)]
    return {**settings, **parse_settings(texts)}


def _refuse_equal(cells: Sequence[Cell], path: Path) -> None:
    """Raises ConfigError for two cells that are one experiment, or would share a folder."""
    known: dict[str, Cell] = {}
    for cell in cells:
        for key in (json.dumps(cell.identity, sort_keys=True), cell.name.lower()):
            if known.setdefault(key, cell) is not cell:
                raise _wrong(
                    f"{known[key].name} and {cell.name} are the same run", "recipes, strategies",
                    path, "leave one of them out, or let them differ in a setting that decides "
                    "results (training: label_set or mi_aod; what auto means depends on the "
                    "strategy) and in their names",
                )  # fmt: skip


@contextmanager
def _within(path: Path, place: str) -> Iterator[None]:
    """Names the place in the file for what is wrong with its settings."""
    try:
        yield
    except MiaodError as error:
        raise ConfigError(
            error.what, where=f"{path}, {place}: {error.where}", remedy=error.remedy
        ) from error


def _wrong(what: str, place: str, path: Path, remedy: str) -> ConfigError:
    return ConfigError(what, where=f"{path}, {place}", remedy=remedy)
