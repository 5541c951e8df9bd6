"""What people decide about a batch: honored by the select step, applied after it, by file too."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from miaod_nb.authors.work_folder_export import export_run
from miaod_nb.config import make_config
from miaod_nb.errors import ConfigError, DecisionError, RunFolderError
from miaod_nb.experiment import Run, open_run
from miaod_nb.labeling.reviewing import (
    apply_decisions,
    batch_lines,
    decide,
    decide_all,
    newest_batch,
)
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.decisions import decisions_of
from tests.experiment.helpers import SETTINGS, log_of, miaod, results, run_arguments

QUICK = {"rounds": 0, "min_epoch_steps": 1, "training": "label_set", "cycles": 1}
STRATEGIES = ("mi_aod", "entropy", "random")


@pytest.fixture(scope="module")
def begun(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`begun(strategy)`: a run whose cycle 0 has chosen 2 of 8 images; tests must not change it."""
    made: dict[str, Path] = {}

    def run_of(strategy: str) -> Path:
        if strategy not in made:
            made[strategy] = tmp_path_factory.mktemp("begun") / strategy
            arguments = run_arguments(data_root, made[strategy], **QUICK, strategy=strategy)
            assert miaod(*arguments).code == 0
        return made[strategy]

    return run_of


@pytest.fixture
def run_of(begun: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Run]:
    """`run_of(strategy)`: the same, to be changed."""

    def opened(strategy: str = "mi_aod") -> Run:
        return open_run(run_dir=shutil.copytree(begun(strategy), tmp_path / "run"))

    return opened


@pytest.fixture
def run(run_of: Callable[[str], Run]) -> Run:
    return run_of("mi_aod")


def ids(selection: dict[str, Any]) -> list[str]:
    return [row["id"] for row in selection["selected"]]


def stored(run: Run, cycle: int = 0) -> dict[str, Any]:
    return dict(run.folder.load_json(f"cycle{cycle}/selection.json"))


def order(run: Run, cycle: int = 0) -> list[str]:
    """All ids of the pool, most wanted first."""
    budget = len(run.dataset.pool) - len(run.sets(cycle).labeled)
    table = run.folder.load_parquet(f"cycle{cycle}/scores.parquet")
    return list(table["id"].to_numpy()[np.argsort(table["score"], kind="stable")[::-1]][:budget])


def select_again(run: Run, cycle: int = 0) -> None:
    """As if the run had been cut off before its select step."""
    done = [step for step in run.folder.done_steps(cycle) if step != "select"]
    run.folder.save_json(f"cycle{cycle}/steps.json", done)
    run.folder.delete(f"cycle{cycle}/selection.json")
    run.advance(cycle, ["select"])


# ------------------------------------------------------------------- what becomes of the selection


def test_without_decisions_nothing_changes(run):
    before = results(run.folder.root)
    log = before.pop("log.jsonl")
    apply_decisions(run.record, 0)
    apply_decisions(run.record, 0, replace=False)
    after = results(run.folder.root)
    assert after.pop("log.jsonl")[:-1] == log and after == before
    assert not run.folder.exists("cycle0/decisions.jsonl")


