"""Memory, disk and machine: what is short or does not work together is found, and nothing else."""

from collections import namedtuple

import pytest
import torch
import torchvision

from miaod_nb.bench.steps import Shape
from miaod_nb.config import make_config
from miaod_nb.data.records import ImageRecord
from miaod_nb.detector import build_detector
from miaod_nb.doctor import machine, needs
from miaod_nb.doctor.finding import Severity
from miaod_nb.doctor.needs import Needs, need_findings, needs_of

CPU = torch.device("cpu")
CONFIG = make_config("tiny")


def pool(count: int) -> list[ImageRecord]:
    return [ImageRecord(str(i), "x", None, 100, 50) for i in range(count)]  # type: ignore[arg-type]


def test_memory_grows_with_the_batch_and_disk_with_the_cycles():
    model = build_detector(CONFIG, 2)
    found = {
        size: needs_of(make_config("tiny", {"batch_size": size}), model, pool(3), 2)
        for size in (2, 4, 8)
    }
    step = found[4].memory - found[2].memory
    assert found[8].memory - found[2].memory == 3 * step > 10**6 / 2
    weights = sum(one.numel() * one.element_size() for one in model.state_dict().values())
    assert needs_of(CONFIG, model, pool(3), 12).disk - found[2].disk == 10 * weights
    assert found[2].cache == 3 * 3 * 100 * 50
    assert needs_of(CONFIG, model, pool(10**5), 2).cache == 1024 * 2**20


def test_what_a_step_keeps_is_as_much_as_the_whole_step_keeps():
    """The small picture's part, times the pixels, against a step on the full size."""
    model = build_detector(CONFIG, 2)
    small = needs._kept_by_a_step(CONFIG, model, Shape(1, 160, 160))
    large = needs._kept_by_a_step(CONFIG, model, Shape(2, 320, 480))
    assert large == pytest.approx(small * 12, rel=0.05)


def shortages(monkeypatch, tmp_path, **free: int) -> dict[str, Severity]:
    usage = namedtuple("usage", "free")
    there = {"memory": 2**40, "disk": 2**40} | free
    monkeypatch.setattr(needs, "free_memory", lambda device: there["memory"])
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda path: usage(there["disk"]))
    wanted = Needs(memory=2**30, disk=2**30, cache=2**20)
    found = need_findings(wanted, make_config("tiny", {"workers": 2}), CPU, tmp_path)
    return {one.what.split()[0] + " " + one.what.split()[2]: one.severity for one in found}


def test_shortages(monkeypatch, tmp_path):
    assert shortages(monkeypatch, tmp_path) == {}
    assert shortages(monkeypatch, tmp_path, memory=2**29) == {"memory a": Severity.STOPS}
    assert shortages(monkeypatch, tmp_path, disk=2**29) == {"disk weights": Severity.STOPS}
    both = {"disk weights": Severity.STOPS, "disk decoded": Severity.HURTS,
            "shared for": Severity.STOPS}  # fmt: skip
    found = shortages(monkeypatch, tmp_path, disk=2**10)
    assert {key.replace("shared 2", "shared for"): value for key, value in found.items()} == both


def test_the_limit_of_a_container_counts(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(needs, "LIMITS", (str(limit), str(tmp_path / "absent")))
    free = needs.free_memory(CPU)
    limit.write_text("1000000\n")
    assert needs.free_memory(CPU) == 1000000 < free
    limit.write_text("max\n")
    assert needs.free_memory(CPU) > 1000000


def words(config=CONFIG) -> list[str]:
    return [f"{one.severity.words}: {one.what}" for one in machine.machine_findings(config, CPU)]


def test_nothing_is_found_on_a_machine_that_fits(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: machine.THREADS_AT_START)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(machine, "GPU", machine.Path("/nowhere"))
    assert words() == []


def test_libraries_of_two_releases(monkeypatch):
    def nms(*arguments: object) -> None:
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(torchvision.ops, "nms", nms)
    (said,) = [one for one in words() if "do not work together" in one]
    assert said.startswith("stops training: torch ") and said.endswith("nms does not exist")


def test_a_gpu_that_torch_does_not_use(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "GPU", tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "will hurt: GPU that cannot be used: torch is the build for CPUs" in words()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "will hurt: GPU that cannot be used: its driver does not answer" in words()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "worth knowing: GPU that the settings leave unused" in words()


def test_threads_and_instructions(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "cores", lambda: 2)
    assert any(
        "more threads (8) than cores" in o for o in words(make_config("tiny", {"threads": 8}))
    )
    monkeypatch.setattr(machine, "cores", lambda: 4 * machine.THREADS_AT_START)
    assert any("OMP_NUM_THREADS" in one for one in words())
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert any("without AVX2" in one for one in words())
    monkeypatch.setattr(machine, "CPU_FLAGS", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("flags : sse avx2")
    half = make_config("tiny", {"precision": "bf16"})
    assert any("precision=bf16" in one for one in words(half))
    (tmp_path / "cpuinfo").write_text("flags : sse avx2 avx512_bf16")
    assert not any("precision=bf16" in one for one in words(half))


def test_a_container_has_few_of_many_cores(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: range(64))
    assert machine.cores() == 64
    for text, there in (("200000 100000", 2), ("50000 100000", 1), ("max 100000", 64)):
        (tmp_path / "cpu.max").write_text(text)
        assert machine.cores() == there


def test_weights_that_are_not_here(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    for preset, name in (("voc0712", "resnet50"), ("voc0712_ssd", "vgg16")):
        (said,) = [one for one in words(make_config(preset)) if "ImageNet weights" in one]
        assert said.startswith("worth knowing") and name in said
    (found,) = machine._weights(make_config("voc0712"))
    (tmp_path / "checkpoints" / found.remedy.rpartition("/")[2]).touch()
    assert machine._weights(make_config("voc0712")) == machine._weights(make_config("voc")) == []
    own = make_config("voc", {"backbone_weights": str(tmp_path / "own.pt")})
    assert machine._weights(own)[0].severity is Severity.STOPS
    (found,) = machine._weights(make_config("voc", {"backbone": "convnext_atto"}))
    assert found.severity is Severity.NOTE and "convnext_atto, which timm fetches" in found.what
    whole = make_config("voc0712", {"weights": str(tmp_path)})
    assert machine._weights(whole)[0].severity is Severity.STOPS
    (tmp_path / "weights.pt").touch()
    assert machine._weights(whole) == []  # then the backbone begins with nothing of its own
    (tmp_path / "own.pt").touch()
    assert machine._weights(own) == []
