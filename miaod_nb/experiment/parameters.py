"""A notebook's parameters, as people and papermill give them, checked before anything is shown."""

import ast
import difflib
import json
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

from miaod_nb.errors import ConfigError

# What notebooks declare, a copy perhaps more, and with which types.
KINDS = {"preset": "str", "data_root": "str", "run_dir": "str", "cycle": "int", "overrides": "dict",
         "work_folder": "str", "strategy": "str",
         "grid_dir": "str", "selection": "str", "by": "str"}  # fmt: skip
OF_A_RUN = ("preset", "data_root", "run_dir", "cycle", "overrides")  # what every notebook has
OF_A_GRID = ("grid_dir", "selection", "by")  # but the one about a grid
INJECTED = "# Parameters"  # the first line of the cell that papermill adds
BY_TEXT = "as a text: in quotes, or by `-r` in place of `-p` of papermill"
BY_YAML = "as a dict such as {'seed': 1}; to papermill by -y '{overrides: {seed: 1}}'"


def check_parameters(names: MutableMapping[str, Any]) -> None:
    """Refuses parameters that the notebook does not declare or that are misspelled where it does,
    and values of another type; a number and a dict that were given as texts are read. To be called
    by a notebook before it opens a run or a grid.

    names: `globals()` of the notebook, whose `In` has its cells so far: one that declares
    parameters, annotated, and perhaps one of papermill. Values are changed there. Raises
    ConfigError.
    """
    cells = [ast.parse(text) for text in names.get("In", ()) if _is_python(text)]
    declared = next((found for cell in reversed(cells) if (found := _declared(cell))), {})
    known = [name for name, kind in declared.items() if kind]
    needed = max(OF_A_RUN, OF_A_GRID, key=lambda names: len(declared.keys() & set(names)))
    for name in needed if declared else ():
        if name not in declared:  # an earlier call may have left one of this name
            near = difflib.get_close_matches(name, declared, n=1)
            guess = f"'{near[0]}' stands there: did you mean it? " if near else ""
            raise ConfigError(
                f"the parameter '{name}' is missing", where=name,
                remedy=f"{guess}Write '{name}' into the first cell again",
            )  # fmt: skip
    injected = [text for text in names.get("In", ()) if text.partition("\n")[0] == INJECTED]
    for name in [*declared, *(_assigned(injected[-1]) if injected else ())]:
        if declared and name not in known:
            raise _no_parameter(name, known)
    for name in known:
        if name not in names:
            raise ConfigError("the cell of parameters did not run to its end", where=name,
                              remedy="correct that cell and run it again")  # fmt: skip
        names[name] = _of_kind(name, names[name], declared[name])


def _no_parameter(name: str, known: Sequence[str]) -> ConfigError:
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    return ConfigError(f"this notebook has no parameter '{name}'", where=name,
                       remedy=f"{guess}choose of: {', '.join(known)}")  # fmt: skip


def _of_kind(name: str, value: Any, kind: str) -> Any:
    """The value as the notebook declares it: str, int or dict."""
    if kind == "dict" and isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    if kind == "int" and isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        value = int(value)
    kinds: dict[str, Any] = {"str": str, "int": int, "dict": Mapping}
    if isinstance(value, kinds.get(kind, object)) and not (kind == "int" and value is True):
        return value
    remedies = {"str": BY_TEXT, "int": "as a whole number", "dict": BY_YAML}
    raise ConfigError(
        f"{name} = {value!r} is not allowed: it is {type(value).__name__}, not {kind}", where=name,
        remedy=f"give it {remedies[kind]}",
    )  # fmt: skip


def _declared(cell: ast.Module) -> dict[str, str]:
    """The names to which a cell of parameters gives values, with their types; {} of another cell.
    One without a type that is no parameter has the type "", or is left out if lines use it."""
    found: dict[str, str] = {}
    used = {n.id for n in ast.walk(cell) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    for line in cell.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            found[line.target.id] = ast.unparse(line.annotation)
        elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            name = line.targets[0].id
            if name in KINDS or name not in used:
                found[name] = KINDS.get(name, "")
        else:
            return {}
    typed = any(isinstance(line, ast.AnnAssign) for line in cell.body)
    return found if typed and KINDS.keys() & found.keys() else {}


def _assigned(text: str) -> list[str]:
    """The names that a cell gives values to."""
    return [
        target.id for line in ast.parse(text).body if isinstance(line, ast.Assign)
        for target in line.targets if isinstance(target, ast.Name)
    ]  # fmt: skip


def _is_python(text: str) -> bool:
    """Whether a cell is more than a magic of IPython."""
    try:
        return bool(ast.parse(text).body)
    except SyntaxError:
        return False
