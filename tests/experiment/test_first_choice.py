"""The first labeled images, chosen by what pictures look like before any label exists."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from miaod_nb.config import make_config
from miaod_nb.data.records import ImageRecord
from miaod_nb.errors import ConfigError
from miaod_nb.experiment import Run, open_run, state
from miaod_nb.experiment.first_choice import choose_first
from miaod_nb.experiment.imported import ImportedSets, first_sets
from miaod_nb.labeling.exporting import FIRST, rows_of
from miaod_nb.runs.record import RunRecord
from tests.experiment.helpers import SETTINGS, Fate, miaod, results, run_arguments, run_child

QUICK = {"cycles": 1, "rounds": 0, "min_epoch_steps": 1, "training": "label_set"}
TYPICAL, FAR = {"initial_strategy": "typicality"}, {"initial_strategy": "coreset"}
NONE = np.zeros(0, np.int64)
BOTH = pytest.mark.parametrize("how", ["typicality", "coreset"])


def directions(*degrees: float) -> np.ndarray:
    """A feature of length 1 a direction: (N, 2)."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


# Two kinds of pictures, and one that is like none: the middle of each kind is its second.
KINDS = directions(0, 5, 10, 95, 100, 105, 200)
IDS = list("abcdefg")


def chosen(how: str, features: np.ndarray, count: int, labeled: np.ndarray = NONE, ids=IDS):
    places, reasons = choose_first(how, features, ids[: len(features)], labeled, count, 0)
    assert len(reasons) == len(places)
    return [ids[place] for place in places]


# ------------------------------------------------------------------------------ the choice itself


def test_typical_images_are_the_middle_of_each_kind():
    assert set(chosen("typicality", KINDS, 3)) == {"b", "e", "g"}
    assert set(chosen("typicality", KINDS, 2, labeled=np.array([0]))) == {"e", "g"}


def test_core_set_goes_as_far_away_as_it_can():
    """From 0 degrees on: 200 is 160 away; then 100 and 105 are 100 and 95 away from the nearest."""
    labeled = np.array([0])
    assert chosen("coreset", KINDS, 2, labeled) == ["g", "e"]
    _, reasons = choose_first("coreset", KINDS, IDS, labeled, 1, 0)
    assert reasons == ["farthest from all before it (distance 1.97)"]  # 2 sin 80 degrees
    places, reasons = choose_first("coreset", KINDS, IDS, NONE, 2, 0)
    assert reasons[0].startswith("drawn at random") and len(set(places)) == 2


@BOTH
def test_the_length_of_features_does_not_matter(how):
    assert chosen(how, KINDS, 3) == chosen(how, KINDS * np.arange(1, 8)[:, None] ** 2, 3)


@BOTH
def test_the_order_of_the_pool_does_not_matter(how):
    order = np.random.default_rng(1).permutation(len(IDS))
    ids = [IDS[place] for place in order]
    assert chosen(how, KINDS[order], 3, ids=ids) == chosen(how, KINDS, 3)


@BOTH
def test_copies_wait_until_all_others_are_taken(how):
    features = np.repeat(directions(0, 60, 120), 2, axis=0)
    taken = chosen(how, features, 6)
    assert sorted(taken) == IDS[:6]
    assert len({round(float(features[IDS.index(one), 0]), 6) for one in taken[:3]}) == 3
    rest = chosen(how, features, 2, labeled=np.array([1]))  # the copy of what is labeled is none
    assert "a" not in rest and {one in "cd" for one in rest} == {True, False}


@BOTH
def test_images_that_are_all_alike_are_taken_each_once(how):
    for features in (np.ones((5, 4), np.float32), np.zeros((5, 4), np.float32)):
        assert len(set(chosen(how, features, 3))) == 3
        assert sorted(chosen(how, features, 9)) == IDS[:5]
        assert sorted(chosen(how, features, 9, labeled=np.array([2]))) == list("abde")


# ------------------------------------------------------------------- labels, and calls before


def sets_of(
    settings: dict, labeled: str = "", noted: tuple[ImportedSets, ...] = (), ids: str = "abcdefg"
) -> tuple[ImportedSets, ...]:
    """The first sets of a pool with the features KINDS."""
    config = make_config("tiny", {"initial": 3, **settings})
    pool = [ImageRecord(one, "own", Path(one), digest=1 + IDS.index(one)) for one in ids]

    def features_of(records):
        return KINDS[[IDS.index(record.id) for record in records]]

    return first_sets(config, pool, set(labeled), features_of, noted)


def refuse(records: object) -> np.ndarray:
    raise AssertionError("nobody asked for features")


def test_chance_asks_for_no_features():
    pool = [ImageRecord(one, "own", Path(one), digest=1) for one in IDS]
    settings = [{}, {"first_labels": "drawn"}, {"first_labels": "labeled", **TYPICAL}]
    for more in settings:
        first_sets(make_config("tiny", {"initial": 3, **more}), pool, {"a"}, refuse)


def test_what_is_labeled_counts_and_is_filled_up():
    (sets,) = sets_of(TYPICAL, labeled="a")
    assert sets.labeled[0] == "a" and set(sets.chosen) == {"e", "g"}
    assert not set(sets.unlabeled_sample) & set(sets.labeled)
    (enough,) = sets_of(TYPICAL, labeled="abc")
    assert enough.labeled == ("a", "b", "c") and not enough.chosen and enough.origin == "labels"


@pytest.mark.parametrize("more, labeled", [({}, "abcdef"), ({"first_labels": "drawn"}, "a")])
def test_labels_do_not_count_where_images_would_be_drawn(more, labeled):
    """Where most are labeled, as in an experiment, and where somebody says so."""
    (sets,) = sets_of(TYPICAL | more, labeled)
    assert set(sets.chosen) == {"b", "e", "g"}


