"""File names that tools make of an image's name lead back to it, or are counted."""

from pathlib import Path

import pytest

from miaod_nb.data.records import FaultCounts, ImageRecord
from miaod_nb.labeling.names import Images

IDS = ("cam1/0001", "cam2/0001", "cam2/0002", "photo (1)", "a+b", "barn.v2", "ümlaut", "plain")
RECORDS = {image_id: ImageRecord(image_id, "s", Path(f"{image_id}.jpg"), 8, 8) for image_id in IDS}


@pytest.mark.parametrize(
    ("name", "image_id"),
    [
        ("cam1/0001", "cam1/0001"),
        ("cam1/0001.jpg", "cam1/0001"),
        ("/data/batch/images/cam2/0001.png", "cam2/0001"),
        ("images\\cam2\\0002.jpg", "cam2/0002"),
        ("0002.jpg", "cam2/0002"),  # only one is called so
        ("/data/local-files/?d=out/images/photo%20%281%29.jpg", "photo (1)"),
        ("/data/upload/3/1a2b3c4d-photo_(1).jpg", "photo (1)"),
        ("1a2b3c4d__plain.jpg", "plain"),
        ("a_b.jpg", "a+b"),
        ("http://127.0.0.1:8092/data/upload/1/0badcafe-%C3%BCmlaut.jpg", "ümlaut"),
        ("barn.v2", "barn.v2"),
        ("barn.v2.jpeg", "barn.v2"),
        ("plain_jpg.rf.0123456789abcdef0123456789abcdef.jpg", "plain"),
    ],
)
def test_a_name_leads_to_its_image(name, image_id):
    faults = FaultCounts()
    assert Images(RECORDS).find(name, faults).id == image_id
    assert faults.as_dict() == {}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("0001.jpg", "file name that several images have"),
        ("nobody.jpg", "image unknown to this run"),
        ("", "image unknown to this run"),
        ("http://[", "image unknown to this run"),
    ],
)
def test_a_name_of_none_or_several_is_counted(name, reason):
    faults = FaultCounts()
    assert Images(RECORDS).find(name, faults) is None
    assert faults.count(reason) == 1
