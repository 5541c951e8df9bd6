"""Weight files of backbones: read without running code, loaded whole or not at all."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from miaod_nb.errors import CheckpointError


def read_weights(path: Path) -> dict[str, Tensor]:
    """The arrays of a weight file by name: what torch.save wrote, or a .safetensors. Raises
    CheckpointError."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(
            "the backbone's weight file does not exist",
            where=f"backbone_weights = {path}",
            remedy="give the path of a file, imagenet, or none",
        ) from None
    except Exception as error:  # torch raises many kinds for a damaged or foreign file
        raise _unusable(path, "is damaged, or holds more than plain arrays") from error
    if isinstance(state, dict):
        state = state.get("state_dict", state)
    if not isinstance(state, dict):
        raise _unusable(path, "holds no arrays by name")
    return {str(key): value for key, value in state.items() if isinstance(value, Tensor)}


def _unusable(path: Path, fault: str) -> CheckpointError:
    return CheckpointError(
        f"the backbone's weight file {fault}",
        where=f"backbone_weights = {path}",
        remedy="give a file that torch.save wrote of the backbone's state_dict()",
    )


def load_weights(module: nn.Module, state: dict[str, Tensor], origin: str) -> None:
    """Loads what the module has and insists that all of it is there, and no more of its layers:
    only a classifier head is extra."""
    arrays = module.state_dict()
    # The counters of BatchNorms are never used, and torchvision's files lack them.
    own = [key for key in arrays if not key.endswith("num_batches_tracked")]
    wrong = [key for key in own if key not in state or state[key].shape != arrays[key].shape]
    layers = {name for name, _ in module.named_children()}
    surplus = [key for key in state if key.split(".")[0] in layers and key not in arrays]
    if wrong or surplus:
        raise CheckpointError(
            f"the weights do not fit the backbone: {len(wrong)} of {len(own)} arrays are missing "
            f"or of another shape and {len(surplus)} have no place, first {[*wrong, *surplus][0]}",
            where=f"backbone_weights = {origin}",
            remedy="check `backbone` and the file",
        )
    module.load_state_dict({key: state[key] for key in own})
