"""Work folders of the authors' code: what is read, and what is refused by which words."""

import json
import shutil

import numpy as np
import pytest

from miaod_nb.authors.work_folder import is_work_folder, read_work_folder
from miaod_nb.authors.work_log import read_work_log
from miaod_nb.errors import MiaodError, RunFolderError
from tests.authors.work_folders import mean_ap_lines, write_work_folder

LABELED = [[1, 4], [1, 2, 4, 7], [0, 1, 2, 4, 5, 7]]
SAMPLE = [[0, 6], [0, 3, 5, 6], [0, 1, 2, 3, 6, 8]]
LISTED = {"07": [f"{i:06d}" for i in range(5)], "12": [f"2008_{i:06d}" for i in range(5)]}
LOG_FILE = "20201013_154728.log.json"


@pytest.fixture
def folder(tmp_path):
    return write_work_folder(
        tmp_path / "work", LABELED, SAMPLE, LISTED, mean_ap_lines(0.25, 0.5, seed=3)
    )


def test_everything_is_read(folder):
    work = read_work_folder(folder)
    assert work.cycles == 3 and is_work_folder(folder)
    assert [indices.tolist() for indices in work.labeled] == LABELED
    assert [indices.tolist() for indices in work.unlabeled_sample] == SAMPLE
    assert work.names[1]["L"] == ("000001", "000002", "000004", "2008_000002")
    assert work.mean_ap == (0.25, 0.5) and work.log.seed == 3
    assert [record["l_imgcls"] for record in work.log.training] == [0.2, 0.2]


def test_both_spellings_of_the_lists_are_read(folder):
    before = read_work_folder(folder).names
    for path in list(folder.glob("cycle*/*.txt")):
        shutil.copy(path, path.with_name(path.name.replace("_X_", "_")))
    assert read_work_folder(folder).names == before
    for path in folder.glob("cycle*/trainval_X_*.txt"):
        path.unlink()
    assert read_work_folder(folder).names == before


def test_names_in_lists_may_hold_blanks(tmp_path):
    listed = {"07": ["my photo", "my photo 2"]}
    folder = write_work_folder(tmp_path / "work", [[0, 1]], [[1]], listed)
    assert read_work_folder(folder).names == (
        {"L": ("my photo", "my photo 2"), "U": ("my photo 2",)},
    )


def test_a_cycle_without_lists_and_a_folder_without_a_log_are_read(folder):
    shutil.rmtree(folder / "cycle2")
    (folder / LOG_FILE).unlink()
    work = read_work_folder(folder)
    assert work.names[2] == {} and work.mean_ap == () and work.log.seed is None


def test_the_only_work_folder_inside_is_taken(folder):
    assert read_work_folder(folder.parent).path == folder
    shutil.copytree(folder, folder.with_name("another"))
    assert is_work_folder(folder.parent)
    with pytest.raises(RunFolderError, match="name one of them: another, work"):
        read_work_folder(folder.parent)


# ----------------------------------------------------------------------------------------- the log


def test_a_torn_last_line_is_passed_over(folder):
    with (folder / LOG_FILE).open("a") as file:
        file.write('{"mode": "val", "epoch": 3, "mA')
    assert read_work_folder(folder).mean_ap == (0.25, 0.5)


def test_several_logs_are_read_by_name(folder):
    lines = [json.dumps(line) for line in mean_ap_lines(0.75)]
    (folder / "20201020_000000.log.json").write_text("\n".join(lines))
    assert read_work_folder(folder).mean_ap == (0.25, 0.5, 0.75)


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        ([], ()),
        ([0.1, 0.2, 0.3], (0.1, 0.2, 0.3)),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], (0.2, 0.4, 0.6)),  # two for each cycle: the last counts
        ([0.0], (0.0,)),
    ],
)
def test_each_cycle_has_its_map(tmp_path, logged, expected):
    folder = write_work_folder(tmp_path / "w", LABELED, SAMPLE, log=mean_ap_lines(*logged))
    assert read_work_folder(folder).mean_ap == expected


