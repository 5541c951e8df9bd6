"""An experiment of the authors' code goes on here: with their sets, and then as if it were ours."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from miaod_nb.authors.work_folder_export import export_run
from miaod_nb.authors.work_folder_import import import_work_folder
from miaod_nb.errors import ConfigError, DataError, MiaodError, RunFolderError
from miaod_nb.evaluation import VOC07_AP
from miaod_nb.experiment import Run, open_run
from miaod_nb.runs.files import RunFolder
from tests.authors.work_folders import mean_ap_lines, write_work_folder
from tests.experiment.helpers import SETTINGS, miaod, results

LABELED = [[1, 4, 7, 9], [0, 1, 4, 7, 9, 11], [0, 1, 3, 4, 5, 7, 9, 11]]
SAMPLE = [[2, 5, 8, 10], [2, 3, 5, 6, 8, 10], [1, 2, 4, 6, 7, 8, 9, 10]]
OVERRIDES = {"threads": 1, "device": "cpu"}


def listed(data_root: Path) -> list[str]:
    return (data_root / "ImageSets/Main/trainval.txt").read_text().split()


@pytest.fixture
def work(tmp_path, data_root):
    """A work folder of three cycles, of which two were evaluated."""
    return write_work_folder(
        tmp_path / "work", LABELED, SAMPLE, {"07": listed(data_root)}, mean_ap_lines(0.25, 0.5)
    )


@pytest.fixture
def imported(work, data_root, tmp_path) -> Run:
    return import_work_folder(
        work, preset="tiny", data_root=data_root, run_dir=tmp_path / "run", overrides=OVERRIDES
    )


def test_sets_of_every_cycle_are_theirs(imported):
    assert imported.first_cycle == 2
    for cycle in range(3):
        sets = imported.sets(cycle)
        assert sets.labeled.tolist() == LABELED[cycle] == sets.trained.tolist()
        assert sets.unlabeled_sample.tolist() == SAMPLE[cycle]


def test_finished_cycles_stand_in_the_run_folder(imported, data_root):
    folder, ids = imported.folder, listed(data_root)
    for cycle in (0, 1):
        assert folder.load_npy(f"X_L_{cycle}.npy").tolist() == LABELED[cycle]
        names = folder.load_text(f"cycle{cycle}/trainval_U_07.txt").split()
        assert names == [ids[index] for index in SAMPLE[cycle]]
        chosen = folder.load_json(f"cycle{cycle}/selection.json")["selected"]
        expected = sorted(set(LABELED[cycle + 1]) - set(LABELED[cycle]))
        assert [row["index"] for row in chosen] == expected
        assert [row["id"] for row in chosen] == [ids[index] for index in expected]
        assert {row["score"] for row in chosen} == {None}
        assert all("selected by the authors' code" in row["reason"] for row in chosen)
        assert folder.done_steps(cycle) == [step.name for step in imported.steps(cycle)]
    assert not folder.exists("X_L_2.npy") and folder.done_steps(2) == []
    table = pd.read_csv(folder.path("metrics.csv"))
    assert table["labeled_images"].tolist() == [4, 6]
    assert table[VOC07_AP].tolist() == [0.25, 0.5]
    assert table["evaluated_on"].str.contains("authors' code").all()


def test_settings_are_read_from_the_folder(imported):
    config = imported.config
    assert (config.initial, config.budget, config.cycles) == (4, 2, 3)
    assert (config.seed, config.split_seed) == (666, 666)


def test_settings_that_agree_stay_those_of_the_preset(tmp_path, make_voc):
    """`tiny` begins with a tenth and adds a twentieth; an override of a seed is kept."""
    data_root = make_voc(tmp_path / "VOC2007", num_trainval=20)
    work = write_work_folder(tmp_path / "w", [[0, 1], [0, 1, 2]], [[3, 4], [5, 6, 7]])
    overrides = OVERRIDES | {"seed": 5}
    run = import_work_folder(
        work, preset="tiny", data_root=data_root, run_dir=tmp_path / "run", overrides=overrides
    )
    assert (run.config.initial, run.config.budget) == (0.1, 0.05)
    assert (run.config.cycles, run.config.seed, run.config.split_seed) == (2, 5, 0)


def test_a_second_import_changes_nothing(imported, work, data_root):
    before = results(imported.folder.root)
    import_work_folder(
        work, preset="tiny", data_root=data_root, run_dir=imported.folder.root, overrides=OVERRIDES
    )
    assert results(imported.folder.root) == before


def test_the_run_folder_alone_is_enough_to_go_on(imported):
    again = open_run(run_dir=imported.folder.root)
    assert again.fingerprint == imported.fingerprint and again.first_cycle == 2
    assert again.sets(2).unlabeled_sample.tolist() == SAMPLE[2]


def test_controls_begin_with_the_same_sets_and_choose_themselves(imported):
    control = imported.control("random")
    assert control.first_cycle == 0
    assert control.sets(0).labeled.tolist() == LABELED[0]
    assert control.sets(0).unlabeled_sample.tolist() == SAMPLE[0]
    with control.hold():
        pass
    again = open_run(run_dir=control.folder.root)
    assert again.fingerprint == control.fingerprint != imported.fingerprint
    assert imported.control("full").sets(0).labeled.tolist() == list(range(12))


def test_without_a_test_list_their_first_images_are_held_out(work, data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    (data / "ImageSets/Main/test.txt").unlink()
    run = import_work_folder(
        work, preset="tiny", data_root=data, run_dir=tmp_path / "run",
        overrides=OVERRIDES | {"holdout": 0.5},
    )  # fmt: skip
    held_out = run.dataset.held_out.tolist()
    assert len(held_out) == 2 and set(held_out) <= set(LABELED[0])
    assert run.control("full").dataset.held_out.tolist() == held_out
    assert run.sets(2).trained.tolist() == sorted(set(LABELED[2]) - set(held_out))


def test_images_that_cannot_be_used_shift_no_index(data_root, tmp_path):
    """Theirs count every listed image, ours the usable ones: names tell."""
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    ids = listed(data)
    (data / f"JPEGImages/{ids[2]}.jpg").write_bytes(b"torn")
    (data / f"JPEGImages/{ids[6]}.jpg").unlink()
    sets = [[0, 1, 4, 7], [0, 1, 3, 4, 7, 11]]
    work = write_work_folder(tmp_path / "w", sets, [[3, 5, 8, 9], [5, 8, 9, 10, 0, 1]])
    run = import_work_folder(
        work, preset="tiny", data_root=data, run_dir=tmp_path / "run", overrides=OVERRIDES
    )
    for cycle in (0, 1):
        assert run.dataset.ids(run.sets(cycle).labeled) == [ids[index] for index in sets[cycle]]
    assert run.sets(0).labeled.tolist() == [0, 1, 3, 5]

    refused = write_work_folder(tmp_path / "r", [[0, 2]], [[4, 6]])
    with pytest.raises(DataError, match="2 images of the imported sets cannot be used") as error:
        import_work_folder(refused, preset="tiny", data_root=data, run_dir=tmp_path / "other")
    assert ids[2] in str(error.value) and "restore these images" in str(error.value)
    assert not (tmp_path / "other").exists()


def test_our_run_exported_and_imported_goes_on_as_it_did(reference, data_root, tmp_path):
    """Cycle 1 is trained again, from the same sets with the same seed: weights, scores and the
    selection are those of the run that nothing interrupted."""
    export_run(RunFolder(reference), tmp_path / "work")
    settings = {"overrides": SETTINGS, "data_root": data_root, "run_dir": tmp_path / "run"}
    imported = import_work_folder(tmp_path / "work", preset="tiny", **settings)
    assert imported.first_cycle == 1
    outcome = miaod("run", "--run-dir", tmp_path / "run")
    assert outcome.code == 0 and "cycle 0: " not in outcome.out, outcome
    ours, theirs = results(reference), results(tmp_path / "run")
    files = [f for f in ours if f.startswith("cycle1/") or f.startswith(("X_L", "X_U"))]
    assert {"cycle1/weights.pt", "cycle1/selection.json", "X_U_1.npy"} <= set(files)
    assert {file: theirs[file] for file in files} == {file: ours[file] for file in files}
    before, after = (
        {row["index"] for row in found["cycle0/selection.json"]["selected"]}
        for found in (ours, theirs)
    )
    assert before == after
    values = [pd.read_csv(run / "metrics.csv")[VOC07_AP] for run in (reference, tmp_path / "run")]
    np.testing.assert_array_equal(*values)


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("sets", "names", "words"),
    [
        ([[1, 12]], None, "index 12 is out of range: the lists of this data set name 12 images"),
        ([[1, 4]], {"07": [f"999{i:03d}" for i in range(12)]}, "the L lists name 2 images that the "
         "data set does not have, first 999001"),
        ([[1, 4]], "moved", "index 1 is 000002 in this data set, which the L lists of cycle 0 do "
         "not name"),
    ],
)  # fmt: skip
def test_sets_of_another_data_set_are_refused(tmp_path, data_root, sets, names, words):
    if names == "moved":
        names = {"07": listed(data_root)[1:] + ["000001"]}
    work = write_work_folder(tmp_path / "w", sets, [[2, 3]], names)
    with pytest.raises(DataError) as error:
        import_work_folder(work, preset="tiny", data_root=data_root, run_dir=tmp_path / "run")
    assert words in error.value.what and "data_root" in error.value.remedy
    assert str(work) in str(error.value.where)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "error", "words"),
    [
        ({"initial": 3}, ConfigError, "initial = 3, but X_L_0.npy has 4 images"),
        ({"cycles": 2}, ConfigError, "cycles = 2, but the work folder has 3 already"),
        ({"strategy": "full"}, ConfigError, "strategy=full has nothing to go on with"),
        ({"train_list": "train"}, DataError, "there is no image list 'train'"),
        ({"sed": 1}, ConfigError, "unknown setting 'sed'"),
    ],
)
def test_settings_that_contradict_the_folder_are_refused(
    work, data_root, tmp_path, overrides, error, words
):
    with pytest.raises(error, match=words):
        import_work_folder(
            work, preset="tiny", data_root=data_root, run_dir=tmp_path / "r", overrides=overrides
        )
    assert not (tmp_path / "r").exists()


def test_folder_without_voc_lists_is_refused(work, tmp_path):
    with pytest.raises(DataError, match="there is no image list 'trainval'"):
        import_work_folder(work, data_root=tmp_path, run_dir=tmp_path / "run")


def test_other_sets_do_not_enter_the_run_folder(imported, data_root, tmp_path):
    other = write_work_folder(tmp_path / "other", LABELED, SAMPLE[::-1], log=mean_ap_lines(0.1))
    before = results(imported.folder.root)
    with pytest.raises(RunFolderError, match="another experiment; imported: 3 there, 3 now"):
        import_work_folder(
            other, preset="tiny", data_root=data_root, run_dir=imported.folder.root,
            overrides=OVERRIDES,
        )  # fmt: skip
    assert results(imported.folder.root) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "imported: 3 there, 0 now"),
        ('{"cycles": [{"labeled": ["000001"]}]}', "does not describe what it should"),
        ("[]", "does not describe what it should"),
        ('{"cycles": [', "the file is broken"),
    ],
)
def test_damaged_note_of_the_sets_is_refused(imported, text, words):
    path = imported.folder.path("imported.json")
    path.unlink()
    if text is not None:
        path.write_text(text)
    outcome = miaod("run", "--run-dir", imported.folder.root)
    assert outcome.code == 1 and words in outcome.err and "Traceback" not in outcome.err


def test_imported_cycles_have_no_detector_and_no_training(imported):
    for ask in (lambda: imported.load_model(1), lambda: imported.advance(0, ["label_set"])):
        with pytest.raises(ConfigError, match="was imported") as error:
            ask()
        assert "choose cycle=2" in str(error.value)
    imported.advance(1, ["split"])


def test_import_that_was_cut_off_is_done_again(imported, work, data_root):
    before, folder = results(imported.folder.root), imported.folder
    folder.save_json("cycle1/steps.json", ["split"])
    for file in ("cycle1/selection.json", "cycle1/metrics.json", "metrics.csv"):
        folder.delete(file)
    outcome = miaod("run", "--run-dir", folder.root)
    assert outcome.code == 1 and "import the work folder again" in outcome.err
    import_work_folder(
        work, preset="tiny", data_root=data_root, run_dir=folder.root, overrides=OVERRIDES
    )
    after = results(folder.root)
    assert after.pop("log.jsonl") and before.pop("log.jsonl")  # of the same events, in any order
    assert after == before


def test_selected_images_need_labels_as_ever(work, data_root, tmp_path):
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    for index in (0, 11):
        (data / f"Annotations/{listed(data)[index]}.xml").unlink()
    with pytest.raises(MiaodError, match="none of the 2 images that cycle 0 selected"):
        import_work_folder(
            work, preset="tiny", data_root=data, run_dir=tmp_path / "run", overrides=OVERRIDES
        )
