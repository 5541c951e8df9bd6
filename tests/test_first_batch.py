"""The page of a whole round on data of one's own: its commands work, and end as it says."""

import importlib
import re
import sys

import pytest

from miaod_nb.experiment import open_run
from miaod_nb.toy.toy import make_toy
from tests.conftest import PROJECT
from tests.test_own_data import QUICK

sys.path.insert(0, str(PROJECT / "docs"))
first_batch = importlib.import_module("first_batch")  # no package: the script of a page
PAGE = PROJECT / "docs/first-batch.md"


def words(text: str) -> set[str]:
    """The first words of its lines, up to numbers and names of images; faults, which begin with
    their number, are others in other data."""
    return {re.split(r"[\d:(]", line, maxsplit=1)[0].strip() for line in text.splitlines()} - {""}


def test_the_page_has_less_than_ten_commands_and_took_less_than_15_minutes():
    page = PAGE.read_text()
    typed = re.findall(r"^\$ (.*)$", page, re.MULTILINE)
    assert tuple(typed) == first_batch.OUT + first_batch.BACK and len(typed) < 10
    (minutes,) = re.findall(r"^## Out: ([\d.]+) minutes", page, re.MULTILINE)
    assert float(minutes) < 15


@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    toy = make_toy(tmp_path / "toy", num_pool=first_batch.NUM_PHOTOS, num_test=1, size=64)
    folder = tmp_path / "here"
    folder.mkdir()
    first_batch.lay_out(toy, folder)
    said = {one: first_batch.type_command(one, folder, QUICK)[0] for one in first_batch.OUT}
    first_batch.answer_tasks(toy, folder)
    said |= {one: first_batch.type_command(one, folder)[0] for one in first_batch.BACK}
    for command in (first_batch.OUT[0], first_batch.OUT[-1], first_batch.BACK[0]):
        block = PAGE.read_text().split(f"$ {command}\n")[1].split("\n```")[0]
        assert words(said[command]) <= words(block)
    asked = first_batch.NUM_PHOTOS * 5 // 100
    back = said[first_batch.BACK[0]]
    assert f"{asked - 2} images labeled (1 of them show nothing), 1 skipped, 1 untouched" in back
    record = open_run(run_dir=folder / "runs/mypool").record
    assert record.labels(1)["labeled"] == first_batch.NUM_LABELED + asked - 2
    assert record.selected(1)
