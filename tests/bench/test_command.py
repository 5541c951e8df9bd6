"""`miaod bench`: what it prints, what its file holds, and what it refuses."""

import json
import re

import pytest

from miaod_nb.bench import choosing, loading, measure, table
from miaod_nb.bench.benchmark import PEERS, processor_name, run_bench, speeds_of
from miaod_nb.bench.cost import PROTOCOLS
from miaod_nb.bench.loading import LoaderRate
from miaod_nb.bench.measure import Measured, Row
from miaod_nb.bench.steps import MANY, Shape
from miaod_nb.config import make_config
from miaod_nb.errors import ConfigError
from tests.experiment.helpers import miaod

NAMES = ["label-set", "minimize unlabeled", "maximize unlabeled", "scoring"]
TINY = ["bench", "--preset", "tiny", "--device", "cpu", "--set", "threads=1"]


@pytest.fixture(scope="module", autouse=True)
def short():
    """As few calls as possible: numbers mean nothing here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "ROUNDS", (2, 2))
        patch.setattr(measure, "MATRIX_SIDE", {"cpu": 64})
        patch.setattr(loading, "PICTURES", 4)
        yield


@pytest.fixture(scope="module")
def written(short, tmp_path_factory):
    """What the command printed, and the content of its file."""
    path = tmp_path_factory.mktemp("bench") / "bench.json"
    outcome = miaod(*TINY, "--json", path, "--set", "seed=5")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1] == str(path)
    assert [file.name for file in path.parent.iterdir()] == ["bench.json"]
    return outcome.out, json.loads(path.read_text())


def test_file_holds_the_four_steps_with_their_ratios(written):
    _, found = written
    assert [step["name"] for step in found["steps"]] == NAMES
    for step in found["steps"]:
        assert step["wall_ratio"] == pytest.approx(step["milliseconds"] / step["peer_milliseconds"])
        assert step["flops_ratio"] == pytest.approx(step["gflops"] / step["peer_gflops"])
        assert step["milliseconds_min"] <= step["milliseconds"] <= step["milliseconds_max"]
        assert step["images_per_s"] == pytest.approx(1e3 * step["images"] / step["milliseconds"])
        assert step["share_of_peak"] > 0 and step["rounds"] == 2
        assert step["memory_mb"] is None and step["peer_memory_mb"] is None
    training = {step["peer_gflops"] for step in found["steps"][:3]}
    assert len(training) == 1  # the same peer step for all stages


def test_file_says_what_was_measured_on_what(written):
    _, found = written
    assert found["shape"] == [2, 3, 64, 64] and found["preset"] == "tiny"
    assert found["settings"] == {"device": "cpu", "threads": 1, "seed": 5}
    env = found["environment"]
    assert env["threads"] == 1 and env["precision"] == "fp32" and env["device"].startswith("cpu")
    assert {"torch", "torchvision", "processor", "cores", "omp_wait_policy"} <= env.keys()
    assert "retinanet_resnet50_fpn" in found["peer"] and found["matrix_peak_gflops_per_s"] > 0
    assert found["scoring_together"]["images"] == 4  # the preset's inference_batch_size
    assert found["scoring_together"]["wall_ratio"] is None
    assert found["label_set_parts_ms"].keys() >= {"data", "backbone", "towers", "loss"}
    assert [rate["workers"] for rate in found["loader_images_per_s"]] == [0]
    assert [cost["labeled"] for cost in found["cycles"]] == [4, 6]


def test_text_tells_the_same(written):
    text, found = written
    assert "training 2x3x64x64, scoring 1x3x64x64, fp32" in text
    assert re.search(r"1 threads on \d+ cores, OMP_WAIT_POLICY [\w ]+, torch \d", text)
    for step in found["steps"]:
        (line,) = re.findall(rf"^ *{step['name']} +[\d.].*$", text, re.MULTILINE)
        values = line.split()
        assert values[-2:] == [f"{step['flops_ratio']:.3f}", f"{step['wall_ratio']:.3f}"]
    assert "MiB" not in text and "Memory is measured on CUDA alone" in text
    assert max(map(len, text.splitlines())) <= 120
    assert f"Predicted for {PROTOCOLS['tiny'].pool} pool" in text


def test_without_a_peer_and_a_known_data_set():
    text = miaod("bench", "--preset", "voc", "--device", "cpu", "--against", "none",
                 "--set", "threads=1", "--set", "image_size=64x64", "--set", "batch_size=1",
                 "--set", "inference_batch_size=1").out  # fmt: skip
    assert "against nothing" in text and "ratio" not in text and "Predicted" not in text
    assert "peer" not in text and "Medians of 2 or more calls" in text
    assert f"scoring, {MANY} at once" in text


def test_ssd():
    outcome = miaod(*TINY, "--against", "none", "--set", "detector=ssd300", "--set", "batch_size=1")
    assert outcome.code == 0, outcome.err
    assert "training 1x3x300x300" in outcome.out


def test_memory_and_device_waiting_are_told():
    row = Row("label-set", Measured(2, (0.1,), 10**9, 512.0), None, 1e12)
    result = table.BenchResult(
        config=make_config("voc0712"), environment={}, shape=Shape(2, 608, 1024), peer=None,
        peak=1e12, rows=[row], together=row, parts={}, loader=[LoaderRate(0, 9.0, 9.5)],
        size_factor=0.5, protocol=None, costs=(),
    )  # fmt: skip
    assert result.demand == 40.0
    assert "training takes 40.0: the detector waits for images" in "\n".join(table._loader(result))
    steps = "\n".join(table._steps(result))
    assert "MiB" in steps and " 512" in steps and "Memory is measured" not in steps


def test_prediction_takes_the_scoring_that_the_preset_does():
    rows = [Row(name, Measured(2, (4.0,), 1, None), None, 1.0) for name in NAMES]
    together = Row("together", Measured(8, (8.0,), 1, None), None, 1.0)
    loader = [LoaderRate(0, 5.0, 10.0), LoaderRate(3, 5.0, 20.0)]
    one = speeds_of(make_config("voc0712", {"workers": 3}), rows, together, 0.1, loader, 3.0)
    assert one.steps["scoring"] == one.steps["label-set"] == 2.0 * 3
    assert (one.loading, one.workers, one.optimizer) == (1 / 20, 3, 0.1)
    many = speeds_of(make_config("toy"), rows, together, 0.1, loader, 1.0)
    assert many.steps["scoring"] == 1.0 and many.loading == 1 / 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "3.0 seconds"), (150, "2.5 minutes"), (9000, "2.5 hours"), (10**6, "11.6 days")],
)
def test_duration(seconds, text):
    assert table.duration(seconds) == text


# -------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--against", "detectron"], "there is no peer 'detectron'"),
        (["--preset", "voc2007"], "there is no preset 'voc2007'"),
        (["--device", "gpu"], "device = 'gpu' is not allowed"),
        (["--device", "cuda:7"], "the device 'cuda:7' is not there"),
        (["--set", "image_sise=64"], "did you mean 'image_size'?"),
        (["--set", "detector=yolo"], "there is no detector 'yolo'"),
        (["--set", "strategy=best"], "there is no strategy 'best'"),
        (["--set", "initial=20000"], "initial = 20000 of 16551 images"),
        (["--json", "/dev/null/bench.json"], "--json lies below a file"),
        (["--json", "."], "--json is a folder"),
    ],
)
def test_refused_before_anything_is_measured(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = miaod("bench", *arguments)
    assert outcome.code == 1 and outcome.out == ""
    assert outcome.err.startswith("error: ") and words in outcome.err
    assert "what to do: " in outcome.err and not list(tmp_path.iterdir())


def test_peers_are_named():
    with pytest.raises(ConfigError, match=", ".join(PEERS)):
        run_bench(make_config("tiny"), "mmdetection")


def test_stopping_is_a_sentence(monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("miaod_nb.bench.benchmark.matrix_peak", stop)
    outcome = miaod(*TINY)
    assert outcome.code == 130 and outcome.err.startswith("stopped as you asked")


def test_processor_name(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nprocessor\t: 1\n")
    assert processor_name(cpuinfo) == "Some CPU @ 2 GHz"
    assert processor_name(tmp_path / "missing")


# ------------------------------------------------------------------------------------- choosing


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(choosing, "IMAGES", 500)
    monkeypatch.setattr(choosing, "CHOSEN", 20)


def test_choosing_is_measured_beside_a_plain_loop(small, tmp_path):
    outcome = miaod("bench", "--choosing", "--json", tmp_path / "choosing.json")
    assert outcome.code == 0, outcome.err
    found = json.loads((tmp_path / "choosing.json").read_text())
    assert found["equal"] and (found["images"], found["chosen"]) == (500, 20)
    assert found["ratio"] == pytest.approx(found["peer_seconds"] / found["seconds"])
    assert found["memory_mb"] > 0 and 0.4 < found["peer_memory_mb"] < 3  # 500 x 256 x 4 bytes
    assert "Core-set chooses 20 of 500 images with 256 features" in outcome.out
    assert "times faster; the same images in the same order" in outcome.out


def test_other_images_are_told(small, monkeypatch):
    monkeypatch.setattr(choosing, "k_center", lambda points, centers, count: ([0] * count, []))
    outcome = miaod("bench", "--choosing")
    assert outcome.code == 0 and "OTHER IMAGES" in outcome.out


def test_choosing_takes_no_settings(small):
    outcome = miaod("bench", "--choosing", "--set", "seed=1")
    assert outcome.code != 0 and "has no settings" in outcome.err
