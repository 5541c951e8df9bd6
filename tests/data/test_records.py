"""Faults, counted by reason."""

import json

from miaod_nb.data.records import FaultCounts


def test_faults_are_counted_with_few_examples():
    first, second = FaultCounts(), FaultCounts()
    for number in range(9):
        first.add("box smaller than a pixel", f"image{number}")
    second.add("box smaller than a pixel", "image1", n=2)
    second.add("inverted box", "image7")
    first.merge(second)
    assert first.count("box smaller than a pixel") == 11
    assert first.count("never met") == 0
    assert first.as_dict()["box smaller than a pixel"]["examples"] == [
        f"image{i}" for i in range(5)
    ]
    assert json.loads(json.dumps(first.as_dict())) == first.as_dict()
    assert first.lines() == [
        "11 x box smaller than a pixel (image0, image1, image2, image3, image4, ...)",
        "1 x inverted box (image7)",
    ]
    assert second.count("box smaller than a pixel") == 2  # merging leaves the other as it was
