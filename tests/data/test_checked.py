"""Images that were decoded before are not decoded again, and nothing else changes."""

import os
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from miaod_nb.data import sources
from miaod_nb.data.checked import COLUMNS, CheckedImages
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the images that were decoded, in any order."""
    names: list[str] = []
    original = sources.check_image

    def noted(path: Path) -> sources.Measured | str:
        names.append(path.stem)
        return original(path)

    monkeypatch.setattr(sources, "check_image", noted)
    return names


def scan(root: Path, before: pd.DataFrame | None = None) -> tuple[list, dict, pd.DataFrame]:
    """Records and faults of both lists, and the table for the next start."""
    checked, faults, records = CheckedImages(root, before), FaultCounts(), []
    for list_name in ("trainval", "test"):
        records += scan_list(open_source(root), list_name, faults, checked=checked)
    return records, faults.as_dict(), checked.table


def test_an_unchanged_file_is_decoded_once(year, decoded, tmp_path):
    first = scan(year)
    assert len(decoded) == 6
    first[2].to_parquet(tmp_path / "images.parquet", index=False)
    again = scan(year, pd.read_parquet(tmp_path / "images.parquet"))
    assert len(decoded) == 6
    assert again[:2] == first[:2]
    pd.testing.assert_frame_equal(again[2], first[2])
    assert {type(record.width) for record in again[0]} == {int}
    paths = [f"JPEGImages/{number:06d}.jpg" for number in range(1, 7)]
    assert first[2]["path"].tolist() == paths
    assert list(zip(first[2]["width"], first[2]["height"], strict=True)) == 3 * [(64, 48), (48, 64)]


@pytest.mark.parametrize("change", ["content", "time", "name"])
def test_a_changed_file_is_decoded_again(year, decoded, change):
    """Its length, its time, and a file under another name: each alone is enough."""
    _, _, table = scan(year)
    decoded.clear()
    path = year / "JPEGImages/000002.jpg"
    if change == "content":
        times = path.stat().st_atime_ns, path.stat().st_mtime_ns
        Image.new("RGB", (80, 90)).save(path)
        os.utime(path, ns=times)
    elif change == "time":
        os.utime(path, ns=(0, 10**18 + 1))
    else:
        path.rename(path.with_suffix(".jpeg"))
    records, _, again = scan(year, table)
    assert decoded == ["000002"]
    expected = (80, 90) if change == "content" else (48, 64)
    assert (records[1].width, records[1].height) == expected
    assert not again.equals(table) and len(again) == 6
    decoded.clear()
    assert scan(year, again)[0] == records and decoded == []


def test_faults_are_the_same_and_looked_for_again(year, decoded):
    (year / "JPEGImages/000001.jpg").write_bytes(b"no image")
    small = year / "JPEGImages/000003.jpg"
    Image.new("RGB", (8, 8)).save(small)
    content = (year / "JPEGImages/000005.jpg").read_bytes()
    (year / "JPEGImages/000005.jpg").write_bytes(content[: len(content) // 2])
    first = scan(year)
    assert sum(found["count"] for found in first[1].values()) == 3 and len(first[0]) == 3
    decoded.clear()
    assert scan(year, first[2])[:2] == first[:2]
    assert sorted(decoded) == ["000001", "000003", "000005"]
    Image.new("RGB", (40, 50)).save(small)
    assert len(scan(year, first[2])[0]) == 4


def test_a_moved_data_folder_is_known(year, decoded, tmp_path):
    _, _, table = scan(year)
    decoded.clear()
    moved = year.rename(tmp_path / "elsewhere")
    assert len(scan(moved, table)[0]) == 6 and decoded == []


def test_an_image_that_vanishes_while_it_is_looked_up_is_counted(year, monkeypatch):
    table = scan(year)[2]
    listed = open_source(year).images("trainval", FaultCounts())
    listed[0].image_path.unlink()
    faults = FaultCounts()
    found = sources.check_images(listed, faults, CheckedImages(year, table))
    assert len(found) == 3 and faults.count("image unreadable") == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda table: pd.DataFrame({"id": ["a"]}),
        lambda table: table.drop(columns="mtime_ns"),
        lambda table: pd.concat([table, table]),
        lambda table: table.astype({"width": float}),
        lambda table: table.assign(height=-table["height"]),
        lambda table: table.astype({"bytes": str}),
        lambda table: table.iloc[:0],
    ],
)
def test_a_table_of_something_else_is_no_table(year, decoded, spoil):
    first = scan(year)
    decoded.clear()
    again = scan(year, spoil(first[2]))
    assert len(decoded) == 6 and again[:2] == first[:2]
    assert list(again[2]) == list(COLUMNS)
