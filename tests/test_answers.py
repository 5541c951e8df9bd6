"""Every answer names tests that exist, and every question that users asked has one."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PAGE = (PROJECT / "docs/answers.md").read_text()
ANSWERS = re.split(r"^#{2,3} ", PAGE, flags=re.MULTILINE)[1:]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))

# Issues of the authors' code that users met: installation, training, data, paper and results.
ASKED = {
    2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 28, 29, 30, 31,
    33, 34, 35, 36, 37, 39, 40, 41, 43, 44, 46, 47, 48, 49, 50, 53, 54, 60, 61, 64, 65, 67, 69,
    84, 86, 88, 94, 96, 99, 100, 101,
}  # fmt: skip


def test_every_question_is_answered():
    linked = re.findall(r"\[#(\d+)\]\(https://github\.com/yuantn/MI-AOD/issues/(\d+)\)", PAGE)
    assert all(shown == number for shown, number in linked)
    assert {int(number) for _, number in linked} == ASKED


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.splitlines()[0])
def test_every_answer_names_a_test(answer):
    _, *text = answer.strip().splitlines()
    if text:  # else a heading over others
        (shown,) = re.findall(r"^Shown by: (.*)", answer, re.DOTALL | re.MULTILINE)
        names = re.split(r",\s+", shown.strip())
        assert all(re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", name) for name in names)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file, name):
    tree = ast.parse((PROJECT / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
