"""Every verb that reads a run, on a folder in which a document is missing, cut off, of another
shape or of a newer version: it does its work without it, or says in a sentence which file it is."""

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from miaod_nb.commands.info import describe
from miaod_nb.compare.curves import gather_metrics
from miaod_nb.errors import MiaodError
from miaod_nb.labeling.reviewing import newest_batch
from miaod_nb.runs.record import RunRecord
from miaod_nb.runs.schema import VERSION
from miaod_nb.toy.toy import make_toy
from tests.experiment.helpers import miaod

FIXTURE = Path(__file__).parents[1] / "fixtures/run-before.tar.gz"
DOCUMENTS = (
    "config.json", "fingerprint.txt", "environment.json", "log.jsonl", "metrics.csv",
    "images.parquet", "X_L_1.npy", "X_U_1.npy", "cycle0/decisions.jsonl", "cycle1/steps.json",
    "cycle1/labels.json", "cycle1/exclusions.json", "cycle1/metrics.json", "cycle1/per_class.csv",
    "cycle1/selection.json", "cycle1/scores.parquet/part-00000.parquet", "cycle1/detections.npz",
    "cycle1/weights.pt",
)  # fmt: skip
VERBS: dict[str, tuple[str, ...]] = {
    "info": (), "review": (), "curves": ("--out", "OUT"), "report": ("--out", "OUT"),
    "evaluate": (), "convert": ("--to", "reference", "--out", "OUT"),
}  # fmt: skip
SLOW = ("report", "evaluate", "convert")
Damage = Callable[[Path], None]
GONE = object()  # in place of a value: the field is missing


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    """As a copy that broke off: a text within its first word, so that it says nothing whole."""
    content = path.read_bytes()
    path.write_bytes(content[: 3 if path.suffix in (".json", ".csv") else len(content) // 2])


def reshape(path: Path) -> None:
    """Something else in the same format, or in none."""
    other: dict[str, Any] = {".json": '{"a": [1, {"b": null}]}', ".csv": "a,b\n1,2\n"}
    path.write_bytes(str(other.get(path.suffix, "[1, 2]\n")).encode())


def flatten(path: Path) -> None:
    path.write_text("[[1, 2], 3]" if path.suffix == ".json" else "")


def renew(path: Path) -> None:
    """As a newer version would write it."""
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": VERSION + 1}))


# Only JSON objects have a version.
VERSIONED = [d for d in DOCUMENTS if d.endswith(".json") and not d.endswith("steps.json")]
CASES = [(d, damage) for d in DOCUMENTS for damage in (remove, cut, reshape, flatten)]
CASES += [(d, renew) for d in VERSIONED]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run folder beside its data; tests must not change it."""
    folder = tmp_path_factory.mktemp("pristine")
    data = make_toy(folder / "tiny", num_pool=48, num_test=16, size=64)
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(folder, filter="data")
    path = folder / "before/config.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"data_root": str(data)}))
    return folder / "before"


def fields(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where each field of a document stands; of lists the first entry."""
    if path:
        yield path
    if len(path) < 4:
        first = value[:1] if isinstance(value, list) else ()
        parts = value.items() if isinstance(value, dict) else enumerate(first)
        for name, part in parts:
            yield from fields(part, (*path, name))


def with_field(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of the document with another value there, or with none."""
    copy = deepcopy(document)
    holder = copy
    for name in path[:-1]:
        holder = holder[name]
    if value is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("which", ["pristine", "finished"])
def test_a_damaged_field_is_no_traceback(which, request, tmp_path) -> None:
    """Each field of each JSON document, of an earlier version too: without it, or with a value of
    another kind."""
    found = request.getfixturevalue(which)
    source = found if which == "pristine" else found[0]
    run = shutil.copytree(source, tmp_path / "run")
    count, named = 0, 0
    for path in sorted(run.rglob("*.json")):
        text = path.read_text()
        document = json.loads(text)
        for field in fields(document):
            for value in (GONE, None, "x", 7, [], {}, [1, {"a": 2}], {"b": [1]}):
                path.write_text(json.dumps(with_field(document, field, value)))
                count += 1
                try:
                    read_all(run)
                except MiaodError as error:
                    named += path.name in str(error.where)
        path.write_text(text)
    assert count > 500 and named > count / 4


def read_all(run: Path) -> None:
    """What verbs that only read ask of a run."""
    describe(run)
    record = RunRecord.open(run)
    _ = record.classes, record.pool, record.test, record.budget, record.card, record.first_cycle
    for cycle in range(record.cycles):
        _ = record.labels(cycle), record.metrics_of(cycle), record.exclusions(cycle)
        _ = record.selection(cycle), record.done(cycle)
    gather_metrics([run])
    newest_batch(record)


@pytest.mark.parametrize(("document", "damage"), CASES)
@pytest.mark.parametrize(
    "verb", [pytest.param(v, marks=[pytest.mark.slow] if v in SLOW else []) for v in VERBS]
)
def test_a_damaged_document_is_named_or_not_needed(
    pristine: Path, tmp_path: Path, verb: str, document: str, damage: Damage
) -> None:
    run = shutil.copytree(pristine, tmp_path / "run")
    damage(run / document)
    options = [str(tmp_path / "out") if option == "OUT" else option for option in VERBS[verb]]
    outcome = miaod(verb, run, *options)  # an error that is not ours ends this test
    if outcome.code == 0:
        return
    assert outcome.err.startswith("error: ") and "what to do: " in outcome.err
    name = Path(document).name
    place = "scores.parquet" if name.startswith("part-") else name
    assert place in outcome.err or str(run) in outcome.err, outcome.err
