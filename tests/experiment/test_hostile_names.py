"""Photos and classes whose names spreadsheets, browsers and shells might obey: they go through the
whole loop, and wherever they are shown they are names."""

import csv
import html
import re
import shutil

import pytest

from miaod_nb.labeling.export import TOOLS
from miaod_nb.runs.record import RunRecord
from tests.conftest import write_voc
from tests.experiment.helpers import miaod
from tests.experiment.loop import COMMANDS, RUN, give_back

pytestmark = pytest.mark.slow

PHOTOS = (
    "=1+1", "+1", "-rf", "@a", "<img src=x onerror=alert(1)>", "$(touch made)", "a;touch made",
    "'q' \"q\"", "&lt;b&gt;", "{x}%s%2e%2e", "a..b", "c:d",
)  # fmt: skip
CLASSES = ("<script>alert(1)</script>", "=1+1")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Photos with these names, five of which have labels of these classes."""
    voc = write_voc(tmp_path / "voc", len(PHOTOS), 0)
    for name in ("photos", "labels"):
        (tmp_path / name).mkdir()
    for place, (image, name) in enumerate(
        zip(sorted((voc / "JPEGImages").iterdir()), PHOTOS, strict=True)
    ):
        shutil.copy(image, tmp_path / f"photos/{name}.jpg")
        if place < 5:
            text = (voc / f"Annotations/{image.stem}.xml").read_text()
            for before, now in zip((">square<", ">disc<"), CLASSES, strict=True):
                text = text.replace(before, f">{html.escape(now)}<")
            (tmp_path / f"labels/{name}.xml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def done(*arguments):
    outcome = miaod(*arguments)
    assert outcome.code == 0, outcome.err
    return outcome.out


def test_names_stay_names(folder):
    for name in ("new", "run", "export"):
        done(*COMMANDS[name])
    give_back(folder)
    done(*COMMANDS["import"])
    for tool in TOOLS:
        done("export", RUN, "--to", tool, "--score", "0", "--out", f"out/{tool}")
    done(*COMMANDS["next"])
    done("history", RUN, "--out", "history.csv")
    done("report", RUN)
    done("curves", RUN, "--out", "curves")

    record = RunRecord.open(folder / RUN)
    assert set(record.pool) == {*PHOTOS} and set(record.classes) == {*CLASSES}
    assert set(record.per_class(1)["class"]) == {*CLASSES}
    tables = [*folder.rglob("*.csv")]
    assert len(tables) > 4
    for table in tables:
        with table.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [one for one in cells if re.match(r"[=+@]|-[^0-9.]", one)], table
    pages = [one for kind in ("html", "md", "xml") for one in folder.glob(f"[!l]*/**/*.{kind}")]
    assert len(pages) > 4
    for page in pages:
        assert not re.search(r"(?<!\\)<script>alert|(?<!\\)<img src=x", page.read_text()), page
    assert not list(folder.rglob("made"))
