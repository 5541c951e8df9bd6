"""The functions of the views' scripts, tested by Node without a browser, and the keys they read."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args, get_type_hints, is_typeddict

import pytest

from miaod_nb.inspection.replay import AGGREGATES
from miaod_nb.plots.pictures import BOX_LINES
from miaod_nb.selection.decisions import Action
from miaod_nb.views import base, contract
from miaod_nb.views.annotator import Annotator
from miaod_nb.views.board import Board
from miaod_nb.views.space import Space
from miaod_nb.views.viewer import UncertaintyViewer
from miaod_nb.views.whatif import WhatIf
from miaod_nb.wording import number_text

HERE = Path(__file__).parent
VIEWS = {
    "board": Board, "annotator": Annotator, "viewer": UncertaintyViewer, "space": Space,
    "whatif": WhatIf,
}  # fmt: skip
# What the scripts call the things whose keys they read, and what else these names have there: keys
# of their own, or of the browser's things.
NAMES: dict[str, tuple[Any, set[str]]] = {
    "card": (contract.Card, set()),
    "event": (contract.Event, {
        "key", "target", "preventDefault", "stopPropagation", "ctrlKey", "altKey", "metaKey",
        "button", "buttons", "pointerId", "clientX", "clientY", "shiftKey", "deltaY", "deltaMode",
        "repeat",
    }),
    "task": (contract.ToLabel, set()),
    "drawn": (contract.Drawn, {"map"}),
    "drawing": (contract.Made, {"done", "skip"}),
    "point": (contract.Point, set()),
    "image": (contract.Listed, {"onload", "onerror", "src", "naturalWidth", "data"}),
    "payload": (contract.Payload, set()),
    "panel": (contract.Panel, {"places", "heats"}),
    "shot": (contract.Payload, {"photos", "place", "listed"}),
    "details": (contract.Details, set()),
    "detections": (contract.Detected, set()),
    "real": (contract.Truth, set()),
    "result": (contract.Replayed, {"settings"}),
    "options": (contract.Options, set()),
}  # fmt: skip


@pytest.mark.skipif(not shutil.which("node"), reason="Node, which runs the scripts, is not there")
def test_functions_of_the_scripts(tmp_path: Path) -> None:
    for name, view in VIEWS.items():
        text = view._esm.removesuffix(base.EXPORT)
        (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
    tests = sorted(map(str, HERE.glob("*.test.js")))
    done = subprocess.run(
        ["node", "--test", *tests], env={"SCRIPTS": str(tmp_path), "PATH": ""},
        executable=shutil.which("node"), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("node"), reason="Node, which runs the scripts, is not there")
def test_numbers_are_written_alike_in_python_and_in_the_scripts(tmp_path: Path) -> None:
    (tmp_path / "space.js").write_text(Space._esm.removesuffix(base.EXPORT), encoding="utf-8")
    numbers = [0, 1, 12, -2500.5, 123456.7, 999999.6, 1e6, 2.125, 0.5, 1e-4, 9.9996e-5, 1e-300]
    numbers += [float(sign * 4.1249 * 10**power) for power in range(-9, 9) for sign in (1, -1)]
    program = (
        f"const {{ load }} = require({json.dumps(str(HERE / 'harness.js'))});"
        "const { shown } = load('space', 'shown');"
        "console.log(JSON.stringify(JSON.parse(process.argv[1]).map(shown)));"
    )
    done = subprocess.run(
        ["node", "-e", program, json.dumps(numbers)], env={"SCRIPTS": str(tmp_path), "PATH": ""},
        executable=shutil.which("node"), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert json.loads(done.stdout) == [number_text(number) for number in numbers]
    assert number_text(4.12e-6) == "4.12e-6" and number_text(None) == number_text(math.nan) == "–"


def test_the_scripts_read_keys_that_the_contract_names() -> None:
    text = script_text()
    for name, (kind, own) in NAMES.items():
        found = set(re.findall(rf"(?<![.\w]){name}\??\.(\w+)", text))
        assert found, f"no script reads anything of {name}"
        assert found - own <= set(get_type_hints(kind)), name


def test_every_key_of_the_contract_is_read() -> None:
    text = script_text()
    kinds = [kind for kind in vars(contract).values() if is_typeddict(kind)]
    keys = {key for kind in kinds for key in get_type_hints(kind)}
    unread = {key for key in keys if not re.search(rf"\b{key}\b", text)}
    assert unread == set()


def test_the_contract_names_every_action_layer_aggregate_and_role() -> None:
    assert {*contract.ACTIONS, "undecided", "note"} == set(get_args(Action))
    assert set(contract.LAYERS) == set(get_args(contract.Layer))
    assert tuple(contract.AGGREGATES) == AGGREGATES
    assert set(contract.SHARED["boxes"]) == set(BOX_LINES)


def test_no_script_or_style_repeats_what_the_contract_says() -> None:
    text = script_text() + "".join(map(read, base.HERE.glob("*.css")))
    for color, _, _ in BOX_LINES.values():
        assert color == "#000000" or color.lower() not in text.lower()
    words = [one[key] for one in contract.ACTIONS.values() for key in ("word", "text", "hint")]
    assert [word for word in words if f'"{word}"' in text] == []
    parts = set(re.findall(r"CONTRACT\.(\w+)", text))
    assert parts == set(contract.SHARED)


def test_functions_of_the_scripts_are_short() -> None:
    for path in base.HERE.glob("*.js"):
        assert not re.search(r"^class ", read(path), flags=re.M), path.name
        for body in re.findall(r"^(?:async )?function.*?^}", read(path), flags=re.M | re.S):
            assert body.count("\n") < 40, body.partition("(")[0]


def script_text() -> str:
    return "".join(map(read, base.HERE.glob("*.js")))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
