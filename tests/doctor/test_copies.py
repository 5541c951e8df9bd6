"""Copies are told from what looks alike, mirrored ones and leaks are named, black frames passed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from miaod_nb.doctor.copies import (
    EQUAL,
    MIRRORED,
    SAVED_ANEW,
    copies_among,
    copy_findings,
    find_copies,
    in_both_lists,
)
from miaod_nb.doctor.examined import examine_data, examine_run
from miaod_nb.doctor.finding import Severity
from miaod_nb.doctor.looks import Look, phash
from tests.conftest import write_voc
from tests.doctor.conftest import begun, scene


def gray_16(seed: int) -> Image.Image:
    """Of 510 gray values in the middle of 65536: even, unless their own range is known."""
    deep = np.asarray(scene(seed).convert("L")).astype(np.uint16) * 2 + 30000
    return Image.fromarray(deep)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture and its copies of all kinds, two black frames, and pictures of other things."""
    first = scene(0)
    first.save(tmp_path / "a.png")
    (tmp_path / "copy.png").write_bytes((tmp_path / "a.png").read_bytes())
    first.save(tmp_path / "pixels.bmp")
    first.save(tmp_path / "saved.jpg", quality=75)
    first.resize((64, 48)).save(tmp_path / "half.png")
    first.point(lambda value: value * 0.8).save(tmp_path / "darker.png")
    gray_16(0).save(tmp_path / "twin16.png")
    first.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
    Image.new("RGB", (128, 96)).save(tmp_path / "black1.png")
    Image.new("RGB", (96, 96), (1, 1, 1)).save(tmp_path / "black2.png")
    gray_16(1).save(tmp_path / "other16-1.png")
    gray_16(2).save(tmp_path / "other16-2.png")
    return tmp_path


def test_copies_are_grouped_and_named_by_how_they_are_made(folder):
    copies = find_copies(examine_data(folder, "", False))
    assert {one.of.id for one in copies.found} == {"a"}
    assert {one.image.id: one.how for one in copies.found} == {
        "copy": EQUAL, "pixels": EQUAL, "saved": SAVED_ANEW, "half": SAVED_ANEW,
        "darker": SAVED_ANEW, "twin16": SAVED_ANEW, "mirrored": MIRRORED,
    }  # fmt: skip
    assert [one.id for one in copies.without_contrast] == ["black1", "black2"]
    assert copies.leaks == []


def test_what_is_said_of_them(folder):
    examined = examine_data(folder, "", False)
    found = copy_findings(examined, find_copies(examined))
    assert [(one.severity, one.count) for one in found] == [
        (Severity.HURTS, 2), (Severity.HURTS, 4), (Severity.NOTE, 1), (Severity.NOTE, 2),
    ]  # fmt: skip
    assert found[0].line.endswith("(equal bytes or pixels) (copy = a, pixels = a)")
    assert "mirrored" in found[2].what and "without contrast" in found[3].what


def test_other_pictures_are_no_copies_however_many(tmp_path):
    for seed in range(60):
        scene(seed).save(tmp_path / f"{seed:02}.png")
    copies = find_copies(examine_data(tmp_path, "", False))
    assert copies.found == [] and copies.without_contrast == []


def test_an_equal_hash_is_not_enough():
    """Two pictures whose low frequencies agree in sign, and little else."""
    waves = np.zeros((2, 8, 8))
    waves[0, 0, 1], waves[1, 0, 1] = 900, 30
    waves[:, 1:, 1:] = np.random.default_rng(0).normal(0, 25, (7, 7))
    waves[1, 1:, 1:] *= 12
    angles = (np.arange(32) + 0.5) * np.pi / 32
    cosines = np.cos(np.outer(np.arange(8), angles))
    smalls = [(128 + cosines.T @ one @ cosines / 16).clip(0, 255).astype(np.uint8) for one in waves]
    hashes = [phash(small) for small in smalls]
    assert (hashes[0] ^ hashes[1]).bit_count() <= 6
    looks = [Look(bytes([i]), smalls[i], hashes[i], 2**64 - 1, 30) for i in range(2)]
    records = [object(), object()]
    assert copies_among(records, looks) == ([], [])
    assert len(copies_among(records, [looks[0], looks[0]._replace(pixels=b"x")])[0]) == 1