def test_a_place_is_not_filled_from_a_part_of_the_scores(run):
    """A shard that was lost would else let worse images in without a word."""
    run.folder.save_parquet("cycle0/scores.parquet/part-00000.parquet", run.record.scores(0)[:-1])
    decide(run.record, 0, stored(run)["selected"][0]["id"], "skip")
    before = stored(run)
    with pytest.raises(RunFolderError, match="scored 8 images, and the scores of 7 are here"):
        apply_decisions(run.record, 0)
    assert stored(run) == before


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_next_best_takes_the_place_of_a_skipped_image(run_of, strategy):
    run = run_of(strategy)
    first, second = stored(run)["selected"]
    decide(run.record, 0, first["id"], "skip", "the lens was dirty")
    decide(run.record, 0, second["id"], "note", "a rare one")
    found = apply_decisions(run.record, 0)
    kept, new = found["selected"]
    assert kept == second | {"note": "a rare one"} and (kept["rank"], new["rank"]) == (2, 3)
    assert new["id"] not in ids({"selected": [first, second]}) and new["note"] == ""
    assert new["reason"].partition(":")[0] == first["reason"].partition(":")[0]  # then its boxes
    assert (new["score"] is None) == (strategy == "random")
    if strategy != "random":
        assert ids(found) == order(run)[1:3]
    assert found == stored(run) and found["set_aside"] == {"skipped": 1}
    assert run.selection(0) == [kept["index"], new["index"]]
    (record,) = log_of(run.folder.root, "review")
    assert (record["added"], record["dropped"]) == ([new["id"]], [first["id"]])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_before_and_after_the_select_step_is_the_same(run_of, strategy):
    run = run_of(strategy)
    first, second = ids(stored(run))
    decide(run.record, 0, second, "defer", "ask the customer")
    applied = apply_decisions(run.record, 0)
    select_again(run)
    assert stored(run) == applied and ids(applied)[0] == first and second not in ids(applied)
    assert log_of(run.folder.root, "select")[0]["set_aside"] == {"deferred": 1}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_taken_back_comes_back(run_of, strategy):
    run = run_of(strategy)
    before = stored(run)
    for image_id in ids(before):
        decide(run.record, 0, image_id, "skip")
    between = apply_decisions(run.record, 0)
    assert len(between["selected"]) == 2 and not set(ids(between)) & set(ids(before))
    for image_id in ids(before):
        decide(run.record, 0, image_id, "accept")
    assert apply_decisions(run.record, 0) == before


def test_a_rule_that_compares_images_chooses_anew_among_those_that_are_left(run_of):
    run = run_of("coreset")
    before = stored(run)
    first, second = ids(before)
    decide(run.record, 0, first, "skip")
    found = apply_decisions(run.record, 0)
    assert first not in ids(found) and [row["rank"] for row in found["selected"]] == [1, 2]
    select_again(run)
    assert stored(run) == found
    decide(run.record, 0, first, "accept")
    assert apply_decisions(run.record, 0) == before
    decide(run.record, 0, first, "defer")
    assert ids(apply_decisions(run.record, 0, replace=False)) == [second]


def test_without_replacement_the_batch_shrinks(run):
    first, second = ids(stored(run))
    decide(run.record, 0, first, "skip")
    found = apply_decisions(run.record, 0, replace=False)
    assert ids(found) == [second] and found["selected"][0]["rank"] == 2
    assert batch_lines(found, 9)[-1] == "cycle 0: 1 images to label of a budget of 2, 1 skipped"


def test_what_is_taken_back_comes_back_without_replacement_too(run):
    before = stored(run)
    decide(run.record, 0, ids(before)[0], "skip")
    apply_decisions(run.record, 0, replace=False)
    decide(run.record, 0, ids(before)[0], "accept")
    assert apply_decisions(run.record, 0, replace=False) == before


def test_a_batch_of_an_empty_pool_has_a_line_alone():
    empty = {"cycle": 3, "budget": 2, "selected": []}
    assert batch_lines(empty, 9) == ["cycle 3: 0 images to label of a budget of 2"]


def test_a_replacement_stays_when_the_batch_shrinks(run):
    """What was let in and looked at does not go because another image is skipped later."""
    wanted = order(run)
    decide(run.record, 0, wanted[0], "skip")
    assert ids(apply_decisions(run.record, 0)) == wanted[1:3]
    decide(run.record, 0, wanted[1], "skip")
    assert ids(apply_decisions(run.record, 0, replace=False)) == wanted[2:3]


def test_a_skip_in_advance_counts_and_a_label_is_not_taken_away(run):
    wanted, labeled = order(run), run.dataset.ids(run.sets(0).labeled)[0]
    decide(run.record, 0, wanted[2], "skip")  # was not selected
    decide(run.record, 0, labeled, "skip")
    decide(run.record, 0, wanted[0], "skip")
    found = apply_decisions(run.record, 0)
    assert ids(found) == [wanted[1], wanted[3]] and found["set_aside"] == {"skipped": 2}


