"""A detector in a user's hands: loaded from everything that holds one, the same each time."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import miaod_nb
from miaod_nb.config import make_config
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector import DETECTORS, build_detector
from miaod_nb.errors import CheckpointError, ConfigError, DataError, RunFolderError
from miaod_nb.experiment import open_run
from miaod_nb.trained.detector import Detector
from tests.experiment.helpers import SETTINGS, miaod, run_arguments
from tests.tiny import lively_detector

CLASSES = ("disc", "square")


def make_detector(**settings: object) -> Detector:
    return Detector(lively_detector(**settings), CLASSES, make_config("tiny", settings))


def photo(path: Path, width: int = 64, height: int = 48, seed: int = 0) -> Path:
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def same_weights(one: Detector, other: Detector) -> bool:
    pairs = zip(one.model.state_dict().items(), other.model.state_dict().items(), strict=True)
    return all(a[0] == b[0] and torch.equal(a[1], b[1]) for a, b in pairs)


# ---------------------------------------------------------------------------------------- loading


def test_it_is_at_the_front_door():
    assert miaod_nb.Detector is Detector


def test_run_folder_means_its_newest_cycle(reference):
    newest, first = Detector.load(reference), Detector.load(str(reference), cycle=0)
    assert newest.classes == CLASSES and not newest.model.training
    assert same_weights(newest, Detector.load(reference, cycle=1))
    assert same_weights(newest, Detector.load(reference / "cycle1/weights.pt"))
    assert same_weights(first, Detector.load(reference / "cycle0/weights.pt"))
    assert not same_weights(newest, first)
    assert first.config == make_config("tiny", SETTINGS | {"classes": CLASSES})


def test_what_is_saved_is_loaded(tmp_path):
    detector = make_detector(top_k=5)
    detector.gray = (29625, 31250)
    detector.save(tmp_path / "new/weights.pt")
    again = Detector.load(tmp_path / "new/weights.pt")
    assert same_weights(detector, again) and again.classes == CLASSES
    assert again.gray == (29625, 31250)
    assert again.config.top_k == 5 and again.config.classes == CLASSES


def test_there_and_back_through_the_authors_format(tmp_path):
    detector = make_detector()
    detector.save_reference(tmp_path / "theirs.pth")
    for again in (
        Detector.from_reference(tmp_path / "theirs.pth"),
        Detector.load(tmp_path / "theirs.pth"),
    ):
        assert same_weights(detector, again) and again.classes == CLASSES
        assert again.config.preset == "voc0712"
        assert again.config.backbone_channels == 8 and again.config.num_levels == 3
        assert again.config.image_size == (1000, 600)  # the file does not say


@pytest.mark.parametrize(
    ("num_classes", "given", "preset", "size"),
    [(80, "", "coco", (1333, 800)), (79, "", "voc0712", (1000, 600)),
     (80, "voc0712", "voc0712", (1000, 600))],
)  # fmt: skip
def test_preset_of_a_file_of_the_authors_is_said(
    tmp_path, capsys, num_classes, given, preset, size
):
    names, config = [f"class {n}" for n in range(num_classes)], make_config("tiny")
    detector = Detector(build_detector(config, num_classes), names, config)
    detector.save_reference(tmp_path / "theirs.pth")
    again = Detector.from_reference(tmp_path / "theirs.pth", preset=given)
    assert (again.config.preset, again.config.image_size) == (preset, size)
    expected = f"theirs.pth: settings of inference from the preset {preset}, images {size[0]}x"
    assert expected in capsys.readouterr().out


def test_settings_and_names_for_a_file_of_the_authors(tmp_path):
    make_detector().save_reference(tmp_path / "theirs.pth")
    again = Detector.from_reference(
        tmp_path / "theirs.pth", ["a", "b"], {"image_size": (96, 64)}, preset="tiny"
    )
    assert again.classes == ("a", "b") and again.config.image_size == (96, 64)
    assert again.config.anchor_scale == make_config("tiny").anchor_scale


def test_inference_may_be_set_anew(reference):
    detector = Detector.load(reference, overrides={"score_threshold": 0.5})
    assert detector.config.score_threshold == 0.5
    with pytest.raises(ConfigError, match="did you mean 'nms_iou'"):
        Detector.load(reference, overrides={"nms_io": 0.5})
    with pytest.raises(CheckpointError, match="the weights are of another detector"):
        Detector.load(reference, overrides={"tower_convs": 3})


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", ["theirs.pth", "ours.pt"])
def test_weights_that_diverged(tmp_path, name):
    detector = make_detector()
    with torch.no_grad():
        detector.model.head.regressor.output.bias[0] = torch.nan
    (detector.save if name == "ours.pt" else detector.save_reference)(tmp_path / name)
    with pytest.raises(CheckpointError, match="no finite numbers, first head.regressor.output"):
        Detector.load(tmp_path / name)


def test_names_that_do_not_fit_the_file(tmp_path):
    path = tmp_path / "theirs.pth"
    make_detector().save_reference(path)
    with pytest.raises(CheckpointError, match="3 names for the file's 2 classes"):
        Detector.from_reference(path, ["a", "b", "c"])
    content = torch.load(path)
    torch.save(content["state_dict"], path)
    with pytest.raises(CheckpointError, match="does not name its 2 classes"):
        Detector.load(path)
    assert Detector.load(path, overrides={"classes": "a,b"}).classes == ("a", "b")


def test_folder_without_a_finished_cycle(reference, tmp_path):
    with pytest.raises(RunFolderError, match="there is no run in this folder"):
        Detector.load(tmp_path)
    without = shutil.ignore_patterns("weights.pt")
    begun = shutil.copytree(reference, tmp_path / "begun", ignore=without)
    with pytest.raises(RunFolderError, match="no weights of a finished cycle; no cycle is"):
        Detector.load(begun)
    with pytest.raises(RunFolderError, match="no weights of cycle 5; finished are: 0, 1"):
        Detector.load(reference, cycle=5)
    with pytest.raises(ConfigError, match="a single file has no cycle 0"):
        Detector.load(reference / "cycle0/weights.pt", cycle=0)


def test_files_that_hold_something_else(reference, tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        Detector.load(tmp_path / "missing.pt")
    with pytest.raises(CheckpointError, match="torn, or no checkpoint"):
        Detector.load(reference / "config.json")
    content = torch.load(reference / "cycle0/weights.pt")
    torch.save({"model": content["model"]}, tmp_path / "half.pt")
    with pytest.raises(CheckpointError, match="no detector of the authors' code"):
        Detector.load(tmp_path / "half.pt")
    torch.save(content | {"settings": {"preset": "tiny", "colour": 1}}, tmp_path / "newer.pt")
    with pytest.raises(CheckpointError, match="settings in the file cannot be used: unknown"):
        Detector.load(tmp_path / "newer.pt")


# ---------------------------------------------------------------------------------------- predict


def test_uncertainty_and_boxes_are_those_of_the_run(reference, data_root):
    """The score that selected an image, and the boxes that were evaluated."""
    run = open_run(run_dir=reference)
    scores = run.folder.load_parquet("cycle0/scores.parquet").set_index("id")["score"]
    records = [run.dataset.records[image_id] for image_id in scores.index]
    found = Detector.load(reference, cycle=0).predict(records)
    assert [result.record.id for result in found] == list(scores.index)
    np.testing.assert_allclose(
        [result.uncertainty for result in found], scores.to_numpy(), rtol=1e-4
    )
    assert np.ptp(scores.to_numpy()) > 0


@pytest.mark.parametrize("settings", [{}, {"weighted_selection": True}])
def test_batch_equals_single_in_the_order_asked_for(tmp_path, settings):
    detector = make_detector(score_threshold=0.0, **settings)
    paths = [photo(tmp_path / f"{i}.png", *size, seed=i)
             for i, size in enumerate([(64, 48), (48, 64), (64, 48)])]  # fmt: skip
    together = detector.predict([*paths, paths[0]])
    assert [result.record.image_path for result in together] == [*paths, paths[0]]
    for path, result in zip(paths, together, strict=False):
        (alone,) = detector.predict([str(path)])
        assert result.uncertainty == pytest.approx(alone.uncertainty, rel=1e-4) and (
            result.uncertainty > 0
        )
        found, of_one = result.detections, alone.detections
        np.testing.assert_allclose(found.scores, of_one.scores, rtol=1e-4, atol=1e-5)
        assert len(found) == 100
        width, height = result.record.width, result.record.height
        assert (found.boxes >= 0).all() and (found.boxes[:, 2] <= width + 1e-3).all()
        assert (found.boxes[:, 3] <= height + 1e-3).all()


def test_boxes_are_in_pixels_of_the_file(tmp_path):
    """Twice as large an image of the same content: boxes twice as large."""
    detector = make_detector(score_threshold=0.0)
    small = Image.open(photo(tmp_path / "small.png", 64, 64))
    small.resize((128, 128), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    one, two = detector.predict([tmp_path / "small.png", tmp_path / "large.png"])
    assert one.detections.boxes.max() <= 64 < two.detections.boxes.max() <= 128


def test_images_may_be_records_or_paths(tmp_path):
    path = photo(tmp_path / "a.png")
    record = ImageRecord("a", "somewhere", path, 64, 48)
    by_record, by_path = make_detector().predict([record, path])
    assert by_record.uncertainty == by_path.uncertainty and by_record.record is record


def test_images_of_one_id_in_two_data_sets_have_results_of_their_own(tmp_path):
    paths = [photo(tmp_path / f"{i}.png", seed=i) for i in range(2)]
    records = [ImageRecord("1", "data", p, 64, 48) for p in paths]
    detector = make_detector()
    found = detector.predict(records)
    assert [result.record for result in found] == records
    assert [r.uncertainty for r in found] == pytest.approx(
        [r.uncertainty for path in paths for r in detector.predict([path])], rel=1e-4
    )
    assert found[0].uncertainty != pytest.approx(found[1].uncertainty, rel=1e-4)


def test_damaged_files_are_named(tmp_path):
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(DataError, match="1 files cannot be used, first: image unreadable"):
        make_detector().predict([tmp_path / "x.png"])


def test_nothing_asked_for():
    assert make_detector().predict([]) == []


def test_settings_of_an_old_file_may_lack_new_fields(reference, tmp_path):
    folder = shutil.copytree(reference / "cycle0", tmp_path / "cycle0")
    content = torch.load(folder / "weights.pt")
    del content["settings"]["nms_iou"]
    torch.save(content, folder / "weights.pt")
    assert Detector.load(folder / "weights.pt").config.nms_iou == 0.5


def test_every_detector_of_ours_can_be_rebuilt(tmp_path):
    config = make_config("tiny", {"detector": "ssd300", "backbone_channels": 8})
    detector = Detector(build_detector(config, 2), CLASSES, config)
    detector.save(tmp_path / "ssd.pt")
    detector.save_reference(tmp_path / "ssd.pth")
    for name in ("ssd.pt", "ssd.pth"):
        again = Detector.load(tmp_path / name)
        assert same_weights(detector, again)
        assert again.config.image_size == (300, 300) and again.config.max_detections == 200


def test_a_detector_that_this_process_does_not_know_is_one_sentence(
    data_root, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setitem(DETECTORS, "own", DETECTORS["retinanet"])
        settings = {"detector": "own", "cycles": 1, "rounds": 0}
        assert miaod(*run_arguments(data_root, run, **settings)).code == 0
    photos, out = str(data_root / "JPEGImages"), str(tmp_path / "out")
    for command in (
        ("report", run), ("evaluate", run), ("predict", run, photos, "--out", out),
        ("run", "--run-dir", run, "--set", "cycles=2"),
    ):  # fmt: skip
        outcome = miaod(*command)
        assert outcome.code == 1 and "there is no detector 'own'" in outcome.err, command
        assert "MIAOD_PLUGINS" in outcome.err
    for verb in ("info", "review"):  # need no detector
        assert miaod(verb, run).code == 0


def test_a_maker_that_gives_no_detector_is_named(monkeypatch):
    monkeypatch.setitem(DETECTORS, "own", lambda config, num_classes: None)
    with pytest.raises(ConfigError, match="the detector 'own' fails: TypeError: it gives NoneType"):
        build_detector(make_config("tiny", {"detector": "own"}), 2)
