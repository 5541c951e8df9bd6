"""Names and weights of the authors' detectors, as the reference numbers use them."""

import re
import zlib

import numpy as np
import torch

from miaod_nb.authors import reference
from miaod_nb.authors.reference import authors_key

PARTS_TRAINED = {"label": "label_set", "min": "minimize", "max": "maximize"}


def our_key(key: str) -> str:
    """Our name for one of the authors' arrays; those of a head alone lack the prefix."""
    is_whole = key.startswith(("backbone.", "neck.", "bbox_head."))
    return reference.our_key(key if is_whole else f"bbox_head.{key}")


def recipe_weight(
    key: str, shape: tuple[int, ...], seed: int, gain_cls: float, gain_reg: float, num_classes: int
):
    """The reference weight of an array; `key` in the authors' naming."""
    rs = np.random.RandomState((zlib.crc32(key.encode()) + seed) % 2**32)
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if key.endswith("running_mean"):
        value = 0.1 * rs.standard_normal(shape)
    elif key.endswith("running_var"):
        value = 0.5 + rs.random_sample(shape)
    elif re.search(r"(bn\d|downsample\.1)\.weight$", key):
        low = 0.6 if "layer1" in key or key == "backbone.bn1.weight" else 0.45
        value = low + 0.3 * rs.random_sample(shape)
    elif key.endswith("l2_norm.weight"):
        value = 20 + rs.standard_normal(shape)
    elif len(shape) == 4:
        is_ssd_head = key.startswith("bbox_head") and ".conv." not in key
        if "retina" in key or is_ssd_head:
            gain = gain_reg if "f_r_" in key else gain_cls
        else:
            gain = 1.0 if "lateral" in key or "fpn_convs" in key else np.sqrt(2)
        value = rs.standard_normal(shape) * gain / np.sqrt(shape[1] * shape[2] * shape[3])
    else:
        value = 0.05 * rs.standard_normal(shape)
        if key in ("bbox_head.f_1_retina.bias", "bbox_head.f_2_retina.bias"):
            value = value - 3
        if re.match(r"bbox_head\.f_[12]_convs\.\d+\.bias", key):  # SSD's background outputs
            value.reshape(-1, num_classes + 1)[:, num_classes] += 3
    return torch.from_numpy(np.asarray(value)).float()


def load_recipe(model: torch.nn.Module, golden) -> None:
    """Fills a detector with the reference weights of a golden file."""
    state = {
        key: recipe_weight(
            authors_key(key),
            tuple(value.shape),
            int(golden["weight_seed"]),
            float(golden["gain_cls"]),
            float(golden["gain_reg"]),
            int(golden["num_classes"]),
        )
        for key, value in model.state_dict().items()
    }
    model.load_state_dict(state)


def levels(golden, prefix: str) -> list[torch.Tensor]:
    """Arrays `<prefix>/L0`, `L1` ... of a golden file."""
    found = []
    while f"{prefix}/L{len(found)}" in golden.files:
        found.append(torch.from_numpy(golden[f"{prefix}/L{len(found)}"]))
    return found


def flat_levels(golden, prefix: str, width: int) -> torch.Tensor:
    """Raw convolution outputs (B, K * width, h, w) of all levels as (B, A, width)."""
    parts = [
        level.permute(0, 2, 3, 1).reshape(len(level), -1, width) for level in levels(golden, prefix)
    ]
    return torch.cat(parts, dim=1)


def ground_truth(golden, prefix: str = "gt"):
    """Boxes and labels of every image below `<prefix>/<j>/`."""
    boxes, labels = [], []
    while f"{prefix}/{len(boxes)}/boxes" in golden.files:
        j = len(boxes)
        boxes.append(torch.from_numpy(golden[f"{prefix}/{j}/boxes"]).float())
        labels.append(torch.from_numpy(golden[f"{prefix}/{j}/labels"]).long())
    return tuple(boxes), tuple(labels)
