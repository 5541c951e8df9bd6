"""A work folder with the sets of the authors' code: from any cycle on, ours are theirs."""

import numpy as np
import pytest

from miaod_nb.authors.work_folder_import import import_work_folder
from tests.authors.work_folders import mean_ap_lines, write_work_folder
from tests.conftest import write_voc


@pytest.fixture(scope="module")
def golden(load_golden):
    return load_golden("selection.npz")


@pytest.fixture(scope="module")
def data_root(golden, tmp_path_factory):
    """Both years, with as many images as theirs."""
    root, num_07 = tmp_path_factory.mktemp("VOCdevkit"), int(golden["n07"])
    write_voc(root / "VOC2007", num_07, 2, size=(40, 32))
    write_voc(root / "VOC2012", int(golden["N"]) - num_07, 0, size=(40, 32), prefix="2008_")
    return root


def test_next_sets_are_theirs(golden, data_root, tmp_path):
    num_cycles = sum(name.endswith("/X_S") for name in golden)
    lists = {
        year[-2:]: (data_root / year / "ImageSets/Main/trainval.txt").read_text().split()
        for year in ("VOC2007", "VOC2012")
    }
    for imported in range(1, num_cycles):
        sets = [
            [golden[f"cycle{cycle}/X_{letter}"] for cycle in range(imported + 1)]
            for letter in ("L", "U")
        ]
        log = mean_ap_lines(*[0.5] * imported, seed=int(golden["seed"]))
        run = import_work_folder(
            write_work_folder(tmp_path / f"work{imported}", *sets, lists, log), preset="tiny",
            data_root=data_root, run_dir=tmp_path / f"run{imported}", overrides={"threads": 1},
        )  # fmt: skip
        for cycle in range(imported + 1):
            np.testing.assert_array_equal(run.sets(cycle).labeled, golden[f"cycle{cycle}/X_L"])
            np.testing.assert_array_equal(
                run.sets(cycle).unlabeled_sample, golden[f"cycle{cycle}/X_U"]
            )
        selected = golden[f"cycle{imported}/X_S"]
        scores = golden[f"cycle{imported}/uncertainty"][selected]
        most_wanted_first = selected[np.argsort(-scores, kind="stable")].tolist()
        before = [run.selection(cycle) for cycle in range(imported)]
        following = run.dataset.sets([*before, most_wanted_first])
        np.testing.assert_array_equal(following.labeled, golden[f"cycle{imported + 1}/X_L"])
        np.testing.assert_array_equal(
            following.unlabeled_sample, golden[f"cycle{imported + 1}/X_U"]
        )
