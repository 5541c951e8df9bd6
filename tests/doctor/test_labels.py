"""Faults of files and labels, objects that anchors miss, and classes, each found where it is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.ops import box_iou

from miaod_nb.config import make_config
from miaod_nb.data.records import UNFIT_NAME
from miaod_nb.detector import build_detector
from miaod_nb.doctor.classes import class_findings
from miaod_nb.doctor.counted import KNOWN, counted_findings
from miaod_nb.doctor.examined import Examined, examine_data, examine_run
from miaod_nb.doctor.finding import Finding, Severity, worst_first
from miaod_nb.doctor.objects import Reach, bare_detector, object_findings
from miaod_nb.doctor.sizes import size_findings
from tests.doctor.conftest import begun, scene

Annotate = Callable[..., None]


@pytest.fixture
def annotate(voc: Path, voc_xml: Callable[..., str]) -> Annotate:
    def write(name: str, *objects: tuple[str, tuple[int, ...]], size: tuple[int, int]) -> None:
        (voc / f"Annotations/{name}.xml").write_text(voc_xml(objects, *size))

    return write


def named(findings: list[Finding], words: str) -> Finding:
    """The one finding that says these words."""
    (found,) = [one for one in findings if words in one.what]
    return found


def names(found: Finding) -> list[str]:
    return [one.name for one in found.examples]


def of_objects(examined: Examined) -> list[Finding]:
    return object_findings(examined, bare_detector(examined.images.config, 2))


def audited(voc: Path) -> Examined:
    return examine_data(voc, "", True)


# ------------------------------------------------------------------------------- files and boxes


def test_broken_files(voc):
    path = voc / "JPEGImages/000003.jpg"
    path.write_bytes(path.read_bytes()[:900])
    (voc / "JPEGImages/000004.jpg").write_bytes(b"no image")
    (voc / "JPEGImages/000014.jpg").unlink()
    found = counted_findings(examine_data(voc, "", False))
    assert names(named(found, "truncated")) == ["000003"]
    assert names(named(found, "unreadable")) == ["000004"]
    assert names(named(found, "missing")) == ["000014"]
    assert {one.severity for one in found} == {Severity.HURTS}


def test_faulty_boxes_are_shown_where_they_are(voc, annotate):
    good = ("disc", (11, 11, 30, 30))
    annotate("000001", good, ("disc", (50, 30, 90, 40)), size=(64, 48))
    annotate("000003", good, ("disc", (80, 10, 95, 20)), size=(64, 48))
    annotate("000005", good, ("disc", (40, 40, 20, 20)), size=(64, 48))
    annotate("000007", good, ("disc", (20, 20, 20, 30)), good, size=(64, 48))
    found = counted_findings(audited(voc))
    for words, name, box in (
        ("clipped", "000001", (49, 29, 89, 39)), ("outside", "000003", (79, 9, 94, 19)),
        ("inverted", "000005", (39, 39, 19, 19)), ("than a pixel", "000007", (19, 19, 19, 29)),
    ):  # fmt: skip
        one = named(found, words)
        assert names(one) == [name] and list(one.examples[0].boxes) == [box]
        assert one.count == 1
    assert names(named(found, "exact duplicate")) == ["000007"]


def test_reasons_that_tell_how_something_was_read_are_no_fault(voc):
    Image.new("RGBA", (64, 48), (200, 30, 30, 40)).save(voc / "JPEGImages/000001.png")
    (voc / "JPEGImages/000001.jpg").unlink()
    found = named(counted_findings(examine_data(voc, "", False)), "laid on white")
    assert found.severity is Severity.NOTE and names(found) == ["000001"]


def test_labels_are_read_as_the_run_reads_them(voc, tmp_path):
    from_0 = examine_run(begun(voc, tmp_path / "run", voc_pixels_from=0))
    from_1 = examine_run(begun(voc, tmp_path / "other"))
    sides = [
        {one.record.id: one.raw[0].box for one in examined.labels.images or () if one.raw}
        for examined in (from_0, from_1)
    ]
    assert sides[0].keys() == sides[1].keys() and sides[0]
    for image_id, box in sides[0].items():
        assert box == tuple(side + 1 for side in sides[1][image_id])


def test_what_only_looks_like_a_way_of_reading_is_told_from_it(voc):
    examined = examine_data(voc, "", False)
    for reason in (
        UNFIT_NAME,
        "annotation whose name several images have",
        "annotation with several boxes in one object, each taken for an object",
    ):
        examined.images.faults.add(reason, "a")  # fmt: skip
    left_out, unused, read = counted_findings(examined)
    assert left_out.severity is unused.severity is Severity.HURTS
    assert read.severity is Severity.NOTE and "size" not in read.remedy


def test_every_known_reason_has_a_remedy():
    assert all(remedy and severity < Severity.STOPS for severity, remedy in KNOWN.values())


# --------------------------------------------------------------------------- what may be read


def test_labels_of_a_data_set_stay_closed(voc):
    for path in (voc / "Annotations").iterdir():
        path.write_text("<torn")
    examined = examine_data(voc, "", False)
    assert examined.labels.images is None and counted_findings(examined) == []
    assert of_objects(examined) == [] and class_findings(examined) == []
    assert named(counted_findings(audited(voc)), "malformed").count == 16


def test_of_a_run_the_labels_that_it_knows_are_read_alone(voc, tmp_path):
    run_dir = begun(voc, tmp_path / "run")
    known = {one.record.id for one in examine_run(run_dir).labels.images}
    pool = {f"{number:06d}" for number in range(1, 13)}
    assert len(known & pool) == 4 and len(known - pool) == 4
    for name in pool - known:
        (voc / f"Annotations/{name}.xml").write_text("<torn")
    again = examine_run(run_dir)
    assert counted_findings(again) == counted_findings(examine_run(run_dir))
    assert again.refusal is None and not any("malformed" in o.what for o in counted_findings(again))


def test_a_run_that_cannot_begin_says_why(voc, tmp_path):
    run_dir = begun(voc, tmp_path / "run")
    for path in (voc / "Annotations").iterdir():
        path.unlink()
    examined = examine_run(run_dir)
    assert "no label to begin with" in str(examined.refusal)
    assert len(examined.images.pool) == 12 and examined.labels.images == []
    assert named(counted_findings(examined), "annotation missing").count == 8  # of 4 and the test


def test_a_run_whose_image_is_gone_says_so(voc, tmp_path, reference, data_root):
    run_dir = tmp_path / "run"
    shutil.copytree(reference, run_dir)
    described = (run_dir / "config.json").read_text()
    (run_dir / "config.json").write_text(described.replace(str(data_root), str(voc)))
    assert examine_run(run_dir).refusal is None
    (voc / "JPEGImages/000002.jpg").unlink()
    examined = examine_run(run_dir)
    assert "000002" in str(examined.refusal) and examined.labels.images
    assert len(examined.images.pool) == 11


# ------------------------------------------------------------------------------------- anchors


def test_objects_that_anchors_miss_are_those_of_the_matching_rule(voc, annotate):
    """By hand: at 64 px the tiny detector has square anchors of 32 px and more every 8 px."""
    annotate("000001", ("disc", (9, 9, 40, 40)), ("disc", (31, 21, 34, 24)), size=(64, 48))
    annotate("000003", ("disc", (1, 20, 64, 23)), size=(64, 48))
    config = make_config("tiny")
    examined = audited(voc)
    reach = Reach(config, build_detector(config, 2))
    by_id = {one.record.id: one for one in examined.labels.images}
    assert reach.smallest == pytest.approx(32) and reach.largest == pytest.approx(128)
    missed = reach.missed(by_id["000001"])
    assert missed["smaller"].tolist() == [1]
    assert missed["larger"].tolist() == missed["another"].tolist() == []


def test_missed_objects_have_no_anchor_of_enough_overlap(voc):
    """Against anchors made for the image by the whole detector, for every object."""
    config = make_config("tiny")
    model = build_detector(config, 2)
    reach = Reach(config, model)
    for one in audited(voc).labels.images:
        height, width = (one.record.height + 31) // 32 * 32, (one.record.width + 31) // 32 * 32
        grid = model(torch.zeros(1, 3, height, width)).grid  # 64 px is the size as it is
        best = box_iou(torch.from_numpy(one.objects.boxes), grid.boxes).amax(dim=1)
        missed = sorted(place for places in reach.missed(one).values() for place in places.tolist())
        assert missed == torch.nonzero(best < 0.5).flatten().tolist()


def test_small_objects_and_thin_ones_are_findings(voc, annotate):
    before = of_objects(audited(voc))
    annotate("000001", *[("disc", (4 * i + 1, 5, 4 * i + 3, 7)) for i in range(12)], size=(64, 48))
    annotate("000003", ("disc", (1, 20, 64, 21)), size=(64, 48))
    found = of_objects(audited(voc))
    small, thin = named(found, "too small"), named(found, "longer than wide")
    assert small.severity is Severity.HURTS and small.count >= 12
    assert names(small)[0] == "000001" and len(small.examples[0].boxes) == 12
    # 2 px (VOC's numbers: 4 to 6) of 64 are 10 at the preset's 320; the smallest anchor has 32.
    assert "3.2 times, and half of them" in small.remedy
    assert names(thin) == ["000003"] and thin.count == 1
    assert not any("longer than wide" in one.what for one in before)


# ------------------------------------------------------------------------------------- classes


def test_classes_without_enough_labels(voc, annotate):
    annotate("000001", ("rare", (11, 11, 30, 30)), size=(64, 48))
    annotate("000013", ("tested", (11, 11, 30, 30)), size=(64, 48))
    found = class_findings(audited(voc))
    assert names(named(found, "without a label")) == ["tested"]
    assert "rare" in names(named(found, "fewer than 10"))
    assert names(named(found, "no test image")) == ["rare"]


def test_names_that_may_mean_one_class(voc, annotate):
    annotate("000001", ("Disc", (11, 11, 30, 30)), ("squares", (11, 11, 30, 30)), size=(64, 48))
    found = class_findings(audited(voc))
    assert names(named(found, "another spelling")) == ["Disc / disc"]
    assert named(found, "another spelling").severity is Severity.HURTS
    assert names(named(found, "almost called")) == ["square / squares"]


def test_different_names_are_not_taken_for_one(voc):
    assert not any("called" in one.what for one in class_findings(audited(voc)))


# --------------------------------------------------------------------------------------- sizes


def test_sizes_and_shapes_that_stand_out(voc):
    assert size_findings(examine_data(voc, "", False)) == []
    scene(0, (1400, 1300)).save(voc / "JPEGImages/000001.jpg")
    scene(0, (400, 40)).save(voc / "JPEGImages/000003.jpg")
    found = size_findings(examine_data(voc, "", False))
    assert names(named(found, "times larger")) == ["000001"]
    assert names(named(found, "longer than wide")) == ["000003"]
    assert names(named(found, "makes 4 times smaller")) == ["000001"]
    for name in range(2, 17):
        scene(name, (900, 800)).save(voc / f"JPEGImages/{name:06d}.jpg")
    scene(0, (64, 48)).save(voc / "JPEGImages/000001.jpg")
    found = size_findings(examine_data(voc, "", False))
    assert names(named(found, "times smaller than the others")) == ["000001"]


def test_the_worst_stands_first():
    kinds = [Finding(severity, "x", 1, "y") for severity in (0, 2, 1, 2)]
    assert [one.severity for one in worst_first(kinds)] == [2, 2, 1, 0]
