"""A real Label Studio: a batch goes in with suggested boxes, what people did there comes back."""

import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from miaod_nb.data.records import FaultCounts
from miaod_nb.data.upright import TURNS, orientation_of, upright
from miaod_nb.labeling.exchange import Batch
from miaod_nb.labeling.export.label_studio import CONFIG, TASKS, TOOL
from miaod_nb.labeling.importing import format_of, read_labels
from miaod_nb.runs.files import RunFolder
from tests.labeling.batches import error_of, images_of, make_batch
from tests.labeling.tool_envs import environment_of

pytestmark = pytest.mark.slow

USER = "somebody@example.org"


class Server:
    """A server that runs; calls are of its HTTP interface."""

    def __init__(self, address: str, token: str, password: str, root: Path) -> None:
        self.address, self.token, self.password, self.root = address, token, password, root

    def call(self, path: str, body: Any = None, method: str = "") -> Any:
        """The answer, from JSON if it is that."""
        request = urllib.request.Request(
            self.address + path, None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Token {self.token}", "Content-Type": "application/json"},
            method=method or ("GET" if body is None else "POST"),
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                content, kind = answer.read(), answer.headers.get("Content-Type", "")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read()[:500]!r}") from None
        return json.loads(content) if "json" in kind else content


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Label Studio with a folder of its own, on this machine alone."""
    program = environment_of("label-studio==1.23.2") / "bin/label-studio"
    root, data = tmp_path_factory.mktemp("served"), tmp_path_factory.mktemp("label-studio")
    token, password = secrets.token_hex(20), secrets.token_urlsafe(12)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data), "COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(root), "HOME": str(data),
    }  # fmt: skip
    command = [
        program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port),
        "--data-dir", str(data), "--username", USER, "--password", password, "--user-token", token,
        "--enable-legacy-api-token",
    ]  # fmt: skip
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **own}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        address, end = f"http://127.0.0.1:{port}", time.monotonic() + 400  # migrations take most
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=10).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    pytest.fail((data / "server.log").read_text()[-3000:], pytrace=False)
                time.sleep(1)
        yield Server(address, token, password, root)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.fixture(scope="module")
def batch(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """Images of all turns and with difficult names, exported into a folder that is served."""
    made = make_batch(tmp_path_factory.mktemp("photos"))
    for task in made.tasks:
        frame(task.path, task.suggestions[0].box)
        copy = server.root / "batch/images" / task.file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(task.path, copy)
    TOOL.write(made, RunFolder(server.root / "batch"))
    return made


def frame(path: Path, box: tuple[float, ...]) -> None:
    """Draws a box into the upright picture, for whoever looks at a screenshot."""
    with Image.open(path) as image:
        orientation, exif = orientation_of(image), image.getexif()
        picture = upright(image, orientation).copy()
    ImageDraw.Draw(picture).rectangle(box, outline="white", width=3)
    back = {6: 8, 8: 6}.get(orientation, orientation)
    (picture.transpose(TURNS[back]) if orientation > 1 else picture).save(path, exif=exif)


@pytest.fixture(scope="module")
def project(server: Server, batch: Batch) -> tuple[int, dict[str, int]]:
    """The project, set up as `miaod export` says, and its tasks by image."""
    folder = server.root / "batch"
    config = (folder / CONFIG).read_text()
    number = server.call("/api/projects", {"title": "batch", "label_config": config})["id"]
    storage = {"project": number, "path": str(folder), "use_blob_urls": True, "title": "photos"}
    server.call("/api/storages/localfiles/", storage)
    tasks = json.loads((folder / TASKS).read_text())
    found = server.call(f"/api/projects/{number}/import?return_task_ids=true", tasks)["task_ids"]
    return number, {task["data"]["image_id"]: n for task, n in zip(tasks, found, strict=True)}


def test_images_are_served_in_the_order_of_their_rank(server, batch, project):
    number, tasks = project
    listed = server.call(f"/api/tasks?project={number}&page_size=100")["tasks"]
    assert [one["data"]["image_id"] for one in listed] == [task.id for task in batch.tasks]
    assert [one["data"]["rank"] for one in listed] == list(range(1, len(listed) + 1))
    for one, task in zip(listed, batch.tasks, strict=True):
        served = server.call(one["data"]["image"])
        assert hashlib.sha256(served).digest() == hashlib.sha256(task.path.read_bytes()).digest()


def test_a_tab_can_be_ordered_by_the_uncertainty(server, batch, project):
    number, _ = project
    data = {"title": "least uncertain first", "ordering": ["tasks:data.uncertainty"],
            "columnsDisplayType": {"tasks:data.uncertainty": "Number"}}  # fmt: skip
    view = server.call("/api/dm/views/", {"project": number, "data": data})["id"]
    listed = server.call(f"/api/tasks?view={view}&page_size=100")["tasks"]
    least_first = sorted(batch.tasks, key=lambda task: task.uncertainty)
    assert [one["data"]["image_id"] for one in listed] == [task.id for task in least_first]


def test_what_people_did_comes_back_as_what_it_is(server, batch, project, tmp_path):
    """One image each way, answered as the editor sends it; the others are accepted as they are."""
    number, tasks = project
    tool = {task["id"]: task for task in server.call(f"/api/tasks?project={number}&page_size=100"
                                                     "&fields=all")["tasks"]}  # fmt: skip
    ids = [task.id for task in batch.tasks]
    moved, drawn, deleted, empty, skipped, draft, untouched, unusable, *ids = ids
    twice, labeled_twice, rotated, outside, *accepted = ids

    def regions(image_id: str) -> list[dict[str, Any]]:
        given = tool[tasks[image_id]]["predictions"][0]["result"]
        return [{**one, "origin": "prediction"} for one in given]

    def answer(image_id: str, result: list[Any], **more: Any) -> None:
        body = {"result": result, "lead_time": 9.64, **more}
        server.call(f"/api/tasks/{tasks[image_id]}/annotations/", body)

    def changed(image_id: str, **value: Any) -> list[Any]:
        first, *others = regions(image_id)
        return [{**first, "origin": "prediction-changed",
                 "value": {**first["value"], **value}}, *others]  # fmt: skip

    def new(x: float, y: float, width: float, height: float, **more: Any) -> dict[str, Any]:
        value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0,
                 "rectanglelabels": ["WBC"], **more}  # fmt: skip
        return {"id": secrets.token_hex(5), "from_name": "label", "to_name": "image",
                "type": "rectanglelabels", "origin": "manual", "original_width": 640,
                "original_height": 480, "image_rotation": 0, "value": value}  # fmt: skip

    answer(moved, changed(moved, x=10.0))
    answer(drawn, [*regions(drawn), new(50, 50, 25, 25)])
    answer(deleted, regions(deleted)[1:])
    answer(empty, [])
    answer(skipped, regions(skipped), was_cancelled=True)
    server.call(f"/api/tasks/{tasks[draft]}/drafts", {"result": regions(draft), "lead_time": 3})
    answer(twice, regions(twice))
    answer(twice, [new(0, 0, 50, 50)], ground_truth=True)
    ellipse = {"x": 9, "y": 9, "radiusX": 9, "radiusY": 9, "ellipselabels": ["WBC"]}
    answer(unusable, [{**new(0, 0, 1, 1), "type": "ellipselabels", "value": ellipse}])
    answer(labeled_twice, [new(0, 0, 50, 50, rectanglelabels=["WBC", "yes"]), new(0, 0, 25, 25)])
    answer(rotated, [new(50, 50, 25, 25, rotation=90)])
    answer(outside, [new(-5, 50, 25, 25)])
    for image_id in accepted:
        answer(image_id, regions(image_id))
    path = tmp_path / "project.json"
    exported = server.call(f"/api/projects/{number}/export?exportType=JSON&download_all_tasks=true")
    path.write_text(json.dumps(exported))
    faults = FaultCounts()
    found, boxes = read_labels(path, format_of(path), images_of(batch), False, faults)
    assert format_of(path).name == "label-studio"
    states = {image_id: one.state for image_id, one in found.items()}
    others = {skipped: "skipped", draft: "untouched", untouched: "untouched", unusable: "untouched"}
    assert states == {task.id: others.get(task.id, "labeled") for task in batch.tasks}
    assert boxes[empty] == [] and len(boxes[deleted]) == 5
    first = boxes[moved][0]
    assert (first.origin, first.box[0]) == ("changed", pytest.approx(64))
    assert boxes[drawn][-1].origin == "drawn"
    assert boxes[drawn][-1].box == pytest.approx((320, 240, 480, 360))
    assert [one.box for one in boxes[twice]] == [pytest.approx((0, 0, 320, 240))]  # ground truth
    assert [one.box for one in boxes[labeled_twice]] == [pytest.approx((0, 0, 160, 120))]
    assert boxes[rotated][0].box == pytest.approx((200, 240, 320, 400))  # about its corner
    assert boxes[outside][0].box == pytest.approx((-32, 240, 128, 360))
    worst = error_of({i: boxes[i] for i in accepted}, batch_of(batch, accepted))
    print(f"accepted boxes came back within {worst:.2g} px")
    assert worst < 0.01
    assert {found[i].seconds for i in accepted} == {9.64} and found[accepted[0]].by
    assert {one.origin for i in accepted for one in boxes[i]} == {"accepted"}
    counts = {reason: one["count"] for reason, one in faults.as_dict().items()}
    assert counts == {
        "begun and not submitted (draft)": 1, "rectangle without a label, or with several": 1,
        "annotated more than once: the ground truth, else the newest, counts": 1,
        "region that is no labeled rectangle (ellipselabels)": 1,
        "rotated rectangle: the upright box around it is taken": 1,
    }  # fmt: skip


def batch_of(batch: Batch, ids: list[str]) -> Batch:
    """The part of a batch with these images."""
    tasks = [task for task in batch.tasks if task.id in ids]
    return Batch(batch.run, batch.fingerprint, batch.cycle, batch.classes, tasks)
