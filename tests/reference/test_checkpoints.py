"""Files of the authors' code, read as their users have them, give the authors' outputs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from miaod_nb.authors.reference import authors_key, our_key, read_reference, to_reference_arrays
from miaod_nb.data.batches import UnlabeledBatch
from miaod_nb.detector.detections import ImageDetections
from miaod_nb.passes.inference import detect_with_uncertainty
from miaod_nb.trained.detector import Detector

from .authors import flat_levels, recipe_weight
from .test_heads import assert_same_detections
from .test_whole_detector import SLOW, assert_close, size

KEY_LISTS = {"det_r50full": "retinanet_r50_C", "det_ssd300full": "ssd300_C"}


def whole_shapes(goldens: Path, name: str) -> tuple[int, dict[str, list[int]]]:
    """The number of classes and the shapes of every array of their full detector."""
    listed = json.loads((goldens / "full_key_list.json").read_text())
    start = KEY_LISTS[name]
    (key,) = (key for key in listed if key.startswith(start) and key[-1].isdigit())
    return int(key.removeprefix(start)), listed[key]


def write_by_recipe(goldens: Path, golden, name: str, path: Path) -> Path:
    """A checkpoint as their training writes it, with the weights of the recipe."""
    listed_classes, shapes = whole_shapes(goldens, name)
    num_classes, background = int(golden["num_classes"]), "ssd" in name
    state = {}
    for key, shape in shapes.items():
        if key.startswith(("bbox_head.f_1", "bbox_head.f_2", "bbox_head.f_mil")) and (
            "retina" in key or background
        ):
            per_cell = shape[0] // (listed_classes + background)
            shape = [per_cell * (num_classes + background), *shape[1:]]
        state[key] = recipe_weight(
            key, tuple(shape), int(golden["weight_seed"]), float(golden["gain_cls"]),
            float(golden["gain_reg"]), num_classes,
        )  # fmt: skip
    names = [f"class {i}" for i in range(num_classes)]
    torch.save({"meta": {"epoch": 3, "CLASSES": names}, "state_dict": state}, path)
    return path


@pytest.fixture(params=["det_r50narrow", *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)])
def name(request):
    return request.param


@pytest.fixture
def golden(load_golden, name):
    return load_golden(f"{name}.npz")


@pytest.fixture
def checkpoint(goldens, golden, name, tmp_path):
    if (goldens / f"{name}.pth").is_file():
        return goldens / f"{name}.pth"
    return write_by_recipe(goldens, golden, name, tmp_path / "epoch_3.pth")


@pytest.fixture
def detector(checkpoint):
    return Detector.from_reference(checkpoint, device="cpu")


@torch.no_grad()
def test_outputs(detector, golden, name):
    assert detector.model.num_classes == len(detector.classes) == int(golden["num_classes"])
    predictions = detector.model(torch.from_numpy(golden["image"]))
    outputs = {"logits_1": "y_head_f_1", "logits_2": "y_head_f_2", "box_deltas": "y_head_f_r"}
    for field, key in outputs.items():
        output = getattr(predictions, field)
        assert_close(output, flat_levels(golden, key, output.shape[-1]))


@torch.no_grad()
def test_detections_and_uncertainty(detector, golden):
    """As `predict` has them, with the settings that come with the file."""
    height, width = size(golden, "img_shape")
    scale_x, scale_y = golden["scale_factor"][:2].tolist()
    for j, image in enumerate(torch.from_numpy(golden["image"])):
        batch = UnlabeledBatch(
            ("0",), image[None], ((height, width),), (size(golden, "pad_shape"),),
            ((height / scale_y, width / scale_x),),
        )  # fmt: skip
        for key in (key for key in golden.files if key.startswith("uncertainty_k")):
            config = detector.config.model_copy(update={"top_k": float(key.rpartition("_k")[2])})
            result = detect_with_uncertainty(detector.model, batch, config)
            expected = torch.tensor(golden[key][j])
            torch.testing.assert_close(result["uncertainty"][0], expected, rtol=1e-5, atol=1e-9)
        found = ImageDetections(*(result[name][0] for name in ("boxes", "scores", "labels")))
        assert_same_detections(found, golden, f"det/{j}")


def test_the_file_says_its_architecture(checkpoint, detector, name):
    found = read_reference(checkpoint)
    content = torch.load(checkpoint, weights_only=True)
    assert found.classes == tuple(content["meta"]["CLASSES"]) == detector.classes
    arrays = content["state_dict"]
    if "ssd" in name:
        width = len(arrays["backbone.features.0.bias"])
        assert found.settings == {
            "detector": "ssd300", "backbone": "vgg16", "backbone_channels": width
        }  # fmt: skip
        assert detector.config.score_threshold == 0.02 and detector.config.nms_iou == 0.45
    else:
        assert found.settings["backbone"] == "resnet50" and found.settings["num_levels"] == 5
        assert found.settings["backbone_channels"] == len(arrays["backbone.bn1.bias"])
        assert found.settings["fpn_channels"] == len(arrays["neck.fpn_convs.0.conv.bias"])
        assert detector.config.image_size == (1000, 600) and detector.config.top_k == 10000


def test_what_goes_back_is_what_came(checkpoint, detector, tmp_path):
    came = torch.load(checkpoint, weights_only=True)
    detector.save_reference(tmp_path / "back.pth")
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    assert back["state_dict"].keys() == came["state_dict"].keys()
    for key, value in came["state_dict"].items():
        assert torch.equal(back["state_dict"][key], value), key
    assert tuple(back["meta"]["CLASSES"]) == tuple(came["meta"]["CLASSES"])


@pytest.mark.parametrize("full", KEY_LISTS)
def test_round_trip_of_every_name(goldens, full):
    _, shapes = whole_shapes(goldens, full)
    ours = {our_key(key): torch.zeros(1) for key in shapes}
    assert len(ours) == len(shapes)
    assert list(to_reference_arrays(ours)) == list(shapes) == [authors_key(key) for key in ours]
    assert not any(key.startswith(("neck", "bbox_head")) for key in ours)


def test_predictions_of_an_image_file(goldens, packs, tmp_path):
    """From a released file to boxes on a photo, through the front door."""
    detector = Detector.load(
        goldens / "det_r50narrow.pth", device="cpu", overrides={"image_size": (320, 320)}
    )
    folder = next(packs.rglob("JPEGImages"))
    (result,) = detector.predict([sorted(folder.iterdir())[0]])
    assert np.isfinite(result.uncertainty) and result.uncertainty > 0
    found = result.detections
    assert len(found) <= 100 and (found.scores > 0.05).all()
