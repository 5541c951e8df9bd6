"""Controls of a run on data that people label as they go."""

import shutil
from pathlib import Path

import pytest

from miaod_nb.experiment import open_run
from miaod_nb.experiment.together import run_all
from tests.experiment.helpers import SETTINGS
from tests.experiment.test_first_labels import CHOSEN, QUICK, keep_labels

OVERRIDES = SETTINGS | QUICK | {"cycles": 2}


@pytest.mark.parametrize("threads", [1, 0], ids=["beside", "one after the other"])
def test_they_begin_as_the_run_did_and_go_as_far_as_there_are_labels(
    data_root: Path, tmp_path: Path, capsys, threads
):
    data = shutil.copytree(data_root, tmp_path / "data")
    keep_labels(data, CHOSEN)
    overrides = OVERRIDES | {"threads": threads, "cycles": 1}
    run = open_run("tiny", data_root=data, run_dir=tmp_path / "run", overrides=overrides)
    run.run()
    for image_id in run.record.selected(0):
        shutil.copy(data_root / f"Annotations/{image_id}.xml", data / "Annotations")
    run = open_run(run_dir=tmp_path / "run", overrides={"cycles": 2})
    run.run()
    control = run.control("entropy")
    run_all([run, control])
    again = open_run(run_dir=control.folder.root)
    assert again.record.labeled(0) == run.record.labeled(0) and len(CHOSEN) == 5
    assert again.record.test == run.record.test and 0 in set(again.metrics()["cycle"])
    drawn = {path.stem for path in (data / "Annotations").glob("*.xml")}
    if not drawn & set(again.record.selected(0)):
        assert "run-entropy goes no further: none of the 2 images" in capsys.readouterr().out
