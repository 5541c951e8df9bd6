"""A batch goes out to a real Label Studio and back, worked on in its editor as by a person.

The browser's pictures are kept in the folder that MIAOD_SCREENSHOTS names, if it is set.
"""

import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pytest
from PIL import Image, ImageDraw

from miaod_nb.boxes import Detections
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.upright import TURNS
from miaod_nb.experiment import Run, open_run
from miaod_nb.labeling import exporting
from miaod_nb.labeling.agreement import Agreement
from miaod_nb.labeling.exchange import Returned
from miaod_nb.labeling.importing import Import, format_of, import_labels
from miaod_nb.labeling.ingest.label_studio import read
from miaod_nb.labeling.names import Images
from tests.browser.lab import chromium
from tests.experiment.helpers import miaod
from tests.labeling.label_studio import Editor, Server, label_studio

pytestmark = pytest.mark.slow

SIZE = (320, 240)  # of all pictures, upright
SQUARE, DISC = "square", 'disc <&> "2"'
SUGGESTED = {  # in each image, exactly around what it shows
    SQUARE: ((40.25, 30.5, 119.75, 90.125), 0.91), DISC: ((200.0, 120.125, 280.5, 200.0), 0.52),
}  # fmt: skip
TURNED = {
    **{f"turned/photo {n}.jpg": n for n in range(1, 9)}, "turned/a.png": 6, "turned/b.webp": 6,
    "turned/c.tif": 6,
}  # fmt: skip
NAMED = ("cam1/0001.jpg", "cam2/0001.jpg", "a+b #1 50%.jpg", "Übung & co.png")
WORK = (
    "moved", "drawn", "deleted", "emptied", "skipped", "draft", "untouched", "bulk", "twice",
    "labels", "rotated", "outside", "apart",
)  # fmt: skip
POOL = {**TURNED, **dict.fromkeys(NAMED, 1), **{f"work/{name}.jpg": 1 for name in WORK}}
ACCEPTED = [name for name in POOL if not name.startswith("work/")]


