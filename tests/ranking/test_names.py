"""What files of boxes call images, and which image of the folder they mean by it."""

import math
import unicodedata

import pytest

from miaod_nb import rank
from miaod_nb.errors import DataError
from tests.ranking.conftest import chosen, entries_of, photo, table_of


@pytest.mark.parametrize("spelled", ["{0:06d}", "{0}", "{0:06d}.jpg", "{1}/{0:06d}.jpg", 0])
def test_images_are_found_in_every_spelling(tmp_path, spelled, write):
    folder = tmp_path / "photos"
    for number in (7, 12):
        photo(folder / f"{number:06d}.jpg")
    entries = entries_of(table_of({"x": [0.5], "y": [0.9]}))
    for entry, number in zip(entries, (12, 7), strict=True):
        entry["image_id"] = spelled.format(number, folder) if spelled else number
    table = rank(write(entries), images=folder, budget=1)
    assert chosen(table) == ["000012.jpg"] and table["boxes"].tolist() == [1, 1]


def test_files_of_two_folders_are_not_one_image(photos, write):
    """Images of the same name in train and val, of which only one folder is given."""
    entries = entries_of(table_of({"train/a.jpg": [0.5], "val/a.jpg": [0.9]}))
    for number, entry in enumerate(entries):
        entry |= {"image_id": number, "file_name": entry["image_id"]}
    with pytest.raises(DataError, match="'train/a.jpg' and 'val/a.jpg' might both mean a.jpg"):
        rank(write(entries), images=photos, budget=1)
    for folder in ("train", "val"):
        photo(photos / folder / "a.jpg")
    assert chosen(rank(write(entries), images=photos, budget=1)) == ["train/a.jpg"]


def test_names_that_two_images_have(photos):
    photo(photos / "below/b.jpg")
    with pytest.raises(DataError, match=r"'b': (below/)?b.jpg and (below/)?b.jpg"):
        rank(table_of({"a": [0.5], "b": [0.9], "c": [0.5]}), images=photos, budget=1)
    table = rank(table_of({"below/b": [0.5], "b": [0.9]}), images=photos, budget=1)
    assert chosen(table) == ["below/b.jpg"]


@pytest.mark.parametrize("called", ["7", 7])
def test_numbers_that_two_images_have(tmp_path, called):
    photo(tmp_path / "photos/007.jpg")
    photo(tmp_path / "photos/below/07.jpg")
    with pytest.raises(DataError, match="two images of the list might be meant by '?7'?: 007.jpg"):
        rank(table_of().assign(image=called), images=tmp_path / "photos", budget=1)
    exact = rank(table_of({"007": [0.5]}), images=tmp_path / "photos", budget=1)
    assert chosen(exact) == ["007.jpg"]


@pytest.mark.parametrize("folder", ["/data/of/another/machine/", "./", "C:\\photos\\", "s3://x/"])
def test_paths_of_another_machine(photos, capsys, folder):
    table = table_of()
    table["image"] = folder + table["image"]
    assert chosen(rank(table, images=photos, budget=1)) == ["b.jpg"]
    assert "calls images by the ends of their paths" in capsys.readouterr().out
    table.loc[0, "image"] = "/val/b.jpg"  # of another image than the other b.jpg
    with pytest.raises(DataError, match="none of the 4 boxes lies in an image of the folder"):
        rank(table, images=photos, budget=1)


@pytest.mark.parametrize("folder", ["elsewhere/", "C:\\photos\\"])
def test_file_names_hold_before_ids(photos, write, folder):
    entries = entries_of(table_of())
    for number, entry in enumerate(entries):
        entry |= {"image_id": number, "file_name": folder + entry["image_id"]}
    assert chosen(rank(write(entries), images=photos, budget=1)) == ["b.jpg"]
    for entry in entries:
        entry["file_name"] += ".png"
    with pytest.raises(DataError) as error:
        rank(write(entries), images=photos, budget=1)
    assert f"the file says {folder + 'a.jpg.png'!r}" in str(error.value)


@pytest.mark.parametrize("folder", ["/data/photos/", "photos/"])
def test_paths_of_another_machine_with_folders(tmp_path, folder):
    for name in ("1.jpg", "x/1.jpg", "y/1.jpg"):
        photo(tmp_path / "photos" / name)
    table = table_of({folder + "1.jpg": [0.5], folder + "y/1.jpg": [0.5] * 2})
    counts = rank(table, images=tmp_path / "photos", budget=1).set_index("id")["boxes"]
    assert counts.to_dict() == {"1.jpg": 1, "x/1.jpg": 0, "y/1.jpg": 2}


@pytest.mark.parametrize(("form", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_umlauts_are_spelled_in_two_ways(photos, form, other):
    photo(photos / unicodedata.normalize(form, "süß/ö.jpg"))
    for name in ("süß/ö.jpg", "ö.jpg", "ö"):
        table = table_of({unicodedata.normalize(other, name): [0.5]})
        assert rank(table, images=photos, budget=1)["boxes"].sum() == 1


def test_file_names_of_some_rows(photos):
    table = table_of().assign(file_name=[None, math.nan, "c.jpg", ""])
    assert rank(table, images=photos, budget=4).set_index("id")["boxes"].to_dict() == {
        "a.jpg": 1, "b.jpg": 1, "c.jpg": 2, "d.jpg": 0,
    }  # fmt: skip