def test_no_label_is_read_for_a_review(run, monkeypatch):
    monkeypatch.setattr(type(run.dataset.oracle), "read", lambda *_, **__: pytest.fail("was read"))
    decide(run.record, 0, ids(stored(run))[0], "skip")
    apply_decisions(run.record, 0)


# ------------------------------------------------------------------------------- images asked for


@pytest.mark.parametrize("strategy", [*STRATEGIES, "coreset"])
def test_an_image_that_is_asked_for_takes_the_place_of_the_last_one(run_of, strategy):
    """Also if the wish was there before the cycle chose; and it goes as it came."""
    run = run_of(strategy)
    before = stored(run)
    taken = {*ids(before), *run.record.labeled(0)}
    asked = next(record.id for record in run.dataset.pool if record.id not in taken)
    decide(run.record, 0, asked, "accept", "a rare one")
    found = apply_decisions(run.record, 0)
    assert ids(found) == [ids(before)[0], asked] and found["asked_for"] == 1
    assert found["selected"][1]["reason"] == "asked for by a person"
    assert found["selected"][1]["note"] == "a rare one"
    assert batch_lines(found, 9)[-1].endswith(", 1 asked for")
    assert run.folder.exists("cycle0/selection.json") and stored(run) == found
    select_again(run)
    assert stored(run) == found and log_of(run.folder.root, "select")[0]["asked_for"] == 1
    decide(run.record, 0, asked, "undecided")
    for replace in (False, True):
        back = apply_decisions(run.record, 0, replace)
        assert ids(back) == ids(before) and "asked_for" not in back


def test_an_image_that_is_asked_for_comes_into_a_batch_that_shrinks(run):
    wanted = order(run)
    decide(run.record, 0, wanted[0], "skip")
    decide(run.record, 0, wanted[5], "accept")
    assert ids(apply_decisions(run.record, 0, replace=False)) == [wanted[1], wanted[5]]


def test_accepting_the_batch_changes_nothing_and_needs_no_strategy(run):
    before = stored(run)
    shutil.rmtree(run.folder.path("cycle0/scores.parquet"))
    for image_id in ids(before):
        decide(run.record, 0, image_id, "accept")
    assert apply_decisions(run.record, 0) == before


def test_more_wishes_than_places_are_refused(run):
    before, wanted = stored(run), order(run)
    for image_id in wanted[:3]:
        decide(run.record, 0, image_id, "accept")
    with pytest.raises(
        DecisionError, match="3 images are accepted or asked for, and a batch has 2"
    ):
        apply_decisions(run.record, 0)
    assert stored(run) == before


def test_a_wish_that_was_not_applied_stops_the_next_cycle(run):
    asked = order(run)[5]
    decide(run.record, 0, asked, "accept")
    decide(run.record, 0, run.record.labeled(0)[0], "accept")  # is there already
    arguments = ("run", "--run-dir", run.folder.root, "--set", "cycles=2")
    outcome = miaod(*arguments)
    assert outcome.code == 1 and not run.folder.exists("X_L_1.npy")
    assert f"1 images are accepted, but not in the batch, first {asked}" in outcome.err
    assert miaod("review", run.folder.root).code == 0 and miaod(*arguments).code == 0
    assert asked in open_run(run_dir=run.folder.root).record.labeled(1)


def test_several_decisions_are_written_together_or_not_at_all(run):
    first, second = ids(stored(run))
    with pytest.raises(DecisionError, match="no image of the pool has the id 'other'"):
        decide_all(run.record, 0, {first: "skip", "other": "skip"})
    assert not run.folder.exists("cycle0/decisions.jsonl")
    decide_all(run.record, 0, {first: "skip", second: "accept"})
    assert [(d.id, d.action) for d in decisions_of(run.record, 0)] == [
        (first, "skip"), (second, "accept"),
    ]  # fmt: skip


# ---------------------------------------------------------------------------- in the cycles after


