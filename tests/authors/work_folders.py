"""Work folders as the authors' code leaves them, for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Sets = Sequence[Sequence[int]]


def write_work_folder(
    root: Path,
    labeled: Sets,
    sample: Sets,
    listed: Mapping[str, Sequence[str]] | None = None,
    log: Sequence[Any] = (),
) -> Path:
    """`root`, filled with the index files of every cycle, one log with these lines, and, if
    `listed` gives the ids of each source in order, the id lists by the names of their code."""
    root.mkdir(parents=True)
    for letter, sets in (("L", labeled), ("U", sample)):
        for cycle, indices in enumerate(sets):
            np.save(root / f"X_{letter}_{cycle}.npy", np.array(indices, dtype=np.int64))
            for source, ids in _by_source(listed or {}, indices).items():
                path = root / f"cycle{cycle}/trainval_X_{letter}_{source}.txt"
                path.parent.mkdir(exist_ok=True)
                path.write_text("".join(f"{image_id}\n" for image_id in ids))
    lines = [line if isinstance(line, str) else json.dumps(line) for line in log]
    (root / "20201013_154728.log.json").write_text("".join(f"{line}\n" for line in lines))
    return root


def _by_source(listed: Mapping[str, Sequence[str]], indices: Sequence[int]) -> dict[str, list[str]]:
    found, start = {}, 0
    for source, ids in listed.items():
        inside = [i - start for i in indices if start <= i < start + len(ids)]
        found[source] = [ids[i] for i in inside]
        start += len(ids)
    return found


def mean_ap_lines(*values: float, seed: int = 666) -> list[dict[str, Any]]:
    """The lines of a run with these mAPs: of each, a stage's beginning, a step, and the mAP."""
    meta = {"env_info": "sys.platform: linux", "seed": seed}
    step = {"mode": "train", "epoch": 1, "iter": 50, "lr": 0.001, "memory": 2000,
            "l_det_cls": 1.1, "l_det_loc": 0.6, "l_imgcls": 0.2, "L_det": 1.9}  # fmt: skip
    val = {"mode": "val", "epoch": 3, "iter": 827, "lr": 0.0001}
    return [line for value in values for line in (meta, step, val | {"mAP": value})]