def take_photo(path: Path, orientation: int) -> None:
    """A picture of a square and a disc, stored as a camera does that was held so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path))).integers(90, 150, (*SIZE[::-1], 3), np.uint8)
    picture, exif = Image.fromarray(noise), Image.Exif()
    draw = ImageDraw.Draw(picture)
    draw.rectangle((40, 30, 119, 89), fill=(220, 60, 50))
    draw.ellipse((200, 120, 279, 199), fill=(60, 90, 210))
    if orientation > 1:
        picture = picture.transpose(TURNS[{6: 8, 8: 6}.get(orientation, orientation)])
    exif[0x0112] = orientation
    picture.save(path, exif=exif)


def suggest(model: Any, images: Any, config: Any, name: str) -> dict[str, Detections]:
    """What a detector would find that has learned something."""
    boxes, scores = zip(*SUGGESTED.values(), strict=True)
    labels = [sorted(SUGGESTED).index(label) for label in SUGGESTED]
    found = Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(labels))
    return {image.id: found for image in images}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """A run whose batch was exported, and what the command said."""
    photos = tmp_path_factory.mktemp("photos")
    for name, orientation in POOL.items():
        take_photo(photos / name, orientation)
    for number in range(6):
        take_photo(photos / f"first/{number}.jpg", 1)
        objects = "".join(
            f"<object><name>{escape(label)}</name><bndbox><xmin>{float(x1)}</xmin><ymin>{y1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"  # counts from 0
            for label, ((x1, y1, x2, y2), _) in SUGGESTED.items()
        )
        text = f"<annotation>{objects}</annotation>"
        (photos / f"first/{number}.xml").write_text(text)
    settings = {"first_labels": "labeled", "budget": len(POOL), "cycles": 1, "rounds": 0,
                "training": "label_set", "min_epoch_steps": 1, "device": "cpu"}  # fmt: skip
    run_dir = tmp_path_factory.mktemp("runs") / "mine"
    run = open_run("tiny", data_root=photos, run_dir=run_dir, overrides=settings)
    run.run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "detect_images", suggest)
        outcome = miaod("export", run_dir, "--to", "label-studio")
    assert outcome.code == 0, outcome.err
    return open_run(run_dir=run_dir), outcome.out


@dataclass(frozen=True)
class Project:
    """A project that was made as the command says."""

    server: Server
    id: int
    tasks: list[dict[str, Any]]  # in the order in which Label Studio lists them
    images: Path

    def number(self, name: str) -> int:
        return next(task["id"] for task in self.tasks if _id(task) == _stem(name))

    def tab(self, **data: Any) -> int:
        """A tab of the Data Manager."""
        return self.server.post("/api/dm/views/", {"project": self.id, "data": data})["id"]

    def task_list(self, query: str) -> list[dict[str, Any]]:
        return json.loads(self.server.get(f"/api/tasks?page_size=100&{query}"))["tasks"]


@pytest.fixture(scope="module")
def project(
    exported: tuple[Run, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    root, tasks, config, images = (
        Path(re.search(pattern, exported[1])[1])
        for pattern in (
            r"DOCUMENT_ROOT=(\S+)", r"upload (.+)", r"paste (.+)", r"the path\n +(.+)",
        )
    )  # fmt: skip
    with label_studio(tmp_path_factory.mktemp("server"), root) as server:
        body = {"title": "batch", "label_config": config.read_text()}
        number = server.post("/api/projects", body)["id"]
        storage = {"project": number, "title": "photos", "path": str(images)}
        server.post("/api/storages/localfiles/", storage)
        server.post(f"/api/projects/{number}/import", json.loads(tasks.read_text()))
        made = Project(server, number, [], images)
        yield replace(made, tasks=made.task_list(f"project={number}"))


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _id(task: dict[str, Any]) -> str:
    return task["data"]["image_id"]


# ------------------------------------------------------------------------------------ the way there


def test_tasks_are_listed_in_the_order_of_their_rank(exported, project):
    chosen = [row["id"] for row in exported[0].record.selection(0)["selected"]]
    assert [_id(task) for task in project.tasks] == chosen
    assert [task["data"]["rank"] for task in project.tasks] == [*range(1, len(POOL) + 1)]


def test_every_image_is_served(project):
    for name in POOL:
        (task,) = (one for one in project.tasks if _id(one) == _stem(name))
        (copy,) = project.images.glob(f"{_stem(name)}.*")  # of a TIFF a PNG
        assert project.server.get(task["data"]["image"]) == copy.read_bytes()


def test_a_sync_of_the_images_adds_no_task(project):
    """The dialog's default: JSON files are tasks."""
    storage = {"project": project.id, "title": "again", "path": str(project.images),
               "regex_filter": r".*\.(json|jsonl|parquet)$"}  # fmt: skip
    made = project.server.post("/api/storages/localfiles/", storage)
    project.server.post(f"/api/storages/localfiles/{made['id']}/sync", {})
    assert len(project.task_list(f"project={project.id}")) == len(POOL)


@pytest.mark.parametrize("column", ["rank", "uncertainty"])
def test_a_tab_is_sorted_by_a_number(project, column):
    types = {f"tasks:data.{column}": "Number"}
    tab = project.tab(ordering=[f"-tasks:data.{column}"], columnsDisplayType=types)
    values = [task["data"][column] for task in project.task_list(f"view={tab}")]
    assert len(values) == len(POOL) and values == sorted(values, reverse=True)


# ------------------------------------------------------------------------------- the way back


def rectangle(x: float, y: float, width: float, height: float, *labels: str, **more: Any) -> Any:
    """A region as a program may send it; sides in percent."""
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": more.pop("turn", 0)}
    kind = more.pop("type", "rectanglelabels")
    if labels:
        value[kind] = list(labels)
    return {"id": "r", "from_name": "label", "to_name": "image", "type": kind, "origin": "manual",
            "original_width": SIZE[0], "original_height": SIZE[1], "value": value,
            **more}  # fmt: skip


def work(editor: Editor, project: Project, pictures: Path | None) -> None:
    """What a person does, task by task."""

    def open_task(name: str) -> None:
        editor.open(project.id, f"task={project.number(name)}")

    def submit() -> None:
        editor.press("Submit current annotation")

    for name in ACCEPTED:
        open_task(name)
        if name in TURNED:
            seen = editor.page.screenshot()
            if pictures:
                (pictures / f"label-studio-{name.replace('/', '-')}.png").write_bytes(seen)
            assert_boxes_lie_around_what_they_show(seen, editor, name)
        submit()
    open_task("work/moved.jpg")
    editor.select(60, 60)
    editor.drag((60, 60), (68, 66))
    submit()
    open_task("work/drawn.jpg")
    editor.page.keyboard.press("2")  # the second class
    editor.page.wait_for_timeout(300)
    editor.drag((150, 20), (190, 50))
    submit()
    open_task("work/deleted.jpg")
    editor.delete(60, 60)
    submit()
    open_task("work/emptied.jpg")
    editor.delete(60, 60)
    editor.delete(240, 160)
    submit()
    open_task("work/draft.jpg")
    editor.select(60, 60)
    editor.wait_for_draft(lambda: editor.drag((60, 60), (68, 66)))
    only = {"filter": "filter:tasks:data.image_id", "operator": "equal", "type": "String",
            "value": "work/skipped"}  # fmt: skip
    tab = project.tab(filters={"conjunction": "and", "items": [only]})
    assert editor.open(project.id, f"tab={tab}&labeling=1") == project.number("work/skipped.jpg")
    editor.press("skip-task")


