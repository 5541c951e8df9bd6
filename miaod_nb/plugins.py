"""Files of one's own that register strategies, detectors or layouts of data, for every process.

Which ones is said by the environment of a process alone, never by a run folder or a data set: who
opens what others made runs no code of theirs.
"""

import difflib
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from miaod_nb.errors import ConfigError, MiaodError, is_lack_of_memory

PLUGINS = "MIAOD_PLUGINS"  # environment: modules or .py files, separated as in PATH
_modules: set[str] = set()


def load_plugins() -> None:
    """Imports the modules that the environment names, each once. Raises ConfigError."""
    for entry in filter(None, os.environ.get(PLUGINS, "").split(os.pathsep)):
        _modules.add(_load(entry))


def comes_from(module: str) -> bool:
    """Whether a new process would import the module too: it is the package's, or a plugin."""
    return module.startswith("miaod_nb.") or module in _modules


def refuse_unknown(kind: str, name: str, known: Collection[str], field: str) -> None:
    """Raises ConfigError for a name that nobody registered. kind: of what, in words; field: the
    setting that has the name."""
    load_plugins()
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    raise ConfigError(
        f"there is no {kind} '{name}'", where=field,
        remedy=f"{guess}choose one of: {', '.join(sorted(known))}; for one of your own name the "
        f".py file or module that registers it in {PLUGINS} (docs/extending.md)",
    )  # fmt: skip


@contextmanager
def own_code_explained(
    what: str, code: object, remedy: str, kind: type[MiaodError] = ConfigError
) -> Iterator[None]:
    """Turns what code of one's own raises into an error for the user: its author. A lack of memory
    passes, and what the package's own code raises, which nobody else can mend.

    what: whose code, in words: "the strategy 'margin'". code: the class or function.
    """
    try:
        yield
    except MiaodError:
        raise
    except Exception as error:
        if home_of(code).startswith("miaod_nb.") or is_lack_of_memory(error):
            raise
        raise kind(f"{what} fails: {type(error).__name__}: {error}", where=place_of(code),
                   remedy=remedy) from error  # fmt: skip


def home_of(code: object) -> str:
    """The module that a class, a function or an object is from."""
    made = named_part(code)
    return str(getattr(made, "__module__", ""))


def place_of(code: object) -> str:
    """Where a class, a function or an object is written, for its author."""
    made, home = named_part(code), home_of(code)
    name = str(getattr(made, "__qualname__", made))
    file = getattr(sys.modules.get(home), "__file__", None) if home in _modules else None
    return f"{file}, {name}" if file else f"{home}.{name}"


def named_part(code: object) -> object:
    """What has a name: the function behind its first arguments, or an object's class."""
    if isinstance(code, partial):
        return named_part(code.func)
    return code if hasattr(code, "__qualname__") else type(code)


@cache
def _load(entry: str) -> str:
    """Imports a plugin; gives the name of its module. A file gets a name that no other module has:
    one called random.py takes nobody's place."""
    path, name = Path(entry), ""
    try:
        if not entry.endswith(".py"):
            if path.is_dir():
                raise ImportError("it is a folder, not a .py file")
            return importlib.import_module(entry).__name__
        digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
        name = f"miaod_plugin_{path.stem}_{digest[:8]}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader  # a .py file has both
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
        return name
    except MiaodError:
        raise
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise ConfigError(
            f"the plugin cannot be imported: {type(error).__name__}: {error}",
            where=f"{PLUGINS}, {entry}", remedy=f"mend it, or take it out of {PLUGINS}",
        ) from error  # fmt: skip