def put(voc: Path, name: str, picture: Image.Image, **options: int) -> None:
    picture.save(voc / "JPEGImages" / f"{name}.jpg", **options)


@pytest.fixture
def leaking(voc: Path) -> Path:
    """Three of the four test images are pool images: the file, saved anew, mirrored."""
    for name in ("000001", "000003", "000005"):
        put(voc, name, scene(int(name)), quality=95)
    (voc / "JPEGImages/000013.jpg").write_bytes((voc / "JPEGImages/000001.jpg").read_bytes())
    put(voc, "000014", scene(3), quality=60)
    put(voc, "000015", scene(5).transpose(Image.Transpose.FLIP_LEFT_RIGHT), quality=95)
    return voc


def test_leaks_between_pool_and_test_list(leaking):
    examined = examine_data(leaking, "", False)
    copies = find_copies(examined)
    assert [(one.image.id, one.of.id, one.how) for one in copies.leaks] == [
        ("000013", "000001", EQUAL), ("000014", "000003", SAVED_ANEW),
        ("000015", "000005", MIRRORED),
    ]  # fmt: skip
    found = copy_findings(examined, copies)
    assert [": a leak (" in one.what for one in found] == [True] * 3
    assert {one.severity for one in found} == {Severity.HURTS}


def test_leaks_into_what_is_held_out(tmp_path):
    """Without a test list some labeled images are measured on: their copies are in the pool."""
    root = write_voc(tmp_path / "VOC2007", num_test=0)
    (root / "ImageSets/Main/test.txt").unlink()
    run_dir = begun(root, tmp_path / "run", holdout=0.5)
    held_out = sorted(examine_run(run_dir).held_out)
    other = next(one for one in ("000001", "000002", "000003") if one not in held_out)
    put(root, other, scene(0), quality=95)
    put(root, held_out[0], scene(0), quality=70)
    begun(root, tmp_path / "again", holdout=0.5)
    (leak,) = find_copies(examine_run(tmp_path / "again")).leaks
    assert (leak.image.id, leak.of.id) == (held_out[0], other)


def test_the_first_of_several_is_one_with_labels(voc):
    for name in ("000002", "000007"):
        put(voc, name, scene(0), quality=95)
    (voc / "Annotations/000002.xml").unlink()
    (copy,) = find_copies(examine_data(voc, "", False)).found
    assert (copy.image.id, copy.of.id) == ("000002", "000007")


def test_one_file_in_both_lists_stops(voc):
    with (voc / "ImageSets/Main/test.txt").open("a") as file:
        file.write("000001\n")
    examined = examine_data(voc, "", False)
    (found,) = in_both_lists(examined)
    assert found.severity is Severity.STOPS and found.examples[0].name == "000001"
    assert find_copies(examined).found == []  # it is named once


def test_many_images_are_compared_at_once():
    """Ten thousand: a comparison of all pairs one by one would not end."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 10_000).tolist()
    hashes[9_999] = hashes[17] ^ 0b101
    smalls = rng.integers(0, 256, (10_000, 32, 32), dtype=np.uint8)
    smalls[9_999] = smalls[17]
    looks = [
        Look(i.to_bytes(2), smalls[i], hashes[i], int(rng.integers(2**63)), 30)
        for i in range(10_000)
    ]
    copies, _ = copies_among(list(range(10_000)), looks)
    assert [(one.image, one.of, one.how) for one in copies] == [(9_999, 17, SAVED_ANEW)]


@pytest.mark.slow
def test_real_photos_have_no_copies(packs):
    copies = find_copies(examine_data(packs / "bccd", "", False))
    assert copies.found == [] and copies.without_contrast == []
