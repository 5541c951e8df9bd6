"""Labels of the pool are opened only when their image was selected."""

import functools
import json
import shutil
import sys
from pathlib import Path

import numpy as np

from tests.experiment.helpers import miaod, results, run_arguments, run_child


def ids_of(data_root: Path, name: str) -> list[str]:
    return (data_root / f"ImageSets/Main/{name}.txt").read_text().split()


def test_run_knows_nothing_of_labels_that_were_not_asked_for(data_root, reference, tmp_path):
    """Without any other label in the folder, and with each cycle's labels put there only when the
    cycle before has asked for them, the results are the same."""
    data = shutil.copytree(data_root, tmp_path / "VOC2007")
    shutil.rmtree(data / "Annotations")
    (data / "Annotations").mkdir()
    pool = ids_of(data, "trainval")
    asked_for = [*ids_of(data, "test"), *(pool[i] for i in np.load(reference / "X_L_0.npy"))]
    for cycle in range(2):
        for image_id in asked_for:
            shutil.copy(data_root / f"Annotations/{image_id}.xml", data / "Annotations")
        assert miaod(*run_arguments(data, tmp_path / "run", cycles=cycle + 1)).code == 0
        selection = json.loads((tmp_path / f"run/cycle{cycle}/selection.json").read_text())
        asked_for = [one["id"] for one in selection["selected"]]
    assert len(list((data / "Annotations").iterdir())) == 4 + 4 + 2  # test, first, one selection
    assert results(tmp_path / "run") == results(reference)


def note_opened_labels(run_dir: Path, notes: Path) -> None:
    """Notes every annotation that this process opens, with the number of selections made."""
    file = notes.open("w", buffering=1)

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and "/Annotations/" in str(arguments[0]):
            selections = len(list(run_dir.glob("cycle*/selection.json")))
            file.write(f"{Path(str(arguments[0])).stem} {selections}\n")

    sys.addaudithook(note)


def test_every_opened_label_belongs_to_a_labeled_image(data_root, reference, tmp_path):
    notes = tmp_path / "notes.txt"
    prepare = functools.partial(note_opened_labels, tmp_path / "run", notes)
    arguments = run_arguments(data_root, tmp_path / "run")
    assert run_child(arguments, tmp_path / "output.txt", prepare=prepare) == 0
    opened: dict[int, set[str]] = {0: set(), 1: set()}
    for line in notes.read_text().splitlines():
        image_id, selections = line.split()
        opened[int(selections)].add(image_id)  # none is opened after the second selection
    pool = ids_of(data_root, "trainval")
    labeled = [{pool[i] for i in np.load(reference / f"X_L_{cycle}.npy")} for cycle in range(2)]
    assert opened == {0: labeled[0] | set(ids_of(data_root, "test")), 1: labeled[1]}


def without_pool_labels(data_root, reference, folder):
    """A copy of the data in which only the first labeled images and the test images have labels,
    and the two images that the first cycle selects."""
    data = shutil.copytree(data_root, folder / "VOC2007")
    pool = ids_of(data, "trainval")
    labeled = [pool[i] for i in np.load(reference / "X_L_0.npy")]
    for image_id in set(pool) - set(labeled):
        (data / f"Annotations/{image_id}.xml").unlink()
    arguments = run_arguments(data, folder / "run", training="label_set", cycles=1)
    assert miaod(*arguments).code == 0
    selection = json.loads((folder / "run/cycle0/selection.json").read_text())["selected"]
    return data, [one["id"] for one in selection]


def test_missing_label_is_counted_when_its_image_is_selected(data_root, reference, tmp_path):
    """A pool without annotations is normal; a selected image without one is left out."""
    data, (first, second) = without_pool_labels(data_root, reference, tmp_path)
    shutil.copy(data_root / f"Annotations/{first}.xml", data / "Annotations")
    outcome = miaod(*run_arguments(data, tmp_path / "run", training="label_set"))
    assert outcome.code == 0
    assert "5 of 12 images are labeled, 5 train" in outcome.out
    exclusions = json.loads((tmp_path / "run/cycle1/exclusions.json").read_text())
    assert exclusions["annotation missing"] == {"count": 1, "examples": [second]}
    metrics = json.loads((tmp_path / "run/cycle1/metrics.json").read_text())["about"]
    assert (metrics["labeled_images"], metrics["trained_images"]) == (5, 5)
    assert metrics["labeled_percent"] == round(100 * 5 / 12, 2)


def test_selection_without_any_label_waits_for_them(data_root, reference, tmp_path):
    data, selected = without_pool_labels(data_root, reference, tmp_path)
    arguments = run_arguments(data, tmp_path / "run", training="label_set")
    outcome = miaod(*arguments)
    assert outcome.code == 1
    assert "none of the 2 images that cycle 0 selected has a usable annotation" in outcome.err
    assert "selection.json" in outcome.err and "run the same command again" in outcome.err
    for image_id in selected:
        shutil.copy(data_root / f"Annotations/{image_id}.xml", data / "Annotations")
    assert miaod(*arguments).code == 0
    metrics = json.loads((tmp_path / "run/cycle1/metrics.json").read_text())["about"]
    assert (metrics["labeled_images"], metrics["trained_images"]) == (6, 6)