def test_maps_that_fit_no_cycle_are_refused(tmp_path):
    log = mean_ap_lines(0.1, 0.2, 0.3, 0.4)
    with pytest.raises(RunFolderError, match="the log has 4 mAPs for 3 cycles") as error:
        read_work_folder(write_work_folder(tmp_path / "w", LABELED, SAMPLE, log=log))
    assert "keep one line" in str(error.value)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"mode"', {"mode": "val", "mAP": 0.5}], "line 1 of the log is no JSON object"),
        (["[]", {"mode": "val", "mAP": 0.5}], "line 1 of the log is no JSON object"),
        ([{"mAP": 47.18}], "a mAP in the log is 47.18, not a number from 0 to 1"),
        (['{"mAP": NaN}'], "a mAP in the log is nan"),
        ([{"mAP": "much"}], "a mAP in the log is 'much'"),
    ],
)
def test_broken_logs_are_refused(tmp_path, lines, words):
    with pytest.raises(RunFolderError, match=words.replace("(", r"\(")) as error:
        read_work_folder(write_work_folder(tmp_path / "w", LABELED, SAMPLE, log=lines))
    assert ".log.json" in str(error.value.where)


# ---------------------------------------------------------------------------------------- refusals


def save(file, array):
    return lambda folder: np.save(folder / file, array)


def cut(file):
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:140])


def remove(file):
    return lambda folder: (folder / file).unlink()


@pytest.mark.parametrize(
    ("damage", "words", "where"),
    [
        (lambda f: [p.unlink() for p in f.glob("X_*")], "this is no work folder", "work"),
        (shutil.rmtree, "there is no such folder", "work"),
        (remove("X_L_1.npy"), "the sets of cycle 1 are missing", "X_L_1.npy"),
        (remove("X_L_0.npy"), "the sets of cycle 0 are missing", "X_L_0.npy"),
        (remove("X_U_2.npy"), "the sets of cycle 2 are missing", "X_U_2.npy"),
        (remove("X_L_2.npy"), "the sets of cycle 2 are missing", "X_L_2.npy"),
        (lambda f: [p.unlink() for p in f.glob("X_U*")], "sets of cycle 0 are missing", "X_U_0"),
        (save("X_L_1.npy", np.array([{"a": 1}, 2], dtype=object)), "Python objects", "X_L_1.npy"),
        (cut("X_L_1.npy"), "the file is broken", "X_L_1.npy"),
        (lambda f: (f / "X_U_0.npy").write_bytes(b""), "the file is broken", "X_U_0.npy"),
        (lambda f: (f / "X_U_0.npy").write_text("1 2 3"), "or no .npy file", "X_U_0.npy"),
        (save("X_L_0.npy", np.array([1.0, 4.0])), "not hold a list of indices", "X_L_0.npy"),
        (save("X_L_0.npy", np.array([[1, 4]])), "not hold a list of indices", "X_L_0.npy"),
        (save("X_L_0.npy", np.array([-1, 4])), "not hold a list of indices", "X_L_0.npy"),
        (save("X_L_0.npy", np.array([], int)), "not hold a list of indices", "X_L_0.npy"),
        (save("X_L_0.npy", np.array([4, 4])), "an index stands twice", "X_L_0.npy"),
        (save("X_L_1.npy", np.array([2, 3, 4, 7])), "1 images are labeled in cycle 0 but not in "
         "cycle 1, first index 1", "X_L_1.npy"),
        (save("X_L_1.npy", np.array([1, 4])), "cycle 0 selected no image", "X_L_1.npy"),
        (lambda f: (f / "cycle1/trainval_X_L_07.txt").write_text("000001\n"),
         "the lists of cycle 1 name 2 images, X_L_1.npy has 4", "trainval_X_L_12.txt"),
        (remove("cycle0/trainval_X_U_12.txt"), "name 1 images, X_U_0.npy has 2", "X_U_07.txt"),
    ],
)  # fmt: skip
def test_damaged_folders_are_refused(folder, damage, words, where):
    damage(folder)
    with pytest.raises(MiaodError) as error:
        read_work_folder(folder)
    assert words in error.value.what
    assert where in str(error.value.where) and error.value.remedy


def test_a_detector_evaluated_twice_counts_once(tmp_path):
    """Two mAPs without training between them are of one detector: the later one is taken."""
    train = {"mode": "train", "epoch": 1, "iter": 50, "l_det_cls": 0.5}
    maps = [{"mode": "val", "mAP": value} for value in (0.3, 0.4, 0.5)]
    lines = [train, maps[0], maps[1], train, maps[2]]
    (tmp_path / "1.log.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_work_log(tmp_path).mean_ap(3) == (0.4, 0.5)
    lines = maps  # nothing of the training was kept: one each
    (tmp_path / "1.log.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_work_log(tmp_path).mean_ap(3) == (0.3, 0.4, 0.5)
