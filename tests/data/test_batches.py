"""Batches: sizes, targets, and independence of workers, places and the global generator."""

import shutil
from dataclasses import fields

import numpy as np
import pytest
import torch

from miaod_nb.boxes import Objects
from miaod_nb.data.batches import (
    LabeledBatch,
    Sample,
    UnlabeledBatch,
    collate,
    inference_loader,
    training_loader,
)
from miaod_nb.data.images import load_image
from miaod_nb.data.labels import Oracle
from miaod_nb.data.plans import inference_plan
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.data.transforms import InputSize
from miaod_nb.errors import DataError
from miaod_nb.processes import Processes

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.25, 0.5)
SIZE = InputSize(64, 64)
HOW = {"input_size": SIZE, "mean": MEAN, "std": STD}
TRAIN = HOW | {"augmentation": "crop_flip", "seed": 0, "epoch": 0}


@pytest.fixture
def data(tmp_path, make_voc):
    """(records, records by id, objects by id) of six images, the last without objects."""
    source = open_source(make_voc(tmp_path / "VOC2007", num_trainval=6))
    records = scan_list(source, "trainval", FaultCounts())
    ids = [record.id for record in records]
    objects = Oracle(source, records).read(ids, ["square", "disc"], FaultCounts())
    return records, {record.id: record for record in records}, objects


def _sample(height: int, width: int, targets=None) -> Sample:
    return Sample("a", torch.ones(3, height, width), (height, width), targets)


# ----------------------------------------------------------------------------------------- batches


def test_collate_pads_with_zeros_to_the_largest_padded_size():
    batch = collate([_sample(40, 64), _sample(65, 30)], SIZE)
    assert batch.images.shape == (2, 3, 96, 64)
    assert batch.image_sizes == ((40, 64), (65, 30))
    assert batch.padded_sizes == ((64, 64), (96, 32))
    assert batch.images[0].sum() == 3 * 40 * 64 and batch.images[0, :, :40, :64].min() == 1
    assert len(batch) == 2


def test_images_are_pinned_and_all_else_stays(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda images: images + 1)  # needs no CUDA
    batch = collate([_sample(32, 32)], SIZE)
    pinned = batch.pin_memory()
    assert torch.equal(pinned.images, batch.images + 1) and pinned.ids == batch.ids


def test_a_part_is_padded_as_the_whole_batch():
    samples = [_sample(40, 64), _sample(65, 30)]
    whole, part = collate(samples, SIZE), collate(samples[:1], SIZE)
    wider = part.padded_to(96, 64)
    assert torch.equal(wider.images, whole.images[:1])
    assert wider.padded_sizes == part.padded_sizes == whole.padded_sizes[:1]
    assert part.padded_to(64, 64) is part


def test_processes_have_the_images_of_the_whole_batch(data):
    """Also of an image that stands in a batch twice and is augmented anew there."""
    _, by_id, objects = data
    ids = list(by_id)
    plan = [[ids[0], ids[2], ids[0], ids[4]], [ids[1], ids[3], ids[1], ids[5]]]
    whole = list(training_loader(plan, by_id, objects, **TRAIN))
    for index in range(2):
        own = training_loader(plan, by_id, objects, **TRAIN, processes=Processes(index, 2))
        for part, batch in zip(own, whole, strict=True):
            assert part.ids == batch.ids[index::2]
            part = part.padded_to(*batch.images.shape[-2:])
            assert torch.equal(part.images, batch.images[index::2])
            assert all(map(torch.equal, part.boxes, batch.boxes[index::2]))
            assert len(part) == 2


def test_unlabeled_batch_has_no_targets():
    batch = collate([_sample(32, 32)], SIZE)
    assert type(batch) is UnlabeledBatch
    assert [field.name for field in fields(batch)] == [
        "ids", "images", "image_sizes", "padded_sizes", "original_sizes",
    ]  # fmt: skip
    assert not hasattr(batch, "boxes") and not hasattr(batch, "labels")
    with pytest.raises(AttributeError):
        batch.boxes = ()


def test_labeled_batch_is_not_an_unlabeled_one():
    empty = torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
    full = (torch.ones(1, 4), torch.ones(1))
    batch = collate([_sample(32, 32, empty), _sample(32, 32, full)], SIZE)
    assert isinstance(batch, LabeledBatch) and not isinstance(batch, UnlabeledBatch)
    assert [len(boxes) for boxes in batch.boxes] == [0, 1]


def test_to_moves_images_and_targets_and_keeps_the_kind():
    targets = torch.ones(1, 4), torch.ones(1, dtype=torch.int64)
    labeled = collate([_sample(32, 64, targets)], SIZE).to("meta")
    assert isinstance(labeled, LabeledBatch)
    assert {t.device.type for t in (labeled.images, *labeled.boxes, *labeled.labels)} == {"meta"}
    unlabeled = collate([_sample(32, 64), _sample(32, 64)], SIZE).to("cpu")
    assert type(unlabeled) is UnlabeledBatch


# ----------------------------------------------------------------------------------------- loaders