def assert_boxes_lie_around_what_they_show(picture: bytes, editor: Editor, name: str) -> None:
    """Where the square is suggested, the browser shows it below the box's own color, and noise
    around it."""
    seen = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)

    def red(x: float, y: float) -> int:
        column, row = map(round, editor.at(x, y))
        return int(seen[row, column, 0] - seen[row, column, 1])

    x1, y1, x2, y2 = SUGGESTED[SQUARE][0]
    inside = [red(x, y) for x in (x1 + 8, x2 - 8) for y in (y1 + 8, y2 - 8)]
    outside = [red(x, y) for x in (x1 - 8, x2 + 8) for y in (y1 - 8, y2 + 8)]
    assert all(50 < one < 150 for one in inside), (name, inside)  # 160 without it
    assert all(abs(one) < 70 for one in outside), (name, outside)


def program(project: Project) -> None:
    """What programs and commands do besides, and a second person."""

    def annotate(name: str, *regions: Any, **more: Any) -> None:
        body = {"result": list(regions), "lead_time": 4.5, **more}
        project.server.post(f"/api/tasks/{project.number(f'work/{name}.jpg')}/annotations/", body)

    other = {"email": "other@example.org", "username": "other"}
    annotate("twice", rectangle(10, 10, 20, 20, SQUARE))
    annotate("twice", rectangle(50, 10, 20, 20, SQUARE),
             completed_by=project.server.post("/api/users/", other)["id"])  # fmt: skip
    annotate("labels", rectangle(10, 10, 20, 20, SQUARE, DISC))
    annotate("rotated", rectangle(50, 50, 25, 12.5, SQUARE, turn=90))
    annotate("outside", rectangle(90, 90, 20, 20, SQUARE), rectangle(120, 0, 9, 9, DISC, id="s"))
    annotate("apart", rectangle(10, 10, 20, 20, type="rectangle"),
             rectangle(10, 10, 20, 20, SQUARE, type="labels"))  # fmt: skip
    bulk = {"all": False, "included": [project.number("work/bulk.jpg")]}
    project.server.post(f"/api/dm/actions?id=predictions_to_annotations&project={project.id}",
                        {"selectedItems": bulk, "model_version": "miaod cycle 0"})  # fmt: skip


@dataclass(frozen=True)
class Back:
    """What came back: all tasks, what the reader makes of them, and the import."""

    tasks: dict[str, Any]
    read: dict[str, Returned]
    counted: FaultCounts
    imported: Import


@pytest.fixture(scope="module")
def back(exported, project, tmp_path_factory) -> Back:
    pictures = os.environ.get("MIAOD_SCREENSHOTS")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        editor = Editor(page, project.server, SIZE)
        first = editor.open(
            project.id, f"tab={project.tab(ordering=['tasks:data.rank'])}&labeling=1"
        )
        assert first == project.tasks[0]["id"]  # the most wanted
        work(editor, project, Path(pictures) if pictures else None)
    program(project)
    path = tmp_path_factory.mktemp("back") / "project.json"
    everything = f"/api/projects/{project.id}/export?exportType=JSON&download_all_tasks=true"
    path.write_bytes(project.server.get(everything))
    run, counted = exported[0], FaultCounts()
    found = read(path, Images(run.dataset.records), counted)
    tasks = {_id(task): task for task in json.loads(path.read_text())}
    imported = import_labels(run, path, format_of(path), 0)
    return Back(tasks, {one.name: one for one in found}, counted, imported)


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted_comes_back_as_it_was(back, name):
    one = back.read[_stem(name)]
    assert (one.state, one.size, one.by) == ("labeled", SIZE, "1") and one.seconds > 0
    assert [(box.name, box.origin) for box in one.boxes] == [(b, "accepted") for b in SUGGESTED]
    for box, (ours, _) in zip(one.boxes, SUGGESTED.values(), strict=True):
        assert box.box == pytest.approx(ours, abs=1e-4)


