"""Weight files from anywhere: read without running code that they may hold."""

import pickle
import re
import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from miaod_nb.errors import CheckpointError, nearest_path, read_fault

# What a person who trusts a file can run: it keeps the arrays and the class names, nothing else.
_AS_PLAIN_ARRAYS = (
    'import sys, torch; f = torch.load(sys.argv[1], map_location="cpu", weights_only=False); '
    'names = list((f.get("meta") or {}).get("CLASSES") or ()); state = f.get("state_dict", f); '
    "arrays = {k: v.detach() for k, v in state.items() if torch.is_tensor(v)}; "
    'torch.save({"meta": {"CLASSES": names}, "state_dict": arrays}, sys.argv[2])'
)
_BEGINNINGS = (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # archive, pickles


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What the file holds by name: arrays, numbers, texts and containers of them, on the CPU.

    Raises CheckpointError for a file that is missing, torn or no checkpoint, and for one with
    anything that reading would run as code; that is refused, never run.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's advice on foreign pickles
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError("there is no such file", where=path,
                              remedy=f"{nearest_path(path)}correct the path") from None  # fmt: skip
    except OSError as error:
        what, remedy = read_fault(error)
        raise CheckpointError(f"the file cannot be read ({what})", where=path,
                              remedy=remedy) from None  # fmt: skip
    except pickle.UnpicklingError as error:
        if not begins_as_checkpoint(path):
            raise _no_checkpoint(path) from None
        raise _holds_code(path, str(error)) from None
    except (MemoryError, torch.OutOfMemoryError):  # says nothing about the file
        raise
    except Exception as error:  # torch raises many kinds for a torn or foreign file
        raise _no_checkpoint(path) from error
    if not isinstance(content, dict):
        raise _no_checkpoint(path)
    return content


def begins_as_checkpoint(path: Path) -> bool:
    """Whether the file's first bytes are those of a weight file, or of another pickle."""
    with open(path, "rb") as file:
        return file.read(2) in _BEGINNINGS


def named_arrays(mapping: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The arrays among the values, by name."""
    return {str(key): value for key, value in mapping.items() if isinstance(value, Tensor)}


def _no_checkpoint(path: Path) -> CheckpointError:
    return CheckpointError(
        "the file is torn, or no checkpoint",
        where=path,
        remedy="copy or download it again, and compare its size with the original's",
    )


def _holds_code(path: Path, said: str) -> CheckpointError:
    found = re.search(r"GLOBAL ([\w.]+)", said)
    plain = path.with_name(f"{path.stem}-plain.pth")
    command = shlex.join(["python", "-c", _AS_PLAIN_ARRAYS, str(path), str(plain)])
    return CheckpointError(
        f"the file holds more than plain arrays ({found[1] if found else 'a foreign pickle'}): "
        "reading it would run code that stands in it, so it was not read",
        where=path,
        remedy="get the file from someone you trust; if you trust this one, rewrite it as plain "
        f"arrays and read the new file instead:\n{command}",
    )
