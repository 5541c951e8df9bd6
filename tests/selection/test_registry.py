"""Strategies by name: suggestions, plugins, cards of old documents, and no torch to choose."""

import importlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from miaod_nb.config import make_config
from miaod_nb.errors import ConfigError
from miaod_nb.plugins import PLUGINS, comes_from, home_of, place_of
from miaod_nb.runs.card import Card
from miaod_nb.selection.entropy import Entropy
from miaod_nb.selection.registry import (
    BUILT_IN,
    STRATEGIES,
    build_strategy,
    card_of,
    recorded_card,
    refuse_unknown,
)
from tests.experiment.helpers import SHELL_COMMAND, miaod, run_arguments

PLUGIN = '''
import numpy as np
from miaod_nb.runs.card import Card
from miaod_nb.selection.protocol import Choice
from miaod_nb.selection.registry import STRATEGIES


class Spread:
    """Images whose middles are far apart, and far from those of labeled ones."""

    card = Card(
        name="spread", label="spread", words="those that differ", reason="unlike the others",
        columns=("middle",), observes_labeled=True,
    )

    def observe(self, model, batch):
        return {"middle": batch.images.mean(dim=(2, 3))}

    def choose(self, pool, budget, rng):
        points, ids, centers = pool.columns["middle"], [], list(pool.labeled["middle"])
        while len(ids) < min(budget, len(points)):
            distances = np.abs(points[:, None] - np.array(centers)).sum(axis=2).min(axis=1)
            ids.append(pool.ids[int(distances.argmax())])
            centers.append(points[int(distances.argmax())])
        return Choice(ids, reasons=[f"number {n}" for n in range(len(ids))])


STRATEGIES["spread"] = lambda config: Spread()
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch) -> Path:
    """A file with a strategy, which the environment names."""
    path = tmp_path / "spread_plugin.py"
    path.write_text(PLUGIN)
    monkeypatch.setenv(PLUGINS, str(path))
    monkeypatch.setitem(STRATEGIES, "spread", None)  # taken back after the test
    del STRATEGIES["spread"]
    return path


def test_an_unknown_name_is_refused_with_help():
    with pytest.raises(ConfigError) as error:
        refuse_unknown("entrpy", "controls")
    assert "there is no strategy 'entrpy'" in str(error.value) and error.value.where == "controls"
    for part in ("did you mean 'entropy'?", "coreset, entropy, full", "MIAOD_PLUGINS"):
        assert part in error.value.remedy
    with pytest.raises(ConfigError, match="what to do: choose one of"):
        card_of("zzz")


def test_a_strategy_without_a_card_is_refused(monkeypatch):
    monkeypatch.setitem(STRATEGIES, "bare", lambda config: object())
    with pytest.raises(
        ConfigError, match="card of the strategy 'bare' cannot be used: it has none"
    ):
        build_strategy(make_config("tiny", {"strategy": "bare"}))


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "FileNotFoundError"), ("1 / 0", "ZeroDivisionError"), ("import no_such", "No module")],
)
def test_a_plugin_that_cannot_be_imported_is_named(tmp_path, monkeypatch, content, fault):
    path = tmp_path / "faulty_plugin.py"
    if content:
        path.write_text(content)
    monkeypatch.setenv(PLUGINS, str(path))
    with pytest.raises(ConfigError, match=fault) as error:
        card_of("of_a_plugin")
    assert str(path) in error.value.where


@pytest.mark.parametrize(
    ("faulty", "fault"),
    [
        ({"name": ""}, "name = '' is no text"), ({"label": None}, "label = None is no text"),
        ({"name": "two words"}, "name = 'two words' is not a letter and up to 39"),
        ({"label": "x" * 61}, "label has more than 60 letters"),
        ({"columns": ["score"]}, "is no tuple of names"),
        ({"columns": ("score", 3)}, "is no tuple of names"),
        ({"columns": ("score", "id")}, "the column 'id' is there already"),
        ({"columns": ("score", "score")}, "the column 'score' is there already"),
        ({"columns": ("class dog",)}, "the column 'class dog' is there already"),
        ({"columns": ("per_class",), "ranks_by": "per_class"}, "ranks_by = 'per_class' is none of"),
        ({"ranks_by": "score"}, "ranks_by = 'score' is none of its columns"),
        ({"observes_labeled": True}, "observes_labeled needs columns"),
    ],
)  # fmt: skip
def test_a_card_that_nobody_could_use_is_refused(faulty, fault, monkeypatch):
    """Before anything runs: it would break documents of the run folder."""

    class Own:
        card = Card(**{"name": "own", "label": "own", "words": "w", "reason": "r"} | faulty)

    name = Own.card.name
    monkeypatch.setitem(STRATEGIES, name, lambda config: Own())
    with pytest.raises(ConfigError) as error:
        build_strategy(make_config("tiny", {"strategy": name}))
    assert "cannot be used" in error.value.what and fault in error.value.what
    assert str(error.value.where).endswith("Own")


def test_the_names_of_the_package_are_taken(monkeypatch):
    monkeypatch.setitem(STRATEGIES, "random", lambda config: BUILT_IN["full"](config))
    with pytest.raises(ConfigError, match="'random' is the name of a strategy of the package"):
        card_of("random")


def test_a_maker_that_fails_is_named(monkeypatch):
    def make(other: str) -> None:
        raise KeyError(other)

    monkeypatch.setitem(STRATEGIES, "own", make)
    with pytest.raises(ConfigError, match="the strategy 'own' fails: KeyError") as error:
        card_of("own")
    assert "make" in str(error.value.where)


@pytest.mark.parametrize("stem", ["random", "tempfile", "typing"])
def test_a_plugin_takes_no_place_of_a_module(stem, tmp_path, monkeypatch):
    before = importlib.import_module(stem)
    path = tmp_path / f"{stem}.py"
    path.write_text(PLUGIN.replace('"spread"', f'"from_{stem}"'))
    monkeypatch.setenv(PLUGINS, str(path))
    assert card_of(f"from_{stem}").label
    assert sys.modules[stem] is before
    assert str(path) in place_of(STRATEGIES.pop(f"from_{stem}"))


def test_a_plugin_may_be_no_folder_and_not_end_the_command(tmp_path, monkeypatch):
    path = tmp_path / "ends.py"
    path.write_text("raise SystemExit(0)")
    for entry, fault in ((path, "SystemExit"), (tmp_path, "it is a folder, not a .py file")):
        monkeypatch.setenv(PLUGINS, str(entry))
        with pytest.raises(ConfigError, match=fault):
            card_of("of_a_plugin")


def test_a_run_goes_on_with_the_strategy_that_it_began_with(data_root, tmp_path, monkeypatch):
    class Own(Entropy):
        card = replace(Entropy.card, name="own", look="")

    class Other(Own):
        card = replace(Own.card, columns=("score",))

    monkeypatch.setitem(STRATEGIES, "own", Own)
    settings = {"strategy": "own", "cycles": 1, "label_set_epochs": 1}
    run = tmp_path / "run"
    outcome = miaod(*run_arguments(data_root, run, **settings))
    assert outcome.code == 0, outcome.err
    monkeypatch.setitem(STRATEGIES, "own", Other)
    outcome = miaod(*run_arguments(data_root, run, **settings | {"cycles": 2}))
    assert outcome.code == 1 and "'own' is another one than this run began with" in outcome.err
    assert "('score',)" in outcome.err and "new run_dir" in outcome.err


def test_a_file_alone_adds_a_strategy(plugin, data_root, tmp_path, monkeypatch):
    """A rule that looks at a set of images runs here and in a process of its own, alike."""
    settings = {"strategy": "spread", "cycles": 2, "label_set_epochs": 1, "controls": "spread"}
    here, there = tmp_path / "here", tmp_path / "there"
    outcome = miaod(*run_arguments(data_root, here, **settings))
    assert outcome.code == 0, outcome.err
    subprocess.run([*SHELL_COMMAND, *run_arguments(data_root, there, **settings)], check=True,
                   env=os.environ, capture_output=True)  # fmt: skip
    texts = [(root / "cycle0/selection.json").read_text() for root in (here, there)]
    assert texts[0] == texts[1]
    assert '"label": "spread"' in texts[0] and '"reason": "number 1"' in texts[0]
    home = home_of(STRATEGIES["spread"])
    assert comes_from(home) and not comes_from("elsewhere") and home != "spread_plugin"
    monkeypatch.delenv(PLUGINS)
    outcome = subprocess.run([*SHELL_COMMAND, *run_arguments(data_root, there, **settings)],
                             capture_output=True, text=True)  # fmt: skip
    assert outcome.returncode == 1 and "there is no strategy 'spread'" in outcome.stderr


def test_cards_of_documents():
    row = {"score": 0.5, "reason": "it is so"}
    mi_aod = {"strategy": "mi_aod", "selected": [row]}
    assert recorded_card(mi_aod) == card_of("mi_aod")
    own = recorded_card({"strategy": "own_rule", "selected": [row]})
    assert (own.name, own.label, own.ranks_by, own.reason) == (
        "own_rule", "own_rule", "score", "it is so"
    )  # fmt: skip
    card = card_of("coreset")
    assert recorded_card({"strategy": "x", "selected": [], "card": card.as_dict()}) == card


def test_choosing_needs_no_torch():
    code = """
import sys
import numpy as np
from miaod_nb.config import make_config
from miaod_nb.selection.batch import choose_batch
from miaod_nb.selection.protocol import Candidates
from miaod_nb.selection.registry import build_strategy
import miaod_nb.selection.decisions
columns = {"score": np.arange(9.0), "feature": np.arange(18.0).reshape(9, 2)}
columns["mixture"] = columns["feature"] / 17
labeled = {"feature": np.zeros((1, 2)), "mixture": np.full((1, 2), 0.5)}
pool = Candidates.of_all(list("abcdefghi"), ["z"], columns, labeled)
for name in ("mi_aod", "entropy", "random", "coreset", "cdal", "typicality"):
    strategy = build_strategy(make_config("tiny", {"strategy": name}))
    assert len(choose_batch(strategy, pool, 3, [0, 0], {"c"})) == 3
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