SQUARE_BOX, DISC_BOX = ((label, *box) for label, (box, _) in SUGGESTED.items())
ELSEWHERE = (SQUARE, 32, 24, 96, 72)  # 10 % and 20 % of the picture


@pytest.mark.parametrize(
    ("name", "state", "boxes"),
    [
        ("moved", "labeled", [("changed", SQUARE, 48.25, 36.5, 127.75, 96.125),
                              ("accepted", *DISC_BOX)]),
        ("drawn", "labeled", [("accepted", *SQUARE_BOX), ("accepted", *DISC_BOX),
                              ("drawn", SQUARE, 150, 20, 190, 50)]),
        ("deleted", "labeled", [("accepted", *DISC_BOX)]),
        ("emptied", "labeled", []),
        ("skipped", "skipped", []),
        ("draft", "untouched", []),
        ("untouched", "untouched", []),
        ("bulk", "labeled", [("", *SQUARE_BOX), ("", *DISC_BOX)]),
        ("twice", "labeled", [("drawn", SQUARE, 160, 24, 224, 72)]),
        ("labels", "untouched", []),  # nothing of it can be used
        ("rotated", "labeled", [("drawn", SQUARE, 130, 120, 160, 200)]),
        ("outside", "labeled", [("drawn", SQUARE, 288, 216, 320, 240)]),
        ("apart", "labeled", [("drawn", *ELSEWHERE)]),
    ],
)  # fmt: skip
def test_what_was_done_comes_back_as_what_it_is(back, name, state, boxes):
    one = back.read[f"work/{name}"]
    assert one.state == state and one.in_bulk == (name == "bulk")
    by_hand = name in ("moved", "drawn")  # of a mouse, whose steps are whole pixels of the window
    for found, (origin, label, *box) in zip(one.boxes, boxes, strict=True):
        assert (found.origin, found.name) == (origin, label)
        assert found.box == pytest.approx(box, abs=1.0 if by_hand else 1e-4)


def test_nothing_is_left_out_in_silence(back):
    assert {reason: one["examples"] for reason, one in back.counted.as_dict().items()} == {
        "annotated more than once: the ground truth, else the newest, counts": ["work/twice"],
        "begun and not submitted (draft)": ["work/draft"],
        "rectangle without a label, or with several: left out": ["work/labels"],
        "rotated rectangle: the upright box around it is taken": ["work/rotated"],
        "rectangle over the edge of the image: clipped": ["work/outside"],
        "rectangle without area, or outside the image: left out": ["work/outside"],
    }


def test_the_run_takes_it_over(back):
    got = back.imported
    assert got.empty == ["work/emptied"]
    assert got.skipped == ["work/skipped"] and got.in_bulk == ["work/bulk"]
    waiting = ["work/draft", "work/labels", "work/untouched"]
    assert sorted(got.untouched) == sorted(got.missing) == waiting
    assert len(got.labeled) == len(POOL) - 4
    # of two in each image: moved 1 and 1, drawn 2 and one more, deleted 1 and 1, emptied 0 and 2,
    # and in twice, rotated, outside and apart another one instead of both; nobody looked at bulk
    assert got.agreement == Agreement(
        accepted=2 * len(ACCEPTED) + 1 + 2 + 1, moved=1, deleted=1 + 2 + 4 * 2, added=1 + 4
    )
    assert got.seconds is not None and got.seconds > 0


def test_scores_and_reasons_come_back_too(back, project):
    """What the table in docs/label-tools.md says."""
    sent = {_id(task): task for task in project.tasks}
    for name in map(_stem, ACCEPTED):
        assert back.tasks[name]["data"] == sent[name]["data"]
        (done,) = back.tasks[name]["annotations"]
        scores = [region["score"] for region in done["result"]]
        assert scores == pytest.approx([score for _, score in SUGGESTED.values()], abs=1e-7)


def test_the_default_export_lacks_only_what_nobody_answered(back, project):
    """That of the button in Label Studio."""
    path = f"/api/projects/{project.id}/export?exportType=JSON"
    names = {_id(task) for task in json.loads(project.server.get(path))}
    assert back.tasks.keys() - names == {"work/draft", "work/untouched"}
