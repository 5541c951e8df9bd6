"""torchvision's RetinaNet, as trained on COCO: its arrays under our names."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor
from torchvision.models.detection import RetinaNet_ResNet50_FPN_Weights

from miaod_nb.detector.start import Start

NORM_EPS = 1e-5  # of our BatchNorms
# The published file of the first version begins with this SHA-256; its BatchNorms have eps 0.
WITHOUT_EPS = "eeacb38b"
VOC_NAMES = {
    "airplane": "aeroplane", "dining table": "diningtable", "motorcycle": "motorbike",
    "potted plant": "pottedplant", "couch": "sofa", "tv": "tvmonitor",
}  # fmt: skip
ANCHORS = {"anchor_scale": 4.0, "scales_per_octave": 3, "anchor_ratios": [0.5, 1.0, 2.0]}
_LOGITS = "head.classification_head.cls_logits"
_CLASSIFIERS = ("classifier_1", "classifier_2", "mil_classifier")


def is_torchvisions(arrays: Mapping[str, Tensor]) -> bool:
    """Whether a file's arrays are a RetinaNet of torchvision."""
    return f"{_LOGITS}.weight" in arrays


def torchvision_start(arrays: Mapping[str, Tensor], digest: str) -> Start:
    """What of torchvision's RetinaNet means the same in ours. digest: of the file.

    Equal are the ResNet, P3 to P5, the anchors (torchvision rounds their sides to whole pixels),
    their order in a cell, and what box outputs mean. `retinanet_resnet50_fpn` makes P6 of P5, ours
    of C5 as `_v2` does; in both a ReLU stands before P7, here none. The towers of `_v2` have a
    GroupNorm behind each convolution, ours none.
    """
    found = {
        key.replace("backbone.body.", "backbone."): array
        for key, array in arrays.items() if key.startswith("backbone.body.")
    }  # fmt: skip
    if digest.startswith(WITHOUT_EPS):
        _take_in_eps(found)
    fpn = "backbone.fpn."
    found |= {
        key.removeprefix("backbone."): array
        for key, array in arrays.items()
        if key.startswith((f"{fpn}inner_blocks.", f"{fpn}layer_blocks."))
    }
    anew = {
        "fpn.extra_blocks.": "levels from P6 on, which it makes otherwise",
        "head.mil_classifier.output.": "MIL outputs, which it lacks",
        "head.classifier_2.output.": "outputs of classifier 2, as equal classifiers never disagree",
    }
    if "head.regression_head.conv.0.1.weight" in arrays:  # the second version
        p6 = {kind: arrays[f"{fpn}extra_blocks.p6.{kind}"] for kind in ("weight", "bias")}
        found |= {f"fpn.extra_blocks.convs.0.{kind}": array for kind, array in p6.items()}
        anew = {
            **{f"fpn.extra_blocks.convs.{i}.": "levels from P7 on, which it makes otherwise"
               for i in range(1, 5)},
            "head.": "all towers, whose GroupNorm ours lack",
        }  # fmt: skip
        return Start("torchvision's RetinaNet (v2)", found, {}, 0, {"backbone": "resnet50"}, anew)
    for theirs, towers in (("classification", _CLASSIFIERS), ("regression", ("regressor",))):
        for key, array in _tower(arrays, theirs).items():
            found |= {f"head.{tower}.convs.{key}": array for tower in towers}
    for kind in ("weight", "bias"):
        found[f"head.regressor.output.{kind}"] = arrays[f"head.regression_head.bbox_reg.{kind}"]
        found[f"head.classifier_1.output.{kind}"] = arrays[f"{_LOGITS}.{kind}"]
    per_cell = len(arrays["head.regression_head.bbox_reg.bias"]) // 4
    outputs = len(arrays[f"{_LOGITS}.bias"]) // per_cell
    settings = {"backbone": "resnet50", **ANCHORS}
    return Start("torchvision's RetinaNet", found, _places(outputs), outputs, settings, anew)


def _tower(arrays: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """The convolutions of a tower by their places in ours, every second of which is a ReLU:
    `conv.1.0.weight` or, in older files, `conv.2.weight` is `2.weight`."""
    found = {}
    for key, array in arrays.items():
        new = re.fullmatch(rf"head\.{kind}_head\.conv\.(\d+)\.0\.(\w+)", key)
        old = re.fullmatch(rf"head\.{kind}_head\.conv\.(\d+)\.(\w+)", key)
        if match := new or old:
            found[f"{int(match[1]) * (2 if new else 1)}.{match[2]}"] = array
    return found


def _places(outputs: int) -> dict[str, int]:
    """COCO's and VOC's names of the classes, and which output each has; {} for other classes."""
    names = RetinaNet_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    if outputs != len(names):
        return {}
    places = {name: i for i, name in enumerate(names) if name not in ("__background__", "N/A")}
    return places | {VOC_NAMES[name]: i for name, i in places.items() if name in VOC_NAMES}


def _take_in_eps(arrays: dict[str, Tensor]) -> None:
    """Changes the scale of BatchNorms that divide by sqrt(variance), so that those of ours, which
    add `NORM_EPS` to it, give the same."""
    for key, variance in arrays.items():
        if key.endswith(".running_var"):
            weight = key.replace(".running_var", ".weight")
            factor = ((variance + NORM_EPS) / variance).sqrt()
            arrays[weight] = arrays[weight] * torch.where(variance > 0, factor, 1)
