"""A Label Studio server of its own, spoken to as a program and, in a browser, as a person does."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from playwright.sync_api import FloatRect, Page, Response

from tests.labeling.tool_envs import environment_of

PACKAGE = "label-studio==1.23.2"
IMAGE = "img[src^='blob:']"  # in the editor
USER, PASSWORD, TOKEN = "me@example.org", "some-pass-1", "0123456789abcdef" * 2 + "01234567"


class Server:
    """A server that runs: its address, and what it answers."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str) -> bytes:
        """What stands there. Raises HTTPError."""
        return self._answer(path, None)

    def post(self, path: str, body: Any) -> Any:
        """The answer to something that is sent as JSON. Raises HTTPError."""
        return json.loads(self._answer(path, json.dumps(body).encode()))

    def _answer(self, path: str, body: bytes | None) -> bytes:
        headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


@contextmanager
def label_studio(folder: Path, document_root: Path) -> Iterator[Server]:
    """A server that may show the files below the document root; the folder keeps its data."""
    home = environment_of(PACKAGE)
    data = home / "data"
    if not data.is_dir():  # the first start of a data folder takes most of a minute
        half = home / f"data.{os.getpid()}"
        with _running(home, half, document_root):
            pass
        half.rename(data)
    shutil.copytree(data, folder / "data")
    with _running(home, folder / "data", document_root) as server:
        yield server


@contextmanager
def _running(home: Path, data: Path, document_root: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        home / "bin/label-studio", "start", "--no-browser", "--internal-host", "127.0.0.1",
        "--port", str(port), "--data-dir", data, "--username", USER, "--password", PASSWORD,
        "--user-token", TOKEN, "--enable-legacy-api-token",
    ]  # fmt: skip
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        "LABEL_STUDIO_BASE_DATA_DIR": str(data), "COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(document_root),
    }  # fmt: skip
    data.mkdir(exist_ok=True)
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    server, end = Server(f"http://127.0.0.1:{port}"), time.monotonic() + 300
    try:
        while not _is_up(server):
            said = (data / "server.log").read_text()[-3000:]
            assert process.poll() is None and time.monotonic() < end, said
            time.sleep(0.5)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _is_up(server: Server) -> bool:
    try:
        return b"UP" in server.get("/health")
    except (HTTPError, URLError, ConnectionError):
        return False


class Editor:
    """Label Studio's pages in a browser, used as by a person. Places are pixels of the image."""

    def __init__(self, page: Page, server: Server, size: tuple[int, int]) -> None:
        self.page, self.size = page, size
        self._project = f"{server.address}/projects"
        page.goto(f"{server.address}/user/login")
        page.fill("[name=email]", USER)
        page.fill("[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url(f"{server.address}/")

    def open(self, project: int, query: str) -> int:
        """Opens a task, and waits until its suggested boxes are there: its number."""
        self.page.goto(f"{self._project}/{project}/data?{query}")
        self.page.wait_for_function(
            "() => window.Htx?.annotationStore?.selected?.regionStore?.regions?.length == 2"
        )
        self.page.locator("[aria-label='Submit current annotation']:enabled").wait_for()
        self.page.locator(IMAGE).wait_for()
        before = None
        while before != (frame := self._frame()):  # the image fits itself to its room
            before = frame
            self.page.wait_for_timeout(500)
        return int(self.page.evaluate("Htx.task.id"))

    def _frame(self) -> FloatRect:
        """Where the image is in the window; its canvas may be smaller."""
        frame = self.page.locator(IMAGE).bounding_box()
        assert frame is not None
        return frame

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the image is in the window."""
        frame, (width, height) = self._frame(), self.size
        return frame["x"] + x / width * frame["width"], frame["y"] + y / height * frame["height"]

    def select(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))
        self.page.wait_for_timeout(300)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=4)
        self.page.mouse.up()
        self.page.wait_for_timeout(300)

    def delete(self, x: float, y: float) -> None:
        self.select(x, y)
        self.page.keyboard.press("Backspace")
        self.page.wait_for_timeout(300)

    def press(self, label: str) -> None:
        """Presses the button, "Submit current annotation" or "skip-task", until it is saved."""
        with self.page.expect_response(_saves("/annotations")) as answer:
            self.page.click(f"[aria-label='{label}']")
        assert answer.value.status == 201

    def wait_for_draft(self, change: Callable[[], None]) -> None:
        """Makes a change that is not submitted."""
        with self.page.expect_response(_saves("/drafts")):
            change()


def _saves(path: str) -> Callable[[Response], bool]:
    return lambda response: path in response.url and response.request.method == "POST"
