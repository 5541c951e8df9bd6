"""A class that no label had at first joins with the labels of a later batch."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from miaod_nb.commands.info_run import describe_run
from miaod_nb.experiment import open_run
from miaod_nb.report import write_report
from miaod_nb.views import board, uncertainty_viewer, what_if
from tests.experiment.helpers import miaod, results, run_arguments

QUICK = {"initial": 4, "budget": 2, "cycles": 2}
SMALL = {"initial": 4, "budget": 2}
NEW = "hexagon"


def described(record) -> str:
    """What `miaod info` says, as one line."""
    return " ".join(" ".join(describe_run(record)).split())


def name_in(data: Path, image_id: str, voc_xml, name: str = NEW) -> None:
    """Gives an image one object, of that class."""
    path = data / "Annotations" / f"{image_id}.xml"
    path.write_text(voc_xml([(name, (2, 2, 40, 40)), ("disc", (30, 10, 60, 40))]))


@pytest.fixture(scope="module")
def grown(data_root, reference, tmp_path_factory):
    """The data, and a run whose second cycle met a new class in the labels of its batch."""
    from tests.conftest import voc_xml

    folder = tmp_path_factory.mktemp("grown")
    data = shutil.copytree(data_root, folder / "VOC2007")
    first, *_ = json.loads((reference / "cycle0/selection.json").read_text())["selected"]
    name_in(data, first["id"], voc_xml)
    outcome = miaod(*run_arguments(data, folder / "run", **QUICK))
    assert outcome.code == 0, outcome.err
    return data, open_run(run_dir=folder / "run"), outcome.out


def test_it_is_said_and_noted(grown):
    _, run, out = grown
    assert f"new class: '{NEW}' joins with the labels of this cycle (1 object)" in out
    record = run.record
    assert record.first_classes == record.classes_of(0) == ("disc", "square")
    assert record.classes_of(1) == record.classes == ("disc", "square", NEW)
    assert record.labels(1)["boxes"][NEW] == 1 and NEW not in record.labels(0)["boxes"]
    assert f"{NEW} (labeled from cycle 1)" in "\n".join(describe_run(record))


def test_the_detector_of_each_cycle_has_its_own_classes(grown):
    _, run, _ = grown
    assert [run.load_model(cycle).num_classes for cycle in (0, 1)] == [2, 3]


def test_metrics_say_from_which_cycle_on_a_class_counts(grown):
    _, run, _ = grown
    tables = [run.record.per_class(cycle).set_index("class") for cycle in (0, 1)]
    assert list(tables[0].index) == ["disc", "square"]
    assert tables[1]["labeled_from"].to_dict() == {"disc": 0, "square": 0, NEW: 1}
    assert np.isnan(tables[1].loc[NEW, "VOC12 AP@0.5 (area)"])  # no image to test on shows it


def test_a_run_that_is_opened_again_is_the_same_experiment(grown):
    data, run, _ = grown
    before = results(run.folder.root)
    assert miaod(*run_arguments(data, run.folder.root, **QUICK)).code == 0
    assert results(run.folder.root) == before


def test_in_two_calls_it_is_as_in_one(grown, tmp_path):
    data, run, _ = grown
    assert miaod(*run_arguments(data, tmp_path / "run", **QUICK | {"cycles": 1})).code == 0
    assert miaod(*run_arguments(data, tmp_path / "run", **QUICK)).code == 0
    names = ("cycle1/scores.parquet/part-00000.parquet", "cycle1/selection.json")
    for name in names:
        one, other = run.folder.path(name), tmp_path / "run" / name
        assert one.read_bytes() == other.read_bytes()


def test_views_and_report_show_both_cycles(grown, tmp_path):
    _, run, _ = grown
    viewer = uncertainty_viewer(run, 1, beside=[(run, 0)])
    assert viewer.message == "" and viewer.classes == ["disc", "square", NEW]
    details = [panel["details"] for panel in viewer.payload["panels"]]
    assert len(details[0]["probs_1"]) > 0
    per_class = [len(one["probs_1"]) / one["per_class"] for one in details]
    assert per_class[0] == pytest.approx(per_class[1], abs=0.1)  # the same width: three classes
    for view in (board(run, 0), board(run, 1), what_if(run, 0), what_if(run, 1)):
        assert view.message == ""
    page, *_ = write_report([run.folder.root], tmp_path / "report")
    assert f"{NEW} from cycle 1 on" in page.read_text()


def test_a_control_begins_with_the_same_classes(grown):
    _, run, _ = grown
    control = run.control("random")
    assert control.dataset.classes == ("disc", "square")


def test_a_first_cycle_has_no_detector_before_it(grown, tmp_path, capsys):
    """Full supervision meets the class at once."""
    _, run, _ = grown
    root = shutil.copytree(run.folder.root, tmp_path / "run")
    open_run(run_dir=root).control("full").advance(0, ["split"])
    out = capsys.readouterr().out
    assert f"new class: '{NEW}' joins" in out and "no detector before" not in out


def test_a_name_that_is_almost_known_is_pointed_out(grown, tmp_path, voc_xml):
    data, run, _ = grown
    other = shutil.copytree(data, tmp_path / "VOC2007")
    name_in(other, run.record.selected(0)[0], voc_xml, "disk")
    shutil.copytree(run.folder.root, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/cycle1")  # as the words say
    outcome = miaod(*run_arguments(other, tmp_path / "run", **QUICK))
    assert outcome.code == 0 and "new class: 'disk'" in outcome.out
    assert "misspelled 'disc'" in outcome.out and f"{tmp_path / 'run/cycle1'}" in outcome.out
    record = open_run(run_dir=tmp_path / "run").record
    assert record.classes == ("disc", "square", "disk") and record.near_names == {"disk": "disc"}
    assert "disk (labeled from cycle 1) (a misspelled 'disc'?)" in described(record)
    report = write_report([record.root, run.folder.root], tmp_path / "report")[1].read_text()
    assert "the class 'disk' joined with later labels and is almost called 'disc'" in report
    assert not run.record.near_names and "misspelled" not in described(run.record)
    # Two runs with classes of their own: what is common, and what differs.
    assert re.search(
        rf"Classes of all runs: disc, square; \S+ also has disk; \S+ also has {NEW}\.", report
    )


def test_where_classes_are_named_others_are_left_out(grown, tmp_path):
    data, _, _ = grown
    settings = QUICK | {"classes": "disc,square"}
    assert miaod(*run_arguments(data, tmp_path / "run", **settings)).code == 0
    record = open_run(run_dir=tmp_path / "run").record
    assert record.classes == ("disc", "square")
    assert record.exclusions(1)["object of a class left out by `classes`"]["count"] == 1


def test_it_is_compared_with_a_control_that_never_met_the_class(grown, tmp_path):
    data, run, _ = grown
    root = tmp_path / "mine"
    shutil.copytree(run.folder.root, root)
    control = open_run(run_dir=root).control("random")
    control.run()
    assert control.record.first_classes == run.record.first_classes
    outcome = miaod("curves", root, control.folder.root, "--out", tmp_path / "curves")
    assert outcome.code == 0, outcome.err


def test_test_images_may_show_it_later(grown, tmp_path, voc_xml):
    data, run, _ = grown
    other = shutil.copytree(data, tmp_path / "VOC2007")
    shutil.copytree(run.folder.root, tmp_path / "run")
    name_in(other, run.record.test[0], voc_xml)
    outcome = miaod(*run_arguments(other, tmp_path / "run", **QUICK | {"cycles": 3}))
    assert outcome.code == 0, outcome.err
    table = open_run(run_dir=tmp_path / "run").record.per_class(2).set_index("class")
    assert table.loc[NEW, "num_objects"] == 1


@pytest.mark.parametrize(("known", "new"), [("c++", "c#"), ("หมู", "หมี"), ("limit 1.5", "limit 15")])
def test_other_names_are_not_taken_for_spellings(grown, voc_xml, tmp_path, known, new):
    from miaod_nb.data.labels import Oracle
    from miaod_nb.data.records import FaultCounts

    data, run, _ = grown
    copy = shutil.copytree(data, tmp_path / "VOC2007")
    record = run.dataset.records[run.record.labeled(0)[0]]
    name_in(copy, record.id, voc_xml, new)
    source = open_run("tiny", data_root=copy, run_dir=tmp_path / "r", overrides=SMALL).sources.pool
    _, classes = Oracle(source, [record]).read_growing([record.id], [known, "disc"], FaultCounts())
    assert classes == (known, "disc", new)
