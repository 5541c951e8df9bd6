"""What people type for a notebook's parameters, and what papermill makes of it."""

from typing import Any

import pytest

from miaod_nb.errors import ConfigError
from miaod_nb.experiment.parameters import check_parameters

DECLARED = (
    'preset: str = ""\ndata_root: str = ""\nrun_dir: str = ""  # where results go\n'
    "cycle: int = 0\noverrides: dict = {}"
)
DEFAULTS: dict[str, Any] = {
    "preset": "", "data_root": "", "run_dir": "", "cycle": 0, "overrides": {}
}  # fmt: skip


def notebook(**given: Any) -> dict[str, Any]:
    """The names of a notebook to which papermill hands these values."""
    cells = ["", "%matplotlib inline", DECLARED]
    if given:
        lines = [f"{name} = {value!r}" for name, value in given.items()]
        cells.append("\n".join(["# Parameters", *lines]))
    return {**DEFAULTS, **given, "In": [*cells, "import math\nx = 3"], "x": 3}


def run_again(names: dict[str, Any], typed: str) -> dict[str, Any]:
    """Types into the cell of parameters and runs it and the next one."""
    exec(typed, names)
    names["In"] += [typed, "import math\nx = 3"]
    return names


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}), ({"cycle": 2}, {"cycle": 2}), ({"cycle": "2"}, {"cycle": 2}),
        ({"overrides": '{"cycles": 1}'}, {"overrides": {"cycles": 1}}),
        ({"overrides": {"seed": 1}}, {"overrides": {"seed": 1}}),
        ({"run_dir": "a b"}, {"run_dir": "a b"}),
    ],
)  # fmt: skip
def test_right_values_are_taken_also_as_texts(given, expected):
    names = notebook(**given)
    check_parameters(names)
    for name, value in (DEFAULTS | expected).items():
        assert names[name] == value and type(names[name]) is type(value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rundir": "x"}, "no parameter 'rundir'.*did you mean 'run_dir'"),
        (
            {"seed": 1},
            "no parameter 'seed'.*choose of: preset, data_root, run_dir, cycle, overrides",
        ),
        ({"run_dir": 202611}, "run_dir = 202611 is not allowed: it is int.*`-r` in place of `-p`"),
        ({"run_dir": None}, "run_dir = None is not allowed"),
        ({"cycle": "one"}, "cycle = 'one' is not allowed.*whole number"),
        ({"cycle": 1.5}, "cycle = 1.5 is not allowed"),
        ({"cycle": True}, "cycle = True"),
        ({"overrides": "seed=1"}, "overrides = 'seed=1' is not allowed.*-y '{overrides"),
        ({"overrides": [1]}, r"overrides = \[1\] is not allowed"),
        ({"overrides": "[1]"}, r"overrides = \[1\] is not allowed"),
    ],
)
def test_others_are_answered_by_what_to_type(given, words):
    with pytest.raises(ConfigError, match="(?s)" + words) as error:
        check_parameters(notebook(**given))
    assert error.value.where in given


def test_the_notebook_about_a_grid_has_parameters_of_its_own():
    declared = 'grid_dir: str = ""\nselection: str = "mi_aod"\nby: str = "images"'
    names: dict[str, Any] = {"grid_dir": "", "selection": "mi_aod", "by": "images"}
    check_parameters(names | {"In": ["", declared]})
    with pytest.raises(ConfigError, match="(?s)'by' is missing.*'buy' stands there"):
        check_parameters(names | {"buy": "boxes", "In": ["", declared.replace("by:", "buy:")]})
    given = ["", declared, "# Parameters\nrun_dir = 'x'"]
    with pytest.raises(
        ConfigError, match="no parameter 'run_dir'.*\n.*\n.*grid_dir, selection, by"
    ):
        check_parameters(names | {"In": given})


def test_a_parameter_that_was_renamed_by_hand_is_missed():
    names = notebook()
    names["In"][2] = DECLARED.replace("run_dir", "rundir")
    names["rundir"] = names.pop("run_dir")
    with pytest.raises(ConfigError, match="(?s)'run_dir' is missing.*'rundir' stands there"):
        check_parameters(names)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("run_dir: str", "rundir: str", "'run_dir' is missing.*'rundir' stands there"),
        ("cycle: int", "cylce: int", "'cycle' is missing.*'cylce' stands there"),
        ("cycle: int", "rundir = 'x'\ncycle: int", "no parameter 'rundir'.*did you mean 'run_dir'"),
        ("cycle: int", "seed = 1\ncycle: int", "no parameter 'seed'.*choose of: preset, data_root"),
        ("cycle: int = 0", "cycle = 'one'", "cycle = 'one' is not allowed"),
    ],
)
def test_a_mistake_is_found_where_an_earlier_call_left_names(before, after, words):
    names = notebook()
    with pytest.raises(ConfigError, match="(?s)" + words):
        check_parameters(run_again(names, DECLARED.replace(before, after)))
    check_parameters(run_again(names, DECLARED))  # corrected


def test_a_cell_of_parameters_that_failed_is_no_cell_of_parameters():
    names = {"In": [DECLARED.replace("cycle: int = 0", "cycle: int = one")], "run_dir": ""}
    with pytest.raises(ConfigError, match="did not run to its end"):
        check_parameters(names)


@pytest.mark.parametrize("line", ["top_k: int = 5", "home = '/data'\nplace: str = home + '/a'"])
def test_a_copy_may_have_lines_of_its_own(line):
    names = run_again(notebook(), f"{line}\n{DECLARED}")
    check_parameters(names)
    assert names["cycle"] == 0


def test_names_of_later_cells_are_no_parameters():
    """A notebook is run again by hand, when it has names of its own."""
    names = notebook(cycle=1) | {"run": object(), "table": [1, 2]}
    check_parameters(names)
    check_parameters({"cycle": "any"})  # outside of a notebook nothing is declared