def test_skipped_images_come_in_no_later_batch_and_deferred_ones_may(run):
    wanted = order(run)
    decide(run.record, 0, wanted[0], "skip")
    decide(run.record, 0, wanted[1], "defer", "too many of these")
    apply_decisions(run.record, 0)
    whole = open_run(run_dir=run.folder.root, overrides={"cycles": 9})
    whole.run()
    rows = [row for cycle in range(4) for row in whole.folder.load_json(
        f"cycle{cycle}/selection.json")["selected"]]  # fmt: skip
    chosen = {row["id"]: row for row in rows}
    assert chosen.keys() == set(wanted[1:])  # all of the pool but the one
    assert chosen[wanted[1]]["note"] == "too many of these"
    assert ids(stored(run)) == wanted[2:4]


def test_a_run_that_has_only_skipped_images_left_says_so(run):
    wanted = order(run)
    for image_id in wanted[2:]:
        decide(run.record, 0, image_id, "skip")
    path = run.folder.root
    outcome = miaod("run", "--run-dir", path, "--set", "cycles=4")
    assert outcome.code == 0
    assert "cut short: 0 images are left, 6 skipped, the budget is 2" in outcome.out
    reason = "all images to choose from are set aside (6 skipped; see decisions.jsonl)"
    assert f"cycle 2 and later ones are left out: {reason}" in outcome.out
    assert "the pool is empty" not in outcome.out
    assert f"  next        nothing: {reason}" in miaod("info", path).out
    assert log_of(path, "all set aside") and not log_of(path, "pool empty")
    longer = open_run(run_dir=path)
    decide(longer.record, 1, wanted[5], "accept")
    assert ids(apply_decisions(longer.record, 1)) == [wanted[5]]
    assert miaod("run", "--run-dir", path).code == 0 and (path / "cycle2/weights.pt").exists()


def test_a_batch_whose_decisions_were_not_applied_is_not_trained_on(run):
    first = ids(stored(run))[0]
    decide(run.record, 0, first, "defer")
    arguments = ("run", "--run-dir", run.folder.root, "--set", "cycles=2")
    outcome = miaod(*arguments)
    assert outcome.code == 1 and not run.folder.exists("X_L_1.npy")
    assert f"1 images of the batch are skipped or deferred, but still in it, first {first}" in (
        outcome.err
    )
    assert f"miaod review {run.folder.root} --cycle 0" in outcome.err
    assert miaod("review", run.folder.root).code == 0 and miaod(*arguments).code == 0


def test_the_authors_names_of_the_next_cycle_say_what_the_batch_says(run, tmp_path):
    decide(run.record, 0, ids(stored(run))[0], "skip")
    batch = apply_decisions(run.record, 0)
    assert miaod("run", "--run-dir", run.folder.root, "--set", "cycles=2").code == 0
    export_run(RunFolder(run.folder.root), tmp_path / "work")
    before, after = (set(np.load(tmp_path / f"work/X_L_{c}.npy").tolist()) for c in (0, 1))
    assert after - before == {row["index"] for row in batch["selected"]}
    listed = (tmp_path / "work/cycle1/trainval_L_07.txt").read_text().split()
    assert set(ids(batch)) <= set(listed) and len(listed) == 6


# ---------------------------------------------------------------------------------------- refusals


def test_once_the_next_cycle_has_begun_a_batch_stands(reference, tmp_path):
    run = open_run(run_dir=shutil.copytree(reference, tmp_path / "run"))
    lines = run.folder.path("cycle0/decisions.jsonl")
    known = lines.read_bytes() if lines.is_file() else b""
    with pytest.raises(DecisionError, match="cycle 1 has begun with the batch of cycle 0"):
        decide(run.record, 0, ids(stored(run, 1))[0], "skip")
    assert (lines.read_bytes() if lines.is_file() else b"") == known  # nothing was written
    decide(run.record, 1, ids(stored(run, 1))[0], "skip")
    before = stored(run)
    with pytest.raises(DecisionError, match="cycle 1 has begun with the batch of cycle 0"):
        apply_decisions(run.record, 0)
    assert stored(run) == before and newest_batch(run.record) == 1
    first = ids(stored(run, 1))[0]
    assert first not in ids(apply_decisions(run.record, 1))