def test_labeled_loader_gives_resized_images_with_their_boxes(data):
    records, by_id, objects = data
    how = TRAIN | {"input_size": InputSize(128, 128), "augmentation": "flip"}
    loader = training_loader([["000001", "000003"], ["000006"]], by_id, objects, **how)
    first, second = list(loader)
    assert len(loader) == 2 and isinstance(first, LabeledBatch)
    assert first.images.shape == (2, 3, 96, 128) and first.original_sizes == ((48, 64), (48, 64))
    for image_id, boxes, labels in zip(first.ids, first.boxes, first.labels, strict=True):
        original = torch.from_numpy(objects[image_id].boxes) * 2
        mirrored = torch.stack([128 - original[:, 2], original[:, 1],
                                128 - original[:, 0], original[:, 3]], dim=1)  # fmt: skip
        assert torch.equal(boxes, original) or torch.equal(boxes, mirrored)
        assert labels.tolist() == objects[image_id].labels.tolist()
    assert second.boxes[0].shape == (0, 4)  # the image without objects


def test_images_are_normalized(data):
    records, by_id, _ = data
    [batch] = inference_loader([[0]], records, **HOW)
    raw = load_image(records[0].image_path)[:, 7, 9] / 255
    expected = (raw - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(batch.images[0, :, 7, 9], expected)
    assert batch.images[0, :, 48:].abs().max() == 0


def test_difficult_objects_are_no_targets(data):
    _, by_id, _ = data
    boxes = np.array([[1, 2, 30, 40], [5, 5, 20, 20]], np.float32)
    objects = {"000001": Objects(boxes, np.array([0, 1]), np.array([True, False]))}
    [batch] = training_loader([["000001"]], by_id, objects, **TRAIN | {"augmentation": "flip"})
    assert batch.labels[0].tolist() == [1] and len(batch.boxes[0]) == 1


def test_unlabeled_loader_works_without_annotations(data):
    records, by_id, _ = data
    shutil.rmtree(records[0].image_path.parents[1] / "Annotations")
    loader = training_loader([[record.id for record in records]], by_id, None, **TRAIN)
    [batch] = loader
    assert type(batch) is UnlabeledBatch and len(batch) == 6


def test_inference_batch_equals_single_images(data):
    records = data[0]
    how = HOW | {"input_size": InputSize(100, 80)}
    batched = {}
    for batch in inference_loader(inference_plan(records, InputSize(100, 80), 4), records, **how):
        for index, image_id in enumerate(batch.ids):
            batched[image_id] = (batch.images[index], batch.image_sizes[index])
    for batch in inference_loader([[i] for i in range(6)], records, **how):
        image, size = batched[batch.ids[0]]
        assert torch.equal(image, batch.images[0]) and size == batch.image_sizes[0]


def _images(loader) -> list[tuple[str, torch.Tensor]]:
    return [
        (image_id, batch.images[index, :, :height, :width])
        for batch in loader
        for index, (image_id, (height, width)) in enumerate(
            zip(batch.ids, batch.image_sizes, strict=True)
        )
    ]


def test_batches_do_not_depend_on_workers_or_on_the_global_generator(data):
    _, by_id, objects = data
    plan = [["000001", "000003"], ["000002", "000006"], ["000001", "000005"]]
    alone = training_loader(plan, by_id, objects, **TRAIN)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    helped = training_loader(plan, by_id, objects, workers=2, **TRAIN)
    for one, two in zip(alone, helped, strict=True):
        assert one.ids == two.ids and torch.equal(one.images, two.images)
        assert all(torch.equal(a, b) for a, b in zip(one.boxes, two.boxes, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_augmentation_depends_on_the_image_and_not_on_its_place(data):
    _, by_id, objects = data
    here = dict(_images(training_loader([["000001", "000003"]], by_id, objects, **TRAIN)))
    there = dict(_images(training_loader([["000003"], ["000001"]], by_id, None, **TRAIN)))
    assert set(here) == set(there)
    again = dict(_images(training_loader([["000003"], ["000001"]], by_id, objects, **TRAIN)))
    assert all(torch.equal(here[image_id], again[image_id]) for image_id in here)
    later = TRAIN | {"epoch": (1,)}
    other = dict(_images(training_loader([["000001", "000003"]], by_id, objects, **later)))
    assert not all(torch.equal(here[image_id], other[image_id]) for image_id in here)


def test_an_image_that_comes_again_is_augmented_anew_and_a_late_start_agrees(data):
    _, by_id, objects = data
    plan = [["000001"], ["000001"], ["000001"]]
    images = _images(training_loader(plan, by_id, objects, **TRAIN))
    assert not all(torch.equal(images[0][1], image) for _, image in images[1:])
    late = _images(training_loader(plan, by_id, objects, start=2, **TRAIN))
    assert len(late) == 1 and torch.equal(late[0][1], images[2][1])


@pytest.mark.parametrize("workers", [0, 1])
def test_image_lost_after_the_scan_is_named(data, workers):
    records, by_id, objects = data
    records[1].image_path.write_bytes(b"")
    loader = training_loader([["000001"], ["000002"]], by_id, objects, workers=workers, **TRAIN)
    with pytest.raises(DataError) as error:
        list(loader)
    assert error.value.where == records[1].image_path
    assert "Traceback" not in str(error.value)