def test_a_choice_holds_while_its_images_are_labeled():
    noted = sets_of(TYPICAL)
    first, *_ = noted[0].chosen
    assert sets_of(TYPICAL, labeled=first, noted=noted) == noted
    assert sets_of(TYPICAL, labeled="f", noted=noted) != noted  # of another image
    for other in (FAR, TYPICAL | {"split_seed": 1}, TYPICAL | {"initial": 2}):
        assert sets_of(other, noted=noted)[0].question != noted[0].question
    assert sets_of(TYPICAL, noted=noted, ids="abcdef")[0].question != noted[0].question


def test_more_than_the_pool_is_refused():
    with pytest.raises(ConfigError, match="more than there are"):
        sets_of(TYPICAL | {"initial": 8})


# ------------------------------------------------------------------------------------------ runs


def first_of(run_dir: Path) -> list[str]:
    return RunRecord.open(run_dir).labeled(0)


def split(data: Path, run_dir: Path | str = "", **settings: object) -> Run:
    """A run whose first labeled images are settled, and nothing else."""
    overrides = SETTINGS | QUICK | settings
    run = open_run("tiny", data_root=data, run_dir=run_dir, overrides=overrides)
    run.advance(0, ["split"])
    return run


def test_a_run_begins_with_what_was_chosen_and_keeps_to_it(data_root, tmp_path, monkeypatch):
    run_dir, settings = tmp_path / "run", QUICK | TYPICAL
    outcome = miaod(*run_arguments(data_root, run_dir, **settings))
    assert outcome.code == 0, outcome.err
    assert "begins with 4 of 12 images that initial_strategy=typicality chose" in outcome.out
    noted = json.loads((run_dir / "imported.json").read_text())
    assert sorted(noted["cycles"][0]["labeled"]) == first_of(run_dir)
    # Nothing is computed again, neither to go on nor for a control.
    monkeypatch.setattr(state, "image_features", refuse)
    shutil.rmtree(tmp_path / "image-features")
    outcome = miaod(*run_arguments(data_root, run_dir, **settings | {"cycles": 2}))
    assert outcome.code == 0 and "begins with" not in outcome.out, outcome.err
    control = open_run(run_dir=run_dir).control("random")
    control.advance(0, ["split"])
    assert control.record.labeled(0) == first_of(run_dir)
    full = open_run(run_dir=run_dir).control("full")
    assert len(full.dataset.first.labeled) == 12 and not full.dataset.chosen_first


def test_runs_that_know_nothing_of_each_other_begin_with_the_same(data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "data")
    one = split(data_root, tmp_path / "one/run", **TYPICAL)
    other = split(data, tmp_path / "other/run", **TYPICAL, strategy="random", seed=5)
    assert other.record.labeled(0) == one.record.labeled(0)
    assert other.record.sample(0) == one.record.sample(0)


def test_a_run_without_a_name_is_found_again(data_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = split(data_root, **FAR).folder.root
    assert split(data_root, **FAR).folder.root == first
    assert split(data_root).folder.root != first


@pytest.mark.slow
def test_killed_on_the_way_it_begins_with_the_same(data_root, tmp_path):
    arguments = run_arguments(data_root, tmp_path / "run", **QUICK | TYPICAL)
    fates = [Fate("os.replace", 1, "halfway", "imported.json"),
             Fate("os.replace", 1, "after", "X_L_0.npy")]  # fmt: skip
    for number, fate in enumerate(fates):
        output = tmp_path / f"life{number}.txt"
        assert run_child(arguments, output, fate) == -fate.signal, output.read_text()
    assert run_child(arguments, tmp_path / "last.txt") == 0, (tmp_path / "last.txt").read_text()
    assert miaod(*run_arguments(data_root, tmp_path / "other/run", **QUICK | TYPICAL)).code == 0
    assert results(tmp_path / "run") == results(tmp_path / "other/run")


def test_the_first_batch_of_own_photos_is_what_was_chosen(data_root, tmp_path, monkeypatch):
    """Exported in the order of the choice and with reasons; an image that cannot be read is
    counted and not chosen; answers do not change the choice, and the run goes on with it."""
    monkeypatch.chdir(tmp_path)
    photos = shutil.copytree(data_root / "JPEGImages", tmp_path / "photos")
    (photos / "broken.jpg").write_bytes((photos / "000001.jpg").read_bytes()[:300])
    more = [f"--set={key}={value}" for key, value in (SETTINGS | QUICK | TYPICAL).items()]
    outcome = miaod("new", "--images", photos, "--name", "mine", "--preset", "tiny", *more)
    assert outcome.code == 0, outcome.err
    assert "first labeled images: 4, chosen by typicality" in outcome.out
    assert "(broken)" in outcome.out
    run_dir = tmp_path / "runs/mine"
    run = open_run(run_dir=run_dir, needs_labels=False)
    rows = rows_of(run, FIRST)
    assert [row["id"] for row in rows] == list(run.dataset.chosen_first)
    assert all("typical of a cluster" in row["reason"] for row in rows)
    outcome = miaod("export", run_dir, "--to", "voc")
    assert outcome.code == 0, outcome.err
    assert "4 images of the first batch" in outcome.out
    for row in rows:
        shutil.copy(data_root / f"Annotations/{row['id']}.xml", photos / f"{row['id']}.xml")
    outcome = miaod("run", "--run-dir", run_dir)
    assert outcome.code == 0, outcome.err
    assert first_of(run_dir) == sorted(row["id"] for row in rows)
