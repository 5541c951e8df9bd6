"""Checkpoints of the authors' code: every array finds its place, and bad files are refused."""

import pickle
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from miaod_nb.authors.reference import (
    authors_key,
    our_key,
    read_reference,
    to_reference_arrays,
)
from miaod_nb.config import make_config
from miaod_nb.detector import build_detector
from miaod_nb.errors import CheckpointError
from tests.tiny import tiny_detector

CLASSES = ("square", "disc")


class Payload:
    """Writes a file when it is unpickled, as a malicious checkpoint would."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "executed")


def theirs_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return to_reference_arrays(model.state_dict())


@pytest.fixture
def saved(tmp_path):
    """`saved(state, **meta)`: the path of a checkpoint as their training writes it."""

    def save(state: dict, **meta: object) -> Path:
        path = tmp_path / "epoch_3.pth"
        torch.save({"meta": {"CLASSES": CLASSES} | meta, "state_dict": state}, path)
        return path

    return save


@pytest.fixture
def theirs():
    return theirs_of(tiny_detector())


# -------------------------------------------------------------------------------------- the names


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.layer3.5.bn2.running_var", "backbone.layer3.5.bn2.running_var"),
        ("neck.lateral_convs.2.conv.bias", "fpn.inner_blocks.2.0.bias"),
        ("neck.fpn_convs.2.conv.weight", "fpn.layer_blocks.2.0.weight"),
        ("neck.fpn_convs.3.conv.weight", "fpn.extra_blocks.convs.0.weight"),
        ("bbox_head.f_mil_convs.3.conv.bias", "head.mil_classifier.convs.6.bias"),
        ("bbox_head.f_r_retina.weight", "head.regressor.output.weight"),
        ("bbox_head.f_1_convs.5.bias", "head.classifier_1.5.bias"),
        ("backbone.l2_norm.weight", "backbone.l2_norm.weight"),
    ],
)
def test_names(theirs, ours):
    assert our_key(theirs) == ours and authors_key(ours) == theirs


@pytest.mark.parametrize("levels", [3, 7])
def test_round_trip_is_the_identity(levels):
    arrays = tiny_detector(num_levels=levels, tower_convs=8).state_dict()
    assert [our_key(key) for key in to_reference_arrays(arrays)] == list(arrays)


def test_no_export_of_backbones_that_they_never_had():
    arrays = tiny_detector(backbone="efficientnet_lite0", backbone_channels=64).state_dict()
    with pytest.raises(CheckpointError, match=r"no place for \d+ \(backbone\.body.*, \.\.\.\)"):
        to_reference_arrays(arrays)


# ----------------------------------------------------------------------------- what the file says


@pytest.mark.parametrize(
    ("num_classes", "settings"),
    [
        (1, {}),
        (2, {"backbone": "resnet34", "num_levels": 4, "tower_channels": 8, "tower_convs": 2}),
        (7, {"backbone": "resnet50", "fpn_channels": 12, "scales_per_octave": 3}),
        (3, {"backbone": "resnet101", "backbone_channels": 4, "num_levels": 5}),
    ],
)
def test_any_class_count_and_depth(saved, num_classes, settings):
    model = tiny_detector(num_classes, **settings)
    found = read_reference(saved(theirs_of(model), CLASSES=None))
    assert found.num_classes == num_classes and found.classes is None
    config = make_config("tiny", found.settings)
    assert config == make_config("tiny", settings)
    again = build_detector(config, num_classes, seed=1)
    again.load_state_dict(found.arrays)
    assert all(torch.equal(a, b) for a, b in zip(
        model.state_dict().values(), again.state_dict().values(), strict=True
    ))  # fmt: skip


def test_without_convolutions_the_towers_have_no_width(saved):
    found = read_reference(saved(theirs_of(tiny_detector(tower_convs=0))))
    assert found.settings["tower_convs"] == 0 and "tower_channels" not in found.settings


@pytest.mark.parametrize(
    ("names", "read"), [(["square", "disc"], CLASSES), ("disc", ("disc",)), ((), None)]
)
def test_class_names(saved, theirs, names, read):
    assert read_reference(saved(theirs, CLASSES=names)).classes == read


def test_bare_arrays_of_a_model_on_several_devices(tmp_path, theirs):
    torch.save({f"module.{key}": value for key, value in theirs.items()}, tmp_path / "bare.pth")
    found = read_reference(tmp_path / "bare.pth")
    assert found.classes is None
    assert to_reference_arrays(found.arrays).keys() == theirs.keys()


def test_counters_of_batches_may_be_missing(saved, theirs):
    without = {key: v for key, v in theirs.items() if not key.endswith("num_batches_tracked")}
    assert len(without) < len(theirs)
    arrays = read_reference(saved(without)).arrays
    assert arrays.keys() == tiny_detector().state_dict().keys()
    assert arrays["backbone.bn1.num_batches_tracked"] == 0


# ---------------------------------------------------------------------------------- what does not


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_reference(path)
    assert str(path) in str(caught.value) and "what to do" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "key",
    ["backbone.conv1.weight", "backbone.layer4.1.bn2.running_mean", "neck.fpn_convs.0.conv.weight",
     "neck.lateral_convs.2.conv.bias", "bbox_head.f_1_convs.0.conv.weight",
     "bbox_head.f_1_retina.weight", "bbox_head.f_mil_retina.bias", "bbox_head.f_r_retina.weight"],
)  # fmt: skip
def test_missing_array_is_named(saved, theirs, key):
    del theirs[key]
    assert key in refusal(saved(theirs))


def test_ten_of_many_are_named_with_their_number(saved, theirs):
    left_over = {f"rpn_head.convs.{i}": torch.zeros(1) for i in range(12)}
    del theirs["neck.fpn_convs.1.conv.bias"]
    text = refusal(saved(theirs | left_over))
    assert "missing: 1 (neck.fpn_convs.1.conv.bias); left over: 12 (rpn_head.convs.0, " in text
    assert "rpn_head.convs.9, ...)" in text and "rpn_head.convs.10" not in text


def test_array_of_another_shape(saved, theirs):
    theirs["bbox_head.f_2_retina.bias"] = torch.zeros(5)
    assert "bbox_head.f_2_retina.bias (5,) instead of (6,)" in refusal(saved(theirs))


@pytest.mark.parametrize(
    ("key", "outputs", "words"),
    [
        ("bbox_head.f_1_retina.weight", 7, "7 outputs, which is no multiple of the 3 anchors"),
        ("bbox_head.f_r_retina.weight", 7, "7 outputs, not four for each anchor"),
        ("bbox_head.f_r_retina.weight", 8, "2 anchors a cell are no multiple"),
    ],
)
def test_outputs_that_no_anchors_give(saved, theirs, key, outputs, words):
    theirs[key] = torch.zeros(outputs, 16, 3, 3)
    assert words in refusal(saved(theirs))


def test_depth_that_is_none_of_the_known(saved, theirs):
    deeper = {
        key.replace("layer4.1", "layer4.2"): v for key, v in theirs.items() if "layer4.1" in key
    }
    text = refusal(saved(theirs | deeper))
    assert "(2, 2, 2, 3) basic blocks is not among resnet18, resnet34" in text


def test_another_architecture(saved):
    state = {f"layer1.0.conv{i}.weight": torch.zeros(1) for i in range(11)}
    text = refusal(saved(state))
    assert "no detector of the authors' code" in text and "but 11 (layer1.0.conv0.weight, " in text


@pytest.mark.parametrize("content", [{}, {"state_dict": None}, {"meta": {}, "state_dict": {1: 2}}])
def test_no_array_at_all(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    assert "no array at all" in refusal(tmp_path / "x.pth")


@pytest.mark.parametrize("size", [0, 10, 1000, -1])
def test_torn_file(saved, theirs, size):
    path = saved(theirs)
    path.write_bytes(path.read_bytes()[:size])
    assert "the file is torn, or no checkpoint" in refusal(path)


@pytest.mark.parametrize("content", [b"hello", b"\xff\xd8\xff\xe0JFIF", b"\n" * 50, b"\x80\x05"])
def test_no_checkpoint(tmp_path, content):
    (tmp_path / "x.pth").write_bytes(content)
    assert "the file is torn, or no checkpoint" in refusal(tmp_path / "x.pth")


def test_no_file(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "x.pth")
    assert "cannot be read (Is a directory)" in refusal(tmp_path)


# ------------------------------------------------------------------------------- files with code


@pytest.mark.parametrize("write", [torch.save, lambda c, path: path.write_bytes(pickle.dumps(c))])
def test_code_in_a_file_is_not_run(tmp_path, theirs, write):
    path, mark = tmp_path / "evil.pth", tmp_path / "mark"
    write({"meta": {"CLASSES": Payload(mark)}, "state_dict": theirs}, path)
    assert "reading it would run code" in refusal(path)
    assert not mark.exists()
    torch.load(path, weights_only=False) if write is torch.save else pickle.loads(path.read_bytes())
    assert mark.read_text() == "executed"  # the payload works: only our reader kept it from running


def test_a_trusted_file_can_be_rewritten_with_the_command_of_the_error(saved, theirs):
    path = saved(theirs, environment=Path("somewhere"))  # harmless, but no plain array
    command = shlex.split(refusal(path).splitlines()[-1])
    assert command[0] == "python"
    subprocess.run([sys.executable, *command[1:]], check=True, cwd=path.parent)
    found = read_reference(path.with_name("epoch_3-plain.pth"))
    assert found.classes == CLASSES and len(found.arrays) == len(theirs)
