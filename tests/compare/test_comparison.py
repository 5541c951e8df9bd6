"""Tables of notebook 06: what runs on the same data did differently."""

from pathlib import Path

import pandas as pd
import pytest

from miaod_nb.compare.comparison import (
    class_results,
    folders_to_compare,
    labeling_cost,
    shares_of_kinds,
)
from miaod_nb.evaluation import VOC12_AP
from miaod_nb.experiment import Run, open_run
from tests.conftest import write_voc

OVERRIDES = {"initial": 4, "budget": 2, "cycles": 2, "score_threshold": 0, "threads": 1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Finished runs of `random` (two cycles) and `full` on 12 images."""
    folder = tmp_path_factory.mktemp("comparison")
    data = write_voc(folder / "VOC2007")
    overrides = OVERRIDES | {"strategy": "random"}
    run = open_run("tiny", data_root=data, run_dir=folder / "a", overrides=overrides)
    found = [run, run.control("full")]
    for one in found:
        one.run()
    return found


def test_full_supervision_joins_when_it_was_evaluated(runs, tmp_path):
    random, full = runs
    both = [random.folder.root, full.folder.root]
    assert folders_to_compare([random]) == both == folders_to_compare(runs)
    assert folders_to_compare([random.control("entropy")]) == [Path(f"{both[0]}-entropy")]


def test_classes_stand_in_order_of_their_test_objects(runs):
    table = class_results([run.record for run in runs])
    assert len(table) == 3 * 2  # two cycles and one, two classes
    assert table["num_objects"].is_monotonic_decreasing
    per_class = pd.read_csv(runs[0].folder.path("cycle1/per_class.csv")).set_index("class")
    row = table[(table["labeled_images"] == 6) & (table["class"] == "disc")].iloc[0]
    assert row[VOC12_AP] == per_class.loc["disc", VOC12_AP] and row["strategy"] == "random"


def test_cost_counts_boxes_of_labeled_images_alone(runs):
    table = labeling_cost(runs)
    assert table["labeled_images"].tolist() == [4, 6, 12]
    folder = runs[0].data_root / "Annotations"
    for cycle, boxes in enumerate(table["labeled_boxes"][:2]):
        ids = runs[0].dataset.ids(runs[0].sets(cycle).labeled)
        assert boxes == sum((folder / f"{i}.xml").read_text().count("<object>") for i in ids)
    assert set(runs[0].dataset.oracle.opened) == set(runs[0].dataset.ids(runs[0].sets(1).labeled))


def test_kinds_are_shares_of_what_was_chosen(runs, tmp_path):
    random, full = runs
    assert shares_of_kinds(runs).empty  # the data do not say
    ids = [record.id for record in random.dataset.pool]
    chosen = {ids[index] for index in random.selection(0)}
    kinds = ["easy" if image_id in chosen else "dim" for image_id in ids]
    pd.DataFrame({"id": ids, "kind": kinds}).to_csv(random.data_root / "difficulty.csv")
    table = shares_of_kinds(runs)
    assert table.columns.tolist() == ["pool", "random"]  # full supervision chooses nothing
    assert table["random"].to_dict() == {"dim": 0.0, "easy": 1.0}
    assert table["pool"].to_dict() == pytest.approx({"dim": 10 / 12, "easy": 2 / 12})
