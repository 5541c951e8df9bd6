"""Tables of notebook 06: what runs on the same data did differently."""

import json
import shutil
from pathlib import Path

import numpy as np
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


def test_runs_of_one_strategy_with_other_settings_have_a_column_each(runs, tmp_path):
    """And seeds of one kind count together, also of a strategy that nobody here knows."""
    random, _ = runs
    ids = [record.id for record in random.dataset.pool]
    kinds = ["even" if number % 2 == 0 else "odd" for number in range(len(ids))]
    pd.DataFrame({"id": ids, "kind": kinds}).to_csv(random.data_root / "difficulty.csv")
    root = random.folder.root
    others = {
        "seed": ({"seed": 1}, {}),
        "rate": ({"learning_rate": 0.5}, {}),
        "unknown": ({"strategy": "theirs"}, {"name": "theirs", "label": "Theirs", "look": ""}),
    }
    selected = json.loads((root / "cycle0/selection.json").read_text())["selected"]
    free = [i for i in ids if i not in random.record.labeled(1)]
    for name, (settings, card) in others.items():
        copy = shutil.copytree(root, tmp_path / name)
        document = json.loads((copy / "config.json").read_text())
        document["settings"] |= settings
        document["identity"] |= settings
        document["card"] |= card
        (copy / "config.json").write_text(json.dumps(document))
        if name == "seed":  # chose other images
            indices = np.load(copy / "X_L_0.npy").tolist() + [ids.index(i) for i in free[:2]]
            np.save(copy / "X_L_1.npy", np.sort(indices))
    records = [open_run(run_dir=tmp_path / name) for name in others]
    table = shares_of_kinds([random, *records])
    rate = random.config.learning_rate
    one, other = f"random (learning_rate={rate})", "random (learning_rate=0.5)"
    assert set(table.columns) == {"pool", one, other, "Theirs"}
    kind_of = dict(zip(ids, kinds, strict=True))
    first = [kind_of[row["id"]] for row in selected]
    both = first + [kind_of[i] for i in free[:2]]
    for column, chosen in ((one, both), (other, first), ("Theirs", first)):
        assert table[column].get("even", 0.0) == pytest.approx(chosen.count("even") / len(chosen))
