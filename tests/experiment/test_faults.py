"""What disks, files and clocks do while the loop is at work: each fault is one sentence that says
what to do, nothing is lost, and the same command goes on when it is over."""

import errno
import itertools
import json
import os
import re
import resource
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.label_store import LabelStore
from tests.experiment.disk import at_opening, counted, failing, read_everything
from tests.experiment.helpers import Outcome, miaod, run_child
from tests.experiment.loop import COMMANDS, RUN, begin, give_back, outcome_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stages(tmp_path_factory) -> dict[str, Path]:
    """The folder of a loop as each command finds it, and "" when all are through."""
    home = tmp_path_factory.mktemp("stages")
    folder, found = begin(home / "folder"), {}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for name, command in COMMANDS.items():
            if name == "import":
                give_back(folder)
            found[name] = shutil.copytree(folder, home / name)
            outcome = miaod(*command)
            assert outcome.code == 0, outcome.err
    finally:
        os.chdir(before)
    return found | {"": shutil.copytree(folder, home / "end")}


@pytest.fixture
def at(stages, monkeypatch) -> Callable[[str], Path]:
    """Makes the folder again as a command finds it, in its old place, which the run has noted."""
    folder = stages[""].with_name("folder")

    def made(name: str) -> Path:
        monkeypatch.chdir(folder.parent)
        shutil.rmtree(folder)
        shutil.copytree(stages[name], folder)
        monkeypatch.chdir(folder)
        return folder

    return made


def expected_after(stages: Mapping[str, Path], name: str) -> dict:
    names = [*COMMANDS, ""]
    return outcome_of(stages[names[names.index(name) + 1]] / RUN)


def assert_explained(outcome: Outcome, *words: str) -> None:
    assert outcome.code == 1 and "Traceback" not in outcome.out + outcome.err, outcome
    for word in (*words, "where: ", "what to do: "):
        assert word in outcome.err, outcome.err


# ------------------------------------------------------------------------------------- the disk


@pytest.mark.parametrize(("name", "step"), [("new", 3), ("run", 13), ("export", 2), ("import", 1)])
def test_a_disk_that_is_full_from_any_moment_on(stages, at, name, step):
    folder = at(name)
    lives = 0
    for first in itertools.count(1, step):
        with failing(folder, first, errno.ENOSPC, but=("os.remove", "os.rmdir")):
            outcome = miaod(*COMMANDS[name])
        if outcome.code == 0 or "there is a run already" in outcome.err:
            break
        assert_explained(outcome, "no space left", "free some space there")
        read_everything(folder / RUN)
        lives += 1
    assert lives > 3
    if name == "new":  # it may have ended but for a word to its user
        name = "run"
        assert miaod(*COMMANDS[name]).code == 0
    assert outcome_of(folder / RUN) == expected_after(stages, name)


@pytest.mark.parametrize("name", ["run", "export", "import"])
def test_a_real_limit_of_the_system(stages, at, tmp_path, name):
    """The system itself refuses files of more than a few hundred bytes."""
    folder, said = at(name), tmp_path / "said.txt"
    prepare = partial(_limited, folder)
    assert run_child(COMMANDS[name], said, prepare=prepare) == 1, said.read_text()
    text = said.read_text()
    assert "File too large" in text and "what to do: " in text and "Traceback" not in text
    read_everything(folder / RUN)
    assert miaod(*COMMANDS[name]).code == 0
    assert outcome_of(folder / RUN) == expected_after(stages, name)


def _limited(folder: Path) -> None:
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))


WRITERS = [*list(COMMANDS.values())[1:], ["import", RUN, "--undo"], ["review", RUN]]
READERS = [["info", RUN], ["history", RUN], ["report", RUN, "--out", "shown"]]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_can_be_read(at, number):
    folder = at("next")
    before = outcome_of(folder / RUN)
    with failing(folder / RUN, 1, number):
        for command in WRITERS:
            assert_explained(miaod(*command), "no write permission", "make the folder writable")
        for command in READERS:
            outcome = miaod(*command)
            assert outcome.code == 0, outcome.err
    assert outcome_of(folder / RUN) == before


def test_a_run_folder_in_use_is_left_alone_and_can_be_read(at):
    """Whoever would write there is told which process does."""
    folder = at("next")
    before = outcome_of(folder / RUN)
    copies = ["notebooks", "01", "--run-dir", RUN]
    with RunFolder(folder / RUN).lock():
        for command in [*WRITERS, copies]:
            assert_explained(miaod(*command), f"in use by process {os.getpid()}", "process end")
        for command in READERS:
            outcome = miaod(*command)
            assert outcome.code == 0, outcome.err
    assert outcome_of(folder / RUN) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission(at):
    folder = at("next")
    (folder / RUN).chmod(0o555)
    try:
        assert_explained(miaod(*COMMANDS["next"]), "no write permission")
    finally:
        (folder / RUN).chmod(0o755)


def test_ctrl_c_at_any_moment_of_an_export(stages, at):
    folder = at("export")
    tasks = folder / RUN / "labels/cycle0-label-studio/tasks.json"
    for first in itertools.count(2, 4):

        def interrupt(number: int, *about: object, first: int = first) -> None:
            if number == first:
                raise KeyboardInterrupt

        with counted(folder, interrupt):
            outcome = miaod(*COMMANDS["export"])
        if outcome.code == 0:
            break
        assert outcome.code == 130 and "run the same command again" in outcome.err
        assert not tasks.exists() or len(list(tasks.parent.glob("images/*.jpg"))) == 4
        read_everything(folder / RUN)
    assert outcome_of(folder / RUN) == expected_after(stages, "export")


