"""Run folders: whole files after any crash, one writer, no path that leads out, readable errors."""

import ast
import csv
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from miaod_nb.errors import CheckpointError, MiaodError, RunFolderError
from miaod_nb.runs.files import TEMPORARY, RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "toy")


def temporaries(run: RunFolder) -> list[Path]:
    return list(run.root.rglob(TEMPORARY + "*"))


def start_child(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A Python process that runs `code`; standard input and output are pipes."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def is_folder(handle: int) -> bool:
    return stat.S_ISDIR(os.fstat(handle).st_mode)


# --- what is saved comes back -----------------------------------------------------------------


def test_json_and_text_round_trip(run: RunFolder) -> None:
    run.save_json("cycle0/selection.json", {"ids": ["a", "é"], "score": 0.1, "none": None})
    assert run.load_json("cycle0/selection.json") == {"ids": ["a", "é"], "score": 0.1, "none": None}
    run.save_text("fingerprint.txt", "straße\n")
    assert run.load_text("fingerprint.txt") == "straße\n"


def test_arrays_and_tables_round_trip(run: RunFolder) -> None:
    run.save_npy("X_L_0.npy", np.array([], dtype=np.int64))
    assert run.load_npy("X_L_0.npy").shape == (0,)
    assert run.load_npy("X_L_0.npy").dtype == np.int64
    run.save_npz("cycle0/7.npz", id="straße", values=np.array([1.5], dtype=np.float16))
    arrays = run.load_npz("cycle0/7.npz")
    assert str(arrays["id"]) == "straße" and arrays["values"].dtype == np.float16
    table = pd.DataFrame({"id": ["a", "b"], "score": [0.5, float("nan")]}, index=[7, 8])
    run.save_parquet("cycle0/scores.parquet", table)
    pd.testing.assert_frame_equal(
        run.load_parquet("cycle0/scores.parquet"), table.reset_index(drop=True)
    )
    run.save_csv("metrics.csv", table)
    assert run.load_text("metrics.csv") == "id,score\na,0.5\nb,\n"


def test_no_text_of_a_table_is_a_formula_in_a_spreadsheet(run: RunFolder) -> None:
    names = ["=1+1", "+1 a", "-a", "@a", "\ta", "'=1", "'tis", "a=1", "", "-"]
    table = pd.DataFrame({"class": names, "AP": -0.5, "boxes": 3}).rename(columns={"AP": "=AP"})
    run.save_csv("per_class.csv", table)
    rows = list(csv.reader(run.load_text("per_class.csv").splitlines()))
    assert rows[0] == ["class", "'=AP", "boxes"]
    assert [row[0] for row in rows[1:]] == [
        "'=1+1", "'+1 a", "'-a", "'@a", "'\ta", "''=1", "'tis", "a=1", "", "'-"
    ]  # fmt: skip
    assert {row[1] for row in rows[1:]} == {"-0.5"}  # a number is none
    read = run.load_csv("per_class.csv")
    pd.testing.assert_frame_equal(read.fillna({"class": ""}), table, check_dtype=False)


def test_a_name_may_be_as_long_as_the_system_allows(run: RunFolder) -> None:
    name = f"{'n' * 251}.txt"
    run.save_text(name, "a")
    assert run.load_text(name) == "a"


def test_a_folder_of_parts_is_one_table(run: RunFolder) -> None:
    parts = [pd.DataFrame({"id": [i, i], "score": [0.5, i / 2]}) for i in range(3)]
    for number in (2, 0, 1):
        run.save_parquet(f"cycle0/scores.parquet/part-{number}.parquet", parts[number])
    (run.root / "cycle0/scores.parquet/.tmp-1-part-3.parquet").write_bytes(b"half")
    whole = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(run.load_parquet("cycle0/scores.parquet"), whole)
    for path in ("cycle0/scores.parquet", "cycle0/scores.parquet/part-0.parquet"):
        assert list(run.load_parquet(path, ["score"])) == ["score"]
    with run.lock():
        assert len(list((run.root / "cycle0/scores.parquet").iterdir())) == 3
    broken = run.root / "cycle0/scores.parquet/part-1.parquet"
    broken.write_bytes(b"PAR1")
    with pytest.raises(RunFolderError, match="broken") as error:
        run.load_parquet("cycle0/scores.parquet")
    assert error.value.where == broken
    for path in broken.parent.iterdir():
        path.unlink()
    with pytest.raises(RunFolderError, match="missing"):
        run.load_parquet("cycle0/scores.parquet")


def test_tensors_round_trip_and_are_the_callers_own(run: RunFolder) -> None:
    state: dict[str, Any] = {
        "model": {"w": torch.arange(3.0)},
        "step": 4,
        "rng": torch.get_rng_state(),
    }
    run.save_tensors("cycle0/state.pt", state)
    loaded = run.load_tensors("cycle0/state.pt")
    torch.testing.assert_close(loaded["model"]["w"], torch.tensor([0.0, 1.0, 2.0]))
    assert loaded["step"] == 4
    assert torch.equal(loaded["rng"], state["rng"])
    assert run.load_tensors("cycle0/state.pt", "meta")["model"]["w"].device.type == "meta"


def test_exists_and_delete(run: RunFolder) -> None:
    assert not run.exists("a.txt")
    run.save_text("a.txt", "a")
    assert run.exists("a.txt")
    run.delete("a.txt")
    run.delete("a.txt")  # deleting what is gone is no fault
    assert not run.exists("a.txt")


def test_reading_makes_no_folder(run: RunFolder) -> None:
    assert run.done_steps(0) == []
    assert run.read_log() == []
    run.rewind_log(lambda record: True)
    assert not run.root.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_it_cannot_hold(run: RunFolder, value: float) -> None:
    run.save_json("metrics.json", {"mAP": 0.5})
    with pytest.raises(ValueError, match="metrics.json"):
        run.save_json("metrics.json", {"mAP": value})
    assert run.load_json("metrics.json") == {"mAP": 0.5}


def test_arrays_of_objects_are_refused(run: RunFolder) -> None:
    with pytest.raises(ValueError):
        run.save_npy("a.npy", np.array([{}], dtype=object))
    assert not run.exists("a.npy")


# --- the disk fails ---------------------------------------------------------------------------

SAVERS: dict[str, Callable[[RunFolder, str, int], None]] = {
    "json": lambda run, name, value: run.save_json(name, value),
    "text": lambda run, name, value: run.save_text(name, str(value)),
    "npy": lambda run, name, value: run.save_npy(name, np.array([value])),
    "pt": lambda run, name, value: run.save_tensors(name, {"a": torch.tensor(value)}),
    "parquet": lambda run, name, value: run.save_parquet(name, pd.DataFrame({"a": [value]})),
    "csv": lambda run, name, value: run.save_csv(name, pd.DataFrame({"a": [value]})),
}


CACHES: dict[str, Callable[[RunFolder, str, int], None]] = {
    "npz": lambda run, name, value: run.save_npz(name, id="a", values=np.array([value])),
}  # which do not wait for the disk


@pytest.mark.parametrize("kind", SAVERS)
@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EDQUOT, "no space left"),
        (errno.EACCES, "no write permission"),
        (errno.EROFS, "no write permission"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_failed_write_keeps_the_old_file_and_no_temporary(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, kind: str, call: str, code: int, message: str
) -> None:
    name = f"cycle0/file.{kind}"
    SAVERS[kind](run, name, 1)
    before = run.path(name).read_bytes()

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(RunFolderError, match=message) as caught:
            SAVERS[kind](run, name, 2)
    assert f"({len(before)} bytes)" in caught.value.what
    assert caught.value.where == run.path(name)
    assert caught.value.remedy
    assert run.path(name).read_bytes() == before
    assert temporaries(run) == []


def test_a_real_limit_of_the_system_is_explained(run: RunFolder) -> None:
    """The system, not a stand-in, refuses the write: files may not grow above 4096 bytes."""
    code = """
import resource, sys
from miaod_nb.errors import RunFolderError
from miaod_nb.runs.files import RunFolder
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
run = RunFolder(sys.argv[1])
run.save_text("a.txt", "old")
try:
    run.save_text("a.txt", "x" * 5000)
except RunFolderError as error:
    print(error)
"""
    child = start_child(code, run.root)
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "written (5000 bytes)" in output
    assert run.load_text("a.txt") == "old"
    assert temporaries(run) == []


def test_a_line_is_added_whole_or_not_at_all(run: RunFolder) -> None:
    """Though the disk takes the beginning of it."""
    code = """
import resource, sys
from miaod_nb.errors import RunFolderError
from miaod_nb.runs.files import RunFolder
run = RunFolder(sys.argv[1])
run.append_line("ledger.jsonl", "first")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    run.append_line("ledger.jsonl", "x" * 5000)
except RunFolderError as error:
    print(error)
run.append_line("ledger.jsonl", "last")
"""
    child = start_child(code, run.root)
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "written (5001 bytes)" in output
    assert run.load_text("ledger.jsonl") == "first\nlast\n"


def test_interrupt_leaves_no_temporary(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run.save_text("a.txt", "old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.save_text("a.txt", "new")
    assert run.load_text("a.txt") == "old"
    assert temporaries(run) == []


def test_file_and_folder_reach_the_disk_in_order(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.save_text("a.txt", "old")
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(handle: int) -> None:
        events.append("sync folder" if is_folder(handle) else "sync file")
        fsync(handle)

    def record_replace(source: Path, target: Path) -> None:
        events.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    run.save_text("a.txt", "new")
    assert events == ["sync file", "replace", "sync folder"]


def test_file_system_without_folder_sync_is_fine(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def only_files(handle: int) -> None:
        if is_folder(handle):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    run.save_text("a.txt", "a")
    assert run.load_text("a.txt") == "a"


def test_run_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("")
    with pytest.raises(RunFolderError), RunFolder(tmp_path / "toy").lock():
        pass
    with pytest.raises(RunFolderError):
        RunFolder(tmp_path / "toy").save_text("a.txt", "a")


@pytest.mark.slow
def test_a_killed_process_leaves_a_whole_file(run: RunFolder) -> None:
    """SIGKILL at an arbitrary moment of a loop of saves: the file holds one of the values saved."""
    code = """
import sys, torch
from miaod_nb.runs.files import RunFolder
run, value = RunFolder(sys.argv[1]), 0
while True:
    run.save_tensors("state.pt", {"a": torch.full((200_000,), float(value))})
    if value == 0:
        print("started", flush=True)
    value += 1
"""
    for delay in (0.0, 0.021, 0.05):
        child = start_child(code, run.root)
        assert child.stdout is not None and child.stdout.readline() == "started\n"
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        values = run.load_tensors("state.pt")["a"]
        assert values.shape == (200_000,)
        assert len(values.unique()) == 1


def test_lock_removes_what_a_killed_process_left(run: RunFolder) -> None:
    run.save_text("cycle0/a.txt", "a")
    run.save_text("labels/exported/a.txt", "a")
    for folder in (run.root, run.root / "cycle0", run.root / "labels/exported"):
        (folder / f"{TEMPORARY}123-b.pt").write_bytes(b"half")
    with run.lock():
        assert temporaries(run) == []
    assert run.load_text("cycle0/a.txt") == "a"


# --- one writer -------------------------------------------------------------------------------


def test_lock_keeps_a_second_process_out_until_the_first_dies(run: RunFolder) -> None:
    code = """
import sys
from miaod_nb.runs.files import RunFolder
with RunFolder(sys.argv[1]).lock():
    print("locked", flush=True)
    sys.stdin.read()
"""
    child = start_child(code, run.root)
    try:
        assert child.stdout is not None and child.stdout.readline() == "locked\n"
        assert run.in_use()
        with pytest.raises(RunFolderError, match=f"in use by process {child.pid}"), run.lock():
            pass
    finally:
        child.kill()
        child.communicate()
    assert not run.in_use()
    with run.lock():  # the dead process's lock went with it
        pass


def test_lock_can_be_taken_again_after_a_fault(run: RunFolder) -> None:
    with pytest.raises(KeyError), run.lock():
        raise KeyError
    with run.lock(), pytest.raises(RunFolderError, match="in use"), RunFolder(run.root).lock():
        pass
    with run.lock():
        pass


# --- paths that lead out ----------------------------------------------------------------------


@pytest.mark.parametrize("relative", ["../x", "a/../../x", "/tmp/x", "..", "out/x", "link.txt"])
def test_paths_out_of_the_folder_are_refused(run: RunFolder, relative: str) -> None:
    run.root.mkdir(parents=True)
    outside = run.root.parent / "outside"
    outside.mkdir()
    (outside / "x").write_text("keep")
    (run.root / "out").symlink_to(outside)
    (run.root / "link.txt").symlink_to(outside / "x")
    for action in (run.path, run.exists, run.delete, run.load_text):
        with pytest.raises(RunFolderError, match="leads out"):
            action(relative)
    with pytest.raises(RunFolderError, match="leads out"):
        run.save_text(relative, "changed")
    assert (outside / "x").read_text() == "keep"
    assert sorted(outside.iterdir()) == [outside / "x"]


def test_absolute_path_is_refused_even_inside(run: RunFolder) -> None:
    with pytest.raises(RunFolderError, match="leads out"):
        run.path(str(run.root.resolve() / "a.txt"))


def test_run_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    RunFolder(tmp_path / "runs").save_text("cycle0/a.txt", "a")
    assert (tmp_path / "disk" / "cycle0" / "a.txt").read_text() == "a"


# --- broken files -----------------------------------------------------------------------------

LOADERS: list[tuple[str, str, type[MiaodError]]] = [
    ("load_json", "json", RunFolderError),
    ("load_npy", "npy", RunFolderError),
    ("load_npz", "npz", RunFolderError),
    ("load_parquet", "parquet", RunFolderError),
    ("load_tensors", "pt", CheckpointError),
]


@pytest.mark.parametrize(("loader", "kind", "error"), LOADERS)
@pytest.mark.parametrize("damage", ["empty", "half", "noise", "missing"])
def test_broken_file_is_named(
    run: RunFolder, loader: str, kind: str, error: type[MiaodError], damage: str
) -> None:
    name = f"cycle0/file.{kind}"
    (SAVERS | CACHES)[kind](run, name, 12)
    path = run.path(name)
    whole = path.read_bytes()
    damaged = {"empty": b"", "half": whole[: len(whole) // 2 - 1], "noise": b"\x93\xff noise"}
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(damaged[damage])
    with pytest.raises(error, match="missing" if damage == "missing" else "broken") as caught:
        getattr(run, loader)(name)
    assert caught.value.where == path
    assert caught.value.remedy


def test_text_that_is_not_utf8_is_refused(run: RunFolder) -> None:
    run.save_bytes("a.txt", b"\xff")
    with pytest.raises(RunFolderError, match="broken"):
        run.load_text("a.txt")


class Trap:
    """Unpickling it would create the file."""

    def __init__(self, path: Path) -> None:
        self.file = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_checkpoint_with_code_is_refused_and_not_run(run: RunFolder) -> None:
    proof = run.root.parent / "executed"
    run.save_bytes("empty", b"")
    torch.save({"a": Trap(proof)}, run.path("weights.pt"))
    with pytest.raises(CheckpointError, match="something else") as caught:
        run.load_tensors("weights.pt")
    assert caught.value.where == run.path("weights.pt")
    assert not proof.exists()
    torch.load(run.path("weights.pt"), weights_only=False)
    assert proof.exists()  # the trap was a real one


def test_short_memory_is_not_called_a_broken_file(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    run.save_tensors("weights.pt", {})
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(MemoryError):
        run.load_tensors("weights.pt")


# --- the log and the finished steps -----------------------------------------------------------


def test_log_records_come_back_and_hold_no_nan(run: RunFolder) -> None:
    run.append_log({"step": 1, "terms": {"box": float("nan"), "all": [float("-inf"), 0.5]}})
    run.append_log({"step": 2, "stage": "label_set"})
    assert run.read_log() == [
        {"step": 1, "terms": {"box": None, "all": [None, 0.5]}},
        {"step": 2, "stage": "label_set"},
    ]
    assert run.load_text("log.jsonl").count("\n") == 2


def test_rewinding_drops_rejected_records_and_a_torn_line(run: RunFolder) -> None:
    for step in range(4):
        run.append_log({"step": step})
    with open(run.path("log.jsonl"), "a") as file:
        file.write('{"step": 4, "lo')
    assert [record["step"] for record in run.read_log()] == [0, 1, 2, 3]
    run.rewind_log(lambda record: record["step"] < 2)
    run.append_log({"step": 2})
    lines = run.load_text("log.jsonl").splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 0}, {"step": 1}, {"step": 2}]


def test_lock_mends_a_torn_log_before_anything_is_added(run: RunFolder) -> None:
    run.append_log({"step": 0})
    with open(run.path("log.jsonl"), "a") as file:
        file.write('{"step": 1, "lo')
    with run.lock():
        run.append_log({"step": 2})
    assert run.read_log() == [{"step": 0}, {"step": 2}]


def test_rewinding_is_atomic(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run.append_log({"step": 1})

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RunFolderError, match="no space left"):
        run.rewind_log(lambda record: False)
    assert run.read_log() == [{"step": 1}]


def test_log_that_cannot_be_written_is_explained(run: RunFolder) -> None:
    run.root.mkdir(parents=True)
    (run.root / "log.jsonl").mkdir()
    with pytest.raises(RunFolderError) as caught:
        run.append_log({"step": 1})
    assert caught.value.where == run.path("log.jsonl")


def test_finished_steps_keep_their_order_per_cycle(run: RunFolder) -> None:
    for step in ("split", "label_set", "split"):
        run.mark_done(0, step)
    run.mark_done(1, "label_set")
    assert run.done_steps(0) == ["split", "label_set"]
    assert run.done_steps(1) == ["label_set"]
    assert run.load_json("cycle0/steps.json") == ["split", "label_set"]


def test_lock_leaves_foreign_files_alone(tmp_path: Path) -> None:
    """A run_dir given by mistake, such as a home folder, loses nothing."""
    foreign = [tmp_path / "project/.tmp-important", tmp_path / ".tmp-notes", tmp_path / "cycle.txt"]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (tmp_path / "log.jsonl").write_text("not json\n")
    with RunFolder(tmp_path).lock():
        pass
    assert all(path.read_text() == "mine" for path in foreign)
    assert (tmp_path / "log.jsonl").read_text() == "not json\n"


PACKAGE = Path(__file__).resolve().parents[2] / "miaod_nb"
FOR_A_WHILE = ("bench/loading.py", "labeling/ingest/archives.py")  # in folders that do not stay
IN_ANOTHER_PLACE = ("toy/toy.py", "data/download.py")  # a set as a whole, which is then renamed
LINE_BY_LINE = ("experiment/together.py",)  # what another process says
WRITING = {"write_text", "write_bytes", "touch", "symlink_to", "copyfile", "copy", "copytree"}


def test_nothing_is_written_past_the_run_folder() -> None:
    """Else a crash could leave half a file: who writes has a name from `written_whole`."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _writes(node):
                found.add(name)
    found -= {*FOR_A_WHILE, *IN_ANOTHER_PLACE, *LINE_BY_LINE}
    assert found == {"runs/files.py", "labeling/exporting.py"}


def _writes(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Name) and function.id == "open":
        modes = [one.value for one in call.args[1:2] if isinstance(one, ast.Constant)]
        return any(letter in mode for mode in modes for letter in "wax+")
    is_array = not call.args and not call.keywords  # which is copied, too
    return isinstance(function, ast.Attribute) and function.attr in WRITING and not is_array
