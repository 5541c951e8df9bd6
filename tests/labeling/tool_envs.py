"""Label tools in folders of their own, beside the project: tests ask the tools themselves.

A tool is installed once, without what it needs for its windows, into $MIAOD_TOOL_ENVS or the user's
cache; only a process of its own imports it. What both it and the package use is this Python's.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PACKAGES = {
    "datumaro": (
        "datumaro==1.13.12", "attrs", "cachetools", "imagesize", "json-stream",
        "json-stream-rs-tokenizer", "lxml", "opencv-python-headless<5", "orjson", "ruamel.yaml",
        "shapely",
    ),
    "labelme": ("labelme==6.3.1",),
    "x-anylabeling": ("x-anylabeling-cvhub==4.2.1",),
    "ultralytics": (
        "ultralytics==8.4.190", "opencv-python-headless<5", "polars", "polars-runtime-32", "psutil",
        "requests", "certifi", "charset-normalizer", "idna", "urllib3", "ultralytics-thop",
        "ultralytics-platform",
    ),
}  # fmt: skip
# Stands in for libraries that a reader of files only imports, such as those of windows.
STANDING_IN = """
import importlib.abc, importlib.machinery, sys
from unittest.mock import MagicMock
class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in NAMES:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        return MagicMock(name=spec.name, __path__=[], __spec__=spec)
    def exec_module(self, module):
        pass
sys.meta_path.append(StandIns())
"""


def ask(tool: str, code: str, *arguments: object, standing_in: str = "") -> Any:
    """What the code prints last, as JSON; it runs where the tool can be imported.

    standing_in: names of libraries that need not be there. Skips the test where the tool cannot be
    installed."""
    folder = _installed(tool)
    code = f"NAMES = {standing_in.split()}\n{STANDING_IN}\n{code}"
    with tempfile.TemporaryDirectory() as elsewhere:
        environment = {**os.environ, "PYTHONPATH": str(folder), "YOLO_CONFIG_DIR": elsewhere}
        child = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], cwd=elsewhere, env=environment,
            capture_output=True, text=True,
        )  # fmt: skip
    assert child.returncode == 0, child.stderr[-3000:]
    return json.loads(child.stdout.splitlines()[-1])


def _root() -> Path:
    """Where the tools are installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "miaod-tools"
    return Path(os.environ.get("MIAOD_TOOL_ENVS") or cache)


@contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Tests in two processes do not install one tool twice."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _installed(tool: str) -> Path:
    """The folder with the tool, made if it is not there."""
    with _one_at_a_time(_root()):
        return _made(tool, _root())


def _made(tool: str, root: Path) -> Path:
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    folder = root / f"{PACKAGES[tool][0].replace('==', '-')}-{version}"
    if not folder.is_dir():
        half = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile",
                   "--target", str(half), *PACKAGES[tool]]  # fmt: skip
        child = subprocess.run(command, capture_output=True, text=True)
        if child.returncode:
            shutil.rmtree(half, ignore_errors=True)
            pytest.skip(f"{tool} cannot be installed here: {child.stderr.strip()[-300:]}")
        half.rename(folder)
    return folder


def environment_of(package: str) -> Path:
    """An environment of its own with a package and all that it needs, made if it is not there.
    Skips the test where it cannot be installed."""
    with _one_at_a_time(_root()):
        return _environment(package, _root())


def _environment(package: str, root: Path) -> Path:
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    folder = root / f"{package.replace('==', '-')}-{version}"
    ready = folder / ".ready"  # an environment cannot be moved once it is made
    if not ready.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        commands = (
            [sys.executable, "-m", "venv", str(folder)],
            [folder / "bin/pip", "install", "--quiet", "--no-compile", package],
        )
        for command in commands:
            child = subprocess.run(command, capture_output=True, text=True)
            if child.returncode:
                shutil.rmtree(folder, ignore_errors=True)
                pytest.skip(f"{package} cannot be installed here: {child.stderr.strip()[-300:]}")
        ready.touch()
    return folder
