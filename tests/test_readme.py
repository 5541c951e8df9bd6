"""What the README shows really runs."""

import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pandas as pd
import pytest
from torchvision.models.detection import retinanet_resnet50_fpn_v2 as whole

from tests.experiment.helpers import miaod
from tests.ranking.conftest import photo

PROJECT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)


def test_python_example_runs(make_voc, tmp_path, monkeypatch):
    block = BLOCKS[1]  # test_docs has the third
    make_voc(tmp_path / "path/to/VOC2007", num_trainval=40)
    monkeypatch.chdir(tmp_path)
    example = block.replace('"voc", data_root', '"tiny", data_root')  # seconds instead of minutes
    assert example != block
    names: dict = {}
    exec(compile(example, "README.md", "exec"), names)
    assert set(names["terms"]) == {"classification", "box", "image_classification"}
    assert (tmp_path / "runs/mine/metrics.csv").is_file()
    assert names["metrics"]["cycle"].tolist() == [0, 1, 2]


@pytest.mark.slow
def test_another_detector_is_ranked(tmp_path, monkeypatch):
    """As a newcomer does it, but with random weights and small photos."""
    import torch
    from torchvision.models import detection

    class Weights(NamedTuple):
        meta: dict

    weights = Weights({"categories": ["background", "dog", "cat"]})
    monkeypatch.setattr(
        detection, "RetinaNet_ResNet50_FPN_V2_Weights", SimpleNamespace(DEFAULT=weights)
    )
    monkeypatch.setattr(
        detection, "retinanet_resnet50_fpn_v2",
        lambda weights: whole(weights_backbone=None, num_classes=3, min_size=64, score_thresh=0),
    )  # fmt: skip
    for name in ("a.jpg", "below/b.jpg", "c.jpg"):
        photo(tmp_path / "photos" / name)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    exec(compile(BLOCKS[0], "README.md", "exec"), {})
    text = (PROJECT / "README.md").read_text().replace("\\\n", "")
    command, longer = re.findall(r"bin/miaod (rank [^\n#]*)", text)
    assert miaod(*shlex.split(command)).code == 0
    assert miaod(*shlex.split(longer)).code == 0
    table = pd.read_csv("boxes-ranked/ranked.csv")
    assert sorted(table["id"]) == ["a.jpg", "below/b.jpg", "c.jpg"]
    assert Path("next/rank.html").is_file()


def test_links_lead_somewhere():
    documents = [PROJECT / "README.md", PROJECT / "data/README.md", *PROJECT.glob("docs/**/*.md")]
    for document in documents:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"
