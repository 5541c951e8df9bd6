"""Progress shows a bar on terminals and stays quiet in log files."""

import io
from itertools import count

from miaod_nb import progress as module
from miaod_nb.progress import progress, say


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_items_come_through_and_short_loops_write_nothing(capsys):
    assert list(progress(range(5), "counting")) == [0, 1, 2, 3, 4]
    assert list(progress(iter([]), "nothing")) == []
    assert capsys.readouterr().err == ""


def test_log_gets_a_line_in_thirty_seconds(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))  # each item takes ten seconds
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    list(progress(iter("abcdefghi"), "reading", total=9))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("reading:  67%") and "6/9" in lines[1]


def test_items_done_earlier_count(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    list(progress([1, 2, 3], "reading", done=7))
    line = capsys.readouterr().err
    assert line.startswith("reading: 100%") and "10/10" in line and "10.00s/it" in line


def test_said_lines_go_to_stdout(capsys):
    say("reading")
    assert capsys.readouterr() == ("reading\n", "")


def test_terminal_gets_a_bar_with_time_left(monkeypatch):
    terminal = _Terminal()
    monkeypatch.setattr(module.sys, "stderr", terminal)
    assert list(progress([1, 2], "counting")) == [1, 2]
    assert "counting" in terminal.getvalue() and "<" in terminal.getvalue()


def test_a_clock_that_is_set_back_does_not_stop_the_bar(monkeypatch):
    terminal, wrong, right = _Terminal(), count(10**9, -3600), count(0, 2)
    monkeypatch.setattr(module.sys, "stderr", terminal)
    monkeypatch.setattr("tqdm.std.time", lambda: next(wrong))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(right))
    assert list(progress([1, 2, 3, 4], "counting")) == [1, 2, 3, 4]
    assert "2/4" in terminal.getvalue() and "3/4" in terminal.getvalue()
    assert "-" not in terminal.getvalue()
