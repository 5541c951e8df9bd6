"""The values of a cycle's images, kept in the run folder."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from miaod_nb.errors import ConfigError, DataError, RunFolderError
from miaod_nb.experiment import Run, open_run
from miaod_nb.inspection import anchor_values as module
from miaod_nb.inspection import inspected as choice
from miaod_nb.inspection.anchor_values import anchor_values, inspected_ids, keep_anchor_values
from miaod_nb.inspection.replay import kept_counts, replay
from miaod_nb.inspection.values import MAX_DETAILS
from miaod_nb.runs.files import RunFolder
from miaod_nb.selection.uncertainty import num_averaged
from tests.conftest import write_voc
from tests.inspection.conftest import OVERRIDES

RULES = [{}, {"top_k": 20, "weighted_selection": True}, {"strategy": "entropy"}]


def never(*_: object) -> None:
    raise AssertionError("the detector was asked")


def files_of(run: Run) -> list[str]:
    return sorted(path.name for path in run.folder.path("cycle0/anchors").iterdir())


def written(run: Run, name: str) -> tuple[int, int]:
    """What tells a file that was written again from one that was not."""
    stat = run.folder.path(f"cycle0/anchors/{name}").stat()
    return stat.st_ino, stat.st_mtime_ns


def selected_ids(run: Run) -> list[str]:
    return run.dataset.ids(run.selection(0))


@pytest.mark.parametrize("settings", RULES)
def test_a_run_that_is_replayed_by_its_own_rules_chooses_its_batch(copied, settings):
    run = copied(**settings)
    table = keep_anchor_values(run, 0)
    config = run.config
    num_anchors = max(len(anchor_values(run, 0, i).discrepancy) for i in table["id"])
    own = {"strategy": config.strategy, "weighted": config.weighted_selection,
           "k": num_averaged(config.top_k, num_anchors)}  # fmt: skip
    assert replay(table, budget=run.dataset.budget, **own) == selected_ids(run)
    whole = replay(table, budget=len(table), **own)
    assert whole == table["id"].tolist() == inspected_ids(run, 0)


@pytest.mark.parametrize("settings", RULES[:2])
def test_the_mean_of_the_values_is_the_recorded_score(copied, settings):
    """Of images of two sizes, padded and not, whatever batch they were scored in."""
    run = copied(**settings)
    table = keep_anchor_values(run, 0)
    sizes = set()
    for image_id, score in zip(table["id"], table["score"], strict=True):
        values = anchor_values(run, 0, image_id)
        averaged = values.weighted if run.config.weighted_selection else values.discrepancy
        k = num_averaged(run.config.top_k, len(averaged))
        assert np.sort(averaged)[-k:].mean() == pytest.approx(score, rel=1e-4)
        sizes.add(len(averaged))
    assert len(sizes) == 2


def test_a_single_class(tmp_path):
    data = write_voc(tmp_path / "VOC2007", num_trainval=8, num_test=2, classes=["disc"])
    run = open_run("tiny", data_root=data, run_dir=tmp_path / "run", overrides=OVERRIDES)
    run.run()
    table = keep_anchor_values(run, 0)
    values = anchor_values(run, 0, table["id"][0])
    assert values.probs_1.shape == (len(values.top), 1)
    k = num_averaged(run.config.top_k, len(values.discrepancy))
    assert np.sort(values.discrepancy)[-k:].mean() == pytest.approx(table["score"][0], rel=1e-4)


def test_the_table_says_what_it_was_made_of(copied):
    run = copied()
    table = keep_anchor_values(run, 0)
    scores = run.folder.load_parquet("cycle0/scores.parquet").set_index("id")["score"]
    assert sorted(table["id"]) == sorted(scores.index) and table["rank"].tolist() == [*range(1, 13)]
    assert table["score"].tolist() == scores[table["id"]].tolist()
    assert (table["score"].diff().dropna() <= 0).all()
    assert table["kind"].tolist() == ["best"] * 10 + ["sample"] * 2
    assert (table["stands_for"] == 1).all()
    assert np.isfinite(table.select_dtypes("number").to_numpy()).all()
    assert [kept_counts(table)[i] for i in (0, -1)] == [1, 252]  # 252 anchors at 64 x 64 pixels
    for row in table.to_dict("records"):
        values = anchor_values(run, 0, row["id"])
        assert row["max"] == pytest.approx(values.discrepancy.max())
        assert row["weighted sum"] == pytest.approx(values.weighted.sum(), rel=1e-5)
        assert row["sum"] == pytest.approx(row["mean 252"] * len(values.discrepancy), rel=1e-5)


def test_of_a_large_pool_the_best_and_a_sample_are_inspected(finished, monkeypatch):
    run = finished()
    monkeypatch.setattr(choice, "BEST_BUDGETS", 2)
    monkeypatch.setattr(choice, "SAMPLE", 4)
    table = choice.inspected(run, 0)
    assert table["rank"].tolist()[:4] == [1, 2, 3, 4] and len(table) == 8
    assert table["rank"].is_monotonic_increasing and table["rank"].is_unique
    assert table["kind"].tolist() == ["best"] * 4 + ["sample"] * 4
    assert table["stands_for"].tolist() == [1.0] * 4 + [2.0] * 4
    pd.testing.assert_frame_equal(table, choice.inspected(run, 0))
    assert selected_ids(run) == table["id"].tolist()[:2]


# ------------------------------------------------------------------------------------- the files


def test_what_is_kept_is_read_without_the_model(copied, monkeypatch):
    run = copied()
    table = keep_anchor_values(run, 0)
    run.folder.delete("cycle0/weights.pt")
    monkeypatch.setattr(module, "_computed", never)
    again = open_run(run_dir=run.folder.root)
    pd.testing.assert_frame_equal(keep_anchor_values(again, 0), table)
    assert anchor_values(again, 0, table["id"][3]).id == table["id"][3]


def test_resumed_equals_uninterrupted(copied, monkeypatch):
    """Stopped in the third batch; no image of those before it is looked at again."""
    run, compute, seen = copied(), module.anchor_arrays, []

    def counted(model, batch, config):
        seen.append(batch.ids)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return compute(model, batch, config)

    monkeypatch.setattr(module, "anchor_arrays", counted)
    with pytest.raises(KeyboardInterrupt):
        keep_anchor_values(run, 0)
    before = {name: written(run, name) for name in files_of(run)}
    resumed = keep_anchor_values(run, 0)
    looked_at = [image_id for ids in [*seen[:2], *seen[3:]] for image_id in ids]
    assert sorted(looked_at) == sorted(resumed["id"])
    assert len(before) == len(seen[0]) + len(seen[1])
    names = files_of(run)
    kept = {name: run.folder.load_npz(f"cycle0/anchors/{name}") for name in names[:-1]}
    assert len(kept) == 12 and names[-1] == "table.parquet"
    assert before == {name: written(run, name) for name in before}
    for name in names:
        run.folder.delete(f"cycle0/anchors/{name}")
    pd.testing.assert_frame_equal(keep_anchor_values(run, 0), resumed, rtol=1e-4)
    for name, arrays in kept.items():
        at_once = run.folder.load_npz(f"cycle0/anchors/{name}")
        assert at_once.keys() == arrays.keys() and at_once["id"] == arrays["id"]
        np.testing.assert_allclose(
            at_once["discrepancy"], arrays["discrepancy"], rtol=1e-3, atol=1e-8
        )


@pytest.mark.parametrize("harm", ["half", "other", "version", "table"])
def test_a_damaged_file_is_made_anew(copied, capsys, harm):
    run = copied()
    table = keep_anchor_values(run, 0)
    first, second = (run.folder.path(f"cycle0/anchors/{i}.npz") for i in table["index"][:2])
    if harm == "half":
        first.write_bytes(first.read_bytes()[:1000])
    elif harm == "other":
        first.write_bytes(second.read_bytes())
    elif harm == "version":
        np.savez(first, id=table["id"][0])
    else:
        run.folder.path("cycle0/anchors/table.parquet").write_bytes(b"")
    assert anchor_values(run, 0, table["id"][0]).id == table["id"][0]
    pd.testing.assert_frame_equal(keep_anchor_values(run, 0), table, rtol=1e-4)
    assert ("is made anew" in capsys.readouterr().out) == (harm in ("half", "table"))


def test_labeled_images_have_values_too(copied):
    run = copied()
    index = int(run.sets(0).labeled[0])
    values = anchor_values(run, 0, run.dataset.pool[index].id)
    assert len(values.detections.boxes) and files_of(run) == [f"{index}.npz"]


def test_a_run_at_random_has_values_but_no_table(copied):
    run = copied(strategy="random")
    assert anchor_values(run, 0, run.dataset.pool[0].id).discrepancy.max() > 0
    with pytest.raises(ConfigError, match="'random' does not look at images"):
        keep_anchor_values(run, 0)


# --------------------------------------------------------------------------------------- refused


def test_a_cycle_that_is_not_done_is_refused(finished):
    run = finished()
    with pytest.raises(RunFolderError, match="not scored.*\n.*\n.*run this one first"):
        keep_anchor_values(run, 1)
    with pytest.raises(RunFolderError, match="not trained yet"):
        anchor_values(run, 1, run.dataset.pool[0].id)


def test_a_run_of_other_settings_is_refused_and_writes_nothing(copied):
    run = copied()
    with pytest.raises(RunFolderError, match="another experiment; top_k: .* 0.31 now"):
        open_run(run_dir=run.folder.root, overrides={"top_k": 0.31})
    assert not run.folder.exists("cycle0/anchors")


def test_an_unknown_image_is_refused(finished):
    with pytest.raises(ConfigError, match="no image 'nobody' in the pool"):
        anchor_values(finished(), 0, "nobody")


def test_an_image_deleted_since_is_named(mixed_data, copied, tmp_path):
    run = copied()
    data = Path(shutil.copytree(mixed_data, tmp_path / "data"))
    opened = open_run(data_root=data, run_dir=run.folder.root)
    image_id = inspected_ids(opened, 0)[0]
    opened.image(image_id).image_path.unlink()
    with pytest.raises(DataError, match="cannot be read any more.*\n.*" + image_id):
        keep_anchor_values(opened, 0)
    later = open_run(data_root=data, run_dir=run.folder.root)
    with pytest.raises(DataError, match="cannot be read any more.*\n.*" + image_id):
        keep_anchor_values(later, 0)


def test_a_labeled_image_that_is_gone_moves_no_other(mixed_data, copied, tmp_path):
    """Which image has which index is noted in the run folder, not read from the list."""
    run = copied()
    data = Path(shutil.copytree(mixed_data, tmp_path / "data"))
    expected = keep_anchor_values(run, 0)
    shutil.rmtree(run.folder.path("cycle0/anchors"))
    gone = run.image(run.record.labeled(0)[0]).image_path
    (data / gone.relative_to(mixed_data)).unlink()
    later = open_run(data_root=data, run_dir=run.folder.root)
    pd.testing.assert_frame_equal(keep_anchor_values(later, 0), expected)


def test_a_cycle_without_a_pool_is_explained(finished, monkeypatch):
    run = finished()
    empty = run.folder.load_parquet("cycle0/scores.parquet").iloc[:0]
    monkeypatch.setattr(RunFolder, "load_parquet", lambda *_: empty)
    with pytest.raises(RunFolderError, match="its pool is empty"):
        inspected_ids(run, 0)


@pytest.mark.slow
def test_a_detector_with_a_background_output(copied):
    ssd = {"detector": "ssd300", "backbone_channels": 4, "uncertainty_scores": "softmax"}
    run = copied(**ssd)
    table = keep_anchor_values(run, 0)
    k = num_averaged(run.config.top_k, 8732)
    assert replay(table, k=k, budget=run.dataset.budget) == selected_ids(run)
    values = anchor_values(run, 0, table["id"][0])
    assert len(values.discrepancy) == 8732 and values.size == (300, 300)
    assert values.probs_1.shape == values.weights.shape == (MAX_DETAILS, 2)
    assert np.sort(values.discrepancy)[-k:].mean() == pytest.approx(table["score"][0], rel=1e-3)