@pytest.mark.parametrize("replace", [True, False])
def test_a_batch_of_which_nothing_is_left_is_refused(run, replace):
    before = stored(run)
    for image_id in order(run) if replace else ids(before):
        decide(run.record, 0, image_id, "skip")
    with pytest.raises(DecisionError, match="no image would be left to label: [82] skipped"):
        apply_decisions(run.record, 0, replace)
    assert stored(run) == before and not log_of(run.folder.root, "review")


def test_decisions_about_nothing_are_refused(run):
    with pytest.raises(ConfigError, match="no cycle 1"):
        decide(run.record, 1, ids(stored(run))[0], "skip")
    with pytest.raises(DecisionError, match="no image of the pool has the id 'other'"):
        decide(run.record, 0, "other", "skip")
    with pytest.raises(DecisionError, match="action = 'drop' is not allowed"):
        decide(run.record, 0, ids(stored(run))[0], "drop")  # type: ignore[arg-type]
    assert not run.folder.exists("cycle0/decisions.jsonl")


def test_a_cycle_that_has_not_chosen_is_refused(run):
    longer = open_run(run_dir=run.folder.root, overrides={"cycles": 2})
    with longer.hold():
        pass  # now the folder says so
    assert newest_batch(longer.record) == 0
    with pytest.raises(DecisionError, match="cycle 1 has not chosen images yet"):
        apply_decisions(longer.record, 1)


def test_a_folder_in_use_is_refused(run):
    with run.folder.lock(), pytest.raises(RunFolderError, match="in use by process"):
        apply_decisions(run.record, 0)


def test_full_supervision_has_no_batch(data_root, tmp_path):
    config = make_config("tiny", SETTINGS | QUICK | {"strategy": "full"})
    run = Run(config, data_root, tmp_path / "run")
    with run.hold():
        pass
    with pytest.raises(DecisionError, match="labels every image from the start"):
        newest_batch(run.record)
    with pytest.raises(DecisionError, match="labels every image from the start"):
        apply_decisions(run.record, 0)
    assert not run.folder.exists("cycle0")


def test_a_faulty_line_stops_the_select_step_too(run):
    run.folder.append_line("cycle0/decisions.jsonl", '{"id": "000001"}')
    with pytest.raises(DecisionError, match="action is missing") as error:
        select_again(run)
    assert str(error.value.where).endswith("decisions.jsonl, line 1, field action")
    assert not run.folder.exists("cycle0/selection.json")


# ------------------------------------------------------------------------------- miaod review


def test_review_from_a_file_gives_what_the_board_gives(begun, run, tmp_path):
    first, second = ids(stored(run))
    decide(run.record, 0, first, "skip", "dark")
    decide(run.record, 0, second, "accept")
    expected = apply_decisions(run.record, 0)
    headless = shutil.copytree(begun("mi_aod"), tmp_path / "headless")
    file = tmp_path / "decided.jsonl"
    lines = [{"id": first, "action": "skip", "note": "dark"}, {"id": second, "action": "accept"}]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    outcome = miaod("review", headless, "--decisions", file)
    assert outcome.code == 0, outcome
    assert json.loads((headless / "cycle0/selection.json").read_text()) == expected
    *table, last = outcome.out.splitlines()
    assert table[0].split() == ["rank", "id", "score", "reason"]
    assert last == "cycle 0: 2 images to label, 1 of them in the place of others, 1 skipped"
    kept = (headless / "cycle0/decisions.jsonl").read_bytes()
    for again in (file, headless / "cycle0/decisions.jsonl"):
        assert miaod("review", headless, "--decisions", again).code == 0
        assert (headless / "cycle0/decisions.jsonl").read_bytes() == kept
    (one, other) = [json.loads(line) for line in kept.splitlines()]
    assert one["fingerprint"] == (headless / "fingerprint.txt").read_text().strip()
    assert abs(one["time"] - time.time()) < 600 and other["cycle"] == 0


def test_a_review_that_is_cut_off_is_done_by_giving_it_again(run, tmp_path, monkeypatch):
    """The lines are there, the batch is the old one: the next time it is the new one."""
    first, second = ids(stored(run))
    (tmp_path / "decided.jsonl").write_text(json.dumps({"id": second, "action": "skip"}))
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "save_json", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            apply_decisions(run.record, 0, file=tmp_path / "decided.jsonl")
    assert ids(stored(run)) == [first, second]
    found = apply_decisions(run.record, 0, file=tmp_path / "decided.jsonl")
    assert ids(found) == ids(stored(run)) == [first, order(run)[2]]
    assert len(decisions_of(run.record, 0)) == 1


