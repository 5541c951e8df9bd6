"""Files of one's own that register strategies, detectors or layouts of data, for every process.

Which ones is said by the environment of a process alone, never by a run folder or a data set: who
opens what others made runs no code of theirs.
"""

import importlib
import importlib.util
import os
import sys
from functools import cache
from pathlib import Path

from miaod_nb.errors import ConfigError, MiaodError

PLUGINS = "MIAOD_PLUGINS"  # environment: modules or .py files, separated as in PATH
_modules: set[str] = set()


def load_plugins() -> None:
    """Imports the modules that the environment names, each once. Raises ConfigError."""
    for entry in filter(None, os.environ.get(PLUGINS, "").split(os.pathsep)):
        _modules.add(_load(entry))


def comes_from(module: str) -> bool:
    """Whether a new process would import the module too: it is the package's, or a plugin."""
    return module.startswith("miaod_nb.") or module in _modules


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
