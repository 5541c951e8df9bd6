"""Simulated experiments of known truth: intervals hold it as often as they say, and the page of
statistics shows what was simulated."""

import contextlib
import importlib
import io
import re
import sys

import pytest

from tests.conftest import PROJECT

sys.path.insert(0, str(PROJECT / "docs"))
simulated = importlib.import_module("interval_coverage")  # no package: a script
PAGE = (PROJECT / "docs/statistics.md").read_text()


@pytest.mark.slow
def test_intervals_hold_the_truth_and_the_page_shows_the_table():
    table = simulated.coverage_table()
    assert table in PAGE, "python docs/interval_coverage.py has another table"
    rows = [[float(cell) for cell in row.strip("| ").split("|")] for row in table.split("\n")[2:]]
    assert {(seeds, noise) for seeds, noise, *_ in rows} == {
        (seeds, noise) for seeds in (3, 5, 10) for noise in (0, 0.3, 1)
    }
    assert min(ours for _, _, ours, *_ in rows) >= 0.93
    assert all(plain <= 0.8 for seeds, *_, plain, _ in rows if seeds == 3)


def test_the_example_prints_what_the_page_says():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(example, "docs/statistics.md", "exec"), {})
    lines = said.getvalue().splitlines()
    assert len(lines) == 2 and all(f"`{line}`" in PAGE for line in lines)
