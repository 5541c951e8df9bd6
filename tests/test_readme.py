"""What the README shows really runs."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def test_python_example_runs(make_voc, tmp_path, monkeypatch):
    text = (PROJECT / "README.md").read_text()
    block = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]  # test_docs has the second
    make_voc(tmp_path / "path/to/VOC2007", num_trainval=40)
    monkeypatch.chdir(tmp_path)
    example = block.replace('"voc", data_root', '"tiny", data_root')  # seconds instead of minutes
    assert example != block
    names: dict = {}
    exec(compile(example, "README.md", "exec"), names)
    assert set(names["terms"]) == {"classification", "box", "image_classification"}
    assert (tmp_path / "runs/mine/metrics.csv").is_file()
    assert names["metrics"]["cycle"].tolist() == [0, 1, 2]


def test_links_lead_somewhere():
    documents = [PROJECT / "README.md", PROJECT / "data/README.md", *PROJECT.glob("docs/**/*.md")]
    for document in documents:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"
