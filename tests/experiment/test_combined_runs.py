"""Runs whose strategy is a mix, or has something added by a setting, from the first step on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from miaod_nb.compare.groups import label_runs
from miaod_nb.errors import ConfigError
from miaod_nb.experiment import open_run
from miaod_nb.labeling.reviewing import apply_decisions, decide
from miaod_nb.runs.record import RunRecord
from tests.experiment.helpers import SETTINGS, Fate, miaod, results, run_arguments
from tests.experiment.test_kill_and_resume import EVERY_STEP, lead

QUICK = {"rounds": 0, "min_epoch_steps": 1, "training": "label_set", "cycles": 1}
BOTH = {"max_similarity": 0.95, "class_target": "even"}
KINDS: dict[str, dict[str, Any]] = {
    "mi_aod": {"strategy": "mi_aod"} | BOTH,
    "random": {"strategy": "random"} | BOTH,
    "coreset": {"strategy": "coreset", "max_similarity": 0.9},
    "mix": {"strategy": "mix", "mix": "50% coreset, 50% random"}
    | {"class_target": "disc=1", "max_similarity": 0.95},
    "mi_aod_weighted": {"strategy": "mi_aod_weighted"},
}


@pytest.fixture(scope="module")
def begun(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`begun(kind)`: a run whose cycle 0 has chosen 2 of 8 images; tests must not change it."""
    folder, made = tmp_path_factory.mktemp("combined"), dict[str, Path]()

    def run_of(kind: str) -> Path:
        if kind not in made:
            made[kind] = folder / kind / "run"  # alone: nobody takes over its training
            outcome = miaod(*run_arguments(data_root, made[kind], **QUICK | KINDS[kind]))
            assert outcome.code == 0, outcome.err
        return made[kind]

    return run_of


@pytest.mark.parametrize("kind", KINDS)
def test_review_replaces_by_the_same_rule_from_the_folder_alone(begun, tmp_path, kind):
    """As the select step does that knows what people decided."""
    folder = shutil.copytree(begun(kind), tmp_path / "run")
    record = RunRecord.open(folder)
    before = record.selection(0)
    skipped = before["selected"][0]["id"]
    decide(record, 0, skipped, "skip")
    applied = apply_decisions(record, 0)
    ids = [row["id"] for row in applied["selected"]]
    assert len(set(ids)) == 2 and skipped not in ids
    run = open_run(run_dir=folder)
    run.folder.save_json("cycle0/steps.json", [s for s in record.done(0) if s != "select"])
    run.folder.delete("cycle0/selection.json")
    run.advance(0, ["select"])
    assert run.record.selection(0) == applied
    decide(run.record, 0, skipped, "accept")
    assert apply_decisions(run.record, 0) == before


def test_what_was_seen_is_kept(begun):
    record = RunRecord.open(begun("mi_aod"))
    table = record.scores(0)
    assert {"score", "class_boxes", "looks"} <= set(table)
    assert len(table["class_boxes"][0]) == 2
    assert len(pd.read_parquet(record.folder.path("cycle0/labeled.parquet"))) == 4
    assert list(RunRecord.open(begun("mix")).scores(0)) == [
        "id", "index", "coreset.feature", "class_boxes", "looks"
    ]  # fmt: skip


def test_a_target_that_is_missed_is_said(begun):
    selection = RunRecord.open(begun("mix")).selection(0)
    seen = sum(selection["remarks"][0].count(name) for name in ("disc", "no box"))
    assert seen and "class target not met" in selection["remarks"][0]
    log = (begun("mix") / "log.jsonl").read_text()
    assert json.dumps(selection["remarks"][0]) in log


def test_such_runs_are_kept_apart(begun, data_root, tmp_path):
    plain = tmp_path / "plain"
    assert miaod(*run_arguments(data_root, plain, **QUICK)).code == 0
    records = [RunRecord.open(path) for path in (plain, *map(begun, KINDS))]
    assert label_runs(records) == [
        "mi_aod", "MI-AOD + rare classes first + no look-alikes",
        "random + rare classes first + no look-alikes", "core-set + no look-alikes",
        "50 % core-set + 50 % random + classes by number + no look-alikes", "MI-AOD weighted",
    ]  # fmt: skip
    assert RunRecord.open(begun("mi_aod")).fingerprint != RunRecord.open(plain).fingerprint


def test_controls_are_plain(begun):
    run = open_run(run_dir=begun("mi_aod"))
    control = run.control("random")
    assert control.card.label == "random" and not control.card.columns
    assert (control.config.max_similarity, control.config.class_target) == (1.0, "")
    assert control.folder.root.name == "run-random"
    weighted = open_run(run_dir=begun("mi_aod_weighted"))
    assert weighted.config.weighted_selection and weighted.record.config.weighted_selection
    assert not weighted.control("mi_aod").config.weighted_selection
    assert run.control("mi_aod_weighted").config.weighted_selection


def test_mi_aod_weighted_scores_as_the_setting_does(begun, data_root, tmp_path):
    by_setting = tmp_path / "run"
    settings = QUICK | {"weighted_selection": True}
    assert miaod(*run_arguments(data_root, by_setting, **settings)).code == 0
    expected = RunRecord.open(by_setting).scores(0)
    assert np.array_equal(RunRecord.open(begun("mi_aod_weighted")).scores(0), expected)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"class_target": "dics=3"}, "there is no class 'dics'"),
        ({"strategy": "mix", "mix": "50% entrpy, 50% random"}, "there is no strategy 'entrpy'"),
        ({"strategy": "mix"}, "needs to know what to mix"),
        ({"controls": "random,mix"}, "needs to know what to mix"),
        ({"max_similarity": 0}, "max_similarity"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(data_root, tmp_path, settings, fault):
    with pytest.raises(ConfigError, match=fault):
        open_run(
            "tiny", data_root=data_root, run_dir=tmp_path / "run", overrides=SETTINGS | settings
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("kind", "added"), [("coreset", BOTH), ("mix", {})])
def test_a_pool_that_is_used_up(data_root, tmp_path, kind, added):
    """The last cycle has nothing to choose from."""
    settings = QUICK | {"cycles": 4, "budget": 4} | KINDS[kind] | added
    outcome = miaod(*run_arguments(data_root, tmp_path / "run", **settings))
    assert outcome.code == 0, outcome.err
    record = RunRecord.open(tmp_path / "run")
    assert [len(record.selected(cycle)) for cycle in range(3)] == [4, 4, 0]


@pytest.mark.slow
def test_killed_and_continued_is_as_undisturbed(begun, data_root, tmp_path):
    """Killed while it looks at the pool, at labeled images, and while it chooses."""
    settings = QUICK | {"save_every": EVERY_STEP} | KINDS["mix"]
    arguments = run_arguments(data_root, tmp_path / "run", **settings)
    rule = "miaod_nb.selection.class_coverage.ClassCoverage"
    # 8 images of the pool in 4 batches, then 4 labeled ones in 2
    calls = {"observe": (3, 3, 2), "choose": (1,)}
    fates = [Fate(f"{rule}.{name}", n) for name, numbers in calls.items() for n in numbers]
    lead(arguments, tmp_path, fates)
    assert results(tmp_path / "run") == results(begun("mix"))