# ------------------------------------------------------------------------------------- its files


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


FATES: dict[str, Callable[[Path], None]] = {"gone": Path.unlink, "cut off": _cut}


def selected(folder: Path) -> list[str]:
    """Ids of the images that the first cycle chose."""
    document = json.loads((folder / RUN / "cycle0/selection.json").read_text())
    return [row["id"] for row in document["selected"]]


@pytest.mark.parametrize(
    ("name", "which", "fate"),
    [
        ("new", "labeled", "gone"),
        ("run", "labeled", "cut off"),
        ("run", "chosen", "gone"),
        ("export", "chosen", "gone"),
        ("next", "chosen", "cut off"),
    ],
)
def test_a_photo_that_is_lost_while_it_is_needed(stages, at, name, which, fate):
    """While a run begins it is left out and counted, later it is named with what to do; put back,
    the same command goes on."""
    image_id = "000001" if which == "labeled" else selected(stages["export"])[0]
    photo = f"photos/{image_id}.jpg"
    for number in itertools.count(1):
        folder = at(name)
        with at_opening(folder / photo, number, FATES[fate]) as openings:
            outcome = miaod(*COMMANDS[name])
        if len(openings) < number:
            break
        shutil.copy(stages[name] / photo, folder / photo)
        if name == "new":
            assert outcome.code == 0 and f"1 x image unreadable ({image_id})" in outcome.out
            continue
        assert_explained(outcome, "cannot be read any more", photo, "restore the file")
        assert miaod(*COMMANDS[name]).code == 0
        assert outcome_of(folder / RUN) == expected_after(stages, name)
    assert number > 1


@pytest.mark.parametrize(
    ("name", "fate", "numbers"),
    [("new", "cut off", (1,)), ("run", "gone", (1, 3, 10)), ("run", "cut off", range(1, 5)),
     ("next", "cut off", (1, 2))],
)  # fmt: skip
def test_labels_that_are_lost_while_they_are_needed(stages, at, name, fate, numbers):
    """Until a cycle has begun with them they are counted as what they are, then they are named; put
    back, the same command goes on, and nothing has become of them."""
    label, named = "labels/000001.xml", 0
    for number in numbers:
        folder = at(name)
        with at_opening(folder / label, number, FATES[fate]) as openings:
            outcome = miaod(*COMMANDS[name])
        assert len(openings) >= number
        assert "Traceback" not in outcome.out + outcome.err
        if outcome.code == 0:
            continue
        named += 1
        assert_explained(outcome, "the labels have changed since", label, "restore them to go on")
        shutil.copy(stages[name] / label, folder / label)
        assert miaod(*COMMANDS[name]).code == 0
        assert outcome_of(folder / RUN) == expected_after(stages, name)
    assert named or name == "new"


@pytest.mark.parametrize("fate", FATES)
def test_a_file_of_a_label_tool_that_is_lost_while_it_is_read(stages, at, fate):
    """Nothing of it is taken over, and all of it once it is there again."""
    folder = at("import")
    before = outcome_of(folder / RUN)
    for number in itertools.count(1):
        with at_opening(Path("back.json"), number, FATES[fate]) as openings:
            outcome = miaod(*COMMANDS["import"])
        if len(openings) < number:
            break
        assert_explained(outcome, "back.json")
        assert outcome_of(folder / RUN) == before
        shutil.copy(stages["import"] / "back.json", folder)
    assert number > 2 and outcome.code == 0
    assert outcome_of(folder / RUN) == expected_after(stages, "import")


# ------------------------------------------------------------------------------------- the clock


def test_a_clock_that_runs_backwards(stages, at, monkeypatch):
    """An hour at each look at it: what comes later stands later, and the newest import is the one
    that was made last."""
    folder = at("new")
    now = itertools.count(2_000_000_000, -3600)
    monkeypatch.setattr(time, "time", lambda: next(now))
    for name in ("new", "run", "export", "import"):
        if name == "import":
            shutil.copy(stages["import"] / "back.json", folder)
        outcome = miaod(*COMMANDS[name])
        assert outcome.code == 0, outcome.err
    assert outcome_of(folder / RUN) == expected_after(stages, "import")
    (again,) = json.loads((folder / "back.json").read_text())[:1]
    again["annotations"] = [{"result": []}]
    (folder / "again.json").write_text(json.dumps([again]))
    second = miaod("import", RUN, "again.json")
    name = re.search("import ([0-9a-f]{8})", second.out)[1]
    assert f"import {name} is taken back: 1 images" in miaod("import", RUN, "--undo").out
    assert len(LabelStore(RunFolder(folder / RUN)).answers()) == 2
    lines = RunFolder(folder / RUN).load_text("ledger.jsonl").splitlines()
    events = [json.loads(line) for line in lines]
    assert [one["event"] for one in events] == [
        "exported", "imported", "imported", "import undone"
    ]  # fmt: skip
    assert [one["time"] for one in events] == sorted((one["time"] for one in events), reverse=True)
    assert miaod("history", RUN).code == 0
    assert miaod("import", RUN, "again.json").code == 0
    outcome = miaod(*COMMANDS["next"])
    assert outcome.code == 0, outcome.err