def test_review_shows_a_random_batch_with_its_notes(run_of):
    run = run_of("random")
    decide(run.record, 0, ids(stored(run))[1], "note", "rare")
    outcome = miaod("review", run.folder.root)
    header, *rows, last = outcome.out.splitlines()
    assert header.split() == ["rank", "id", "reason", "note"]
    assert rows[1].split() == ["2", ids(stored(run))[1], "drawn", "at", "random", "rare"]
    assert last == "cycle 0: 2 images to label"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": "000001", "action": "skip"}\n{"id"', ["torn", "decided.jsonl, line 2"]),
        (
            '{"id": "000001", "action": "drop"}',
            ["'drop'", "line 1, field action", "defer, undecided"],
        ),
        ('{"id": "new", "action": "skip"}', ["id 'new'", "line 1, field id"]),
        ('{"id": "000001", "action": "skip", "cycle": 1}', ["cycle 1, not 0", "field cycle"]),
        ('{"id": "000001", "action": "skip", "fingerprint": "0"}', ["another run", "fingerprint"]),
    ],
)
def test_a_faulty_file_changes_nothing(run, tmp_path, text, words):
    before = results(run.folder.root)
    (tmp_path / "decided.jsonl").write_text(text)
    outcome = miaod("review", run.folder.root, "--decisions", tmp_path / "decided.jsonl")
    assert outcome.code == 1 and outcome.out == "" and "Traceback" not in outcome.err
    assert all(word in outcome.err for word in [*words, "what to do: "])
    assert results(run.folder.root) == before


def test_review_of_what_is_no_run(tmp_path):
    outcome = miaod("review", tmp_path / "nothing")
    assert outcome.code == 1 and "there is no run in this folder" in outcome.err
    assert not (tmp_path / "nothing").exists()


def test_review_needs_neither_torch_nor_images_nor_labels(begun, tmp_path):
    """Also when another image has to take the place of one that is skipped."""
    for strategy in ("mi_aod", "random", "coreset"):
        folder = shutil.copytree(begun(strategy), tmp_path / strategy)
        document = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(document | {"data_root": "/gone"}))
        first = json.loads((folder / "cycle0/selection.json").read_text())["selected"][0]["id"]
        code = (
            "import sys\nfrom miaod_nb.labeling.reviewing import apply_decisions, decide\n"
            "from miaod_nb.runs.record import RunRecord\n"
            f"record = RunRecord.open({str(folder)!r})\ndecide(record, 0, {first!r}, 'skip')\n"
            "assert len(apply_decisions(record, 0)['selected']) == 2\n"
            "assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_of_an_unknown_strategy_is_reviewed_by_the_column_it_ranks_by(run):
    """As of one's own strategy in another process; one that compares images must be known."""
    path = run.folder.path("config.json")
    document = json.loads(path.read_text())

    def rename(**changes: object) -> None:
        card = document["card"] | {"name": "theirs"} | changes
        settings = document["settings"] | {"strategy": "theirs"}
        path.write_text(json.dumps(document | {"card": card, "settings": settings}))

    rename()
    expected = order(run)
    record = RunRecord.open(run.folder.root)
    decide(record, 0, expected[0], "skip")
    assert ids(apply_decisions(record, 0)) == expected[1:3]
    rename(ranks_by=None)
    with pytest.raises(ConfigError, match="there is no strategy 'theirs'"):
        apply_decisions(RunRecord.open(run.folder.root), 0)


def test_a_reason_names_the_class_that_it_is_about_most(run):
    record = run.record
    parts = record.scores(0).set_index("id")[[f"class {name}" for name in record.classes]]
    for row in record.selection(0)["selected"]:
        most = parts.loc[row["id"]].idxmax().removeprefix("class ")
        assert row["reason"] == f"{record.card.reason}, above all about {most}"
