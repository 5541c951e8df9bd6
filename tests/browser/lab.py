"""A JupyterLab of its own in a real browser: notebooks are opened, run and used as by a person."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

TOKEN = "of-the-tests"
SIZES = ((1280, 800), (1920, 1080))
WINDOWS = (*SIZES, (853, 533), (760, 700))  # also 1280x800 at 150 %, and half a screen
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false"},
    "docmanager-extension/plugin": {"autosave": False},
}
PANEL = """
    const app = window.jupyterapp;
    await app.restored;
    let panel = app.shell.currentWidget;
    while (!panel || !panel.context) {
        await new Promise((done) => setTimeout(done, 50));
        panel = app.shell.currentWidget;
    }
    await panel.context.ready;
    await panel.sessionContext.ready;
"""
THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
RUN_ALL = f"async () => {{ {PANEL} await app.commands.execute('notebook:run-all-cells'); }}"
ERRORS = f"""async () => {{ {PANEL}
    return [...panel.content.model.cells].flatMap((cell) => cell.toJSON().outputs || [])
        .filter((output) => output.output_type === 'error').map((output) => output.evalue);
}}"""
BEGIN = f"""async (code) => {{ {PANEL}
    panel.sessionContext.session.kernel.requestExecute({{ code }});
}}"""
SAY = f"""async (code) => {{ {PANEL}
    let said = "";
    const future = panel.sessionContext.session.kernel.requestExecute({{ code }});
    future.onIOPub = ({{ content }}) => {{ said += content.text || content.evalue || ""; }};
    await future.done;
    return said;
}}"""


def find_chromium() -> str:
    """The browser's program; without one the test fails and says how to get it."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.fail(
        "the tests of the views need Chromium, which is not there: apt-get install chromium",
        pytrace=False,
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, without a window."""
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


class NotebookPage:
    """A notebook that is open in the browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def run(self) -> None:
        """Runs all cells and waits for their end; no cell may have failed."""
        self.page.evaluate(RUN_ALL)
        assert self.page.evaluate(ERRORS) == []

    def view(self, name: str, place: int = 0) -> Locator:
        """The view that is called so, of several the one at `place`, once it is painted."""
        found = self.page.locator(f".miaod-{name}").nth(place)
        expect(found).to_have_attribute("data-ready", "1", timeout=20_000)
        return found

    def python(self, expression: str) -> Any:
        """The value of a Python expression in the notebook's kernel."""
        said = self.page.evaluate(SAY, f"import json; print(json.dumps({expression}))")
        try:
            return json.loads(said)
        except ValueError:
            raise AssertionError(said) from None

    def begin(self, code: str) -> None:
        """Has the notebook's kernel execute code, and does not wait for its end."""
        self.page.evaluate(BEGIN, code)

    def until(self, expression: str, seconds: float = 20.0) -> Any:
        """The value of a Python expression as soon as it is true there."""
        end = time.monotonic() + seconds
        while not (value := self.python(expression)):
            assert time.monotonic() < end, f"still not true after {seconds:g} s: {expression}"
            time.sleep(0.05)
        return value


class Lab:
    """A JupyterLab server and a browser; `open` makes a notebook and opens it."""

    def __init__(self, browser: Browser, folder: Path, address: str) -> None:
        self.browser, self.folder, self.address = browser, folder, address
        self._numbers = count()

    @contextmanager
    def open(self, *cells: str) -> Iterator[NotebookPage]:
        """A new notebook with these code cells, not run yet."""
        name = f"test_{next(self._numbers)}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.folder / name)
        width, height = SIZES[0]
        page = self.browser.new_page(viewport={"width": width, "height": height})
        try:
            page.goto(f"{self.address}/doc/tree/{name}?token={TOKEN}&reset")
            page.wait_for_function("() => window.jupyterapp")
            yield NotebookPage(page)
        finally:
            page.close()


@contextmanager
def jupyter_lab(
    browser: Browser, folder: Path, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Lab]:
    """A server with folders and settings of its own, ended with all its kernels. environment: of
    the server, besides."""
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    for name, settings in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    port = _free_port()
    own = {f"JUPYTER_{kind}_DIR": str(folder / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces")}  # fmt: skip
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={notebooks}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            env=os.environ | own | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, server, folder / "server.log")
        yield Lab(browser, notebooks, address)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def keep_pictures(view: Locator, name: str, folder: Path, check: Callable[[], None]) -> None:
    """Screenshots of the browser with the view, in both sizes, after `check` has passed there."""
    page = view.page
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        view.scroll_into_view_if_needed()
        page.wait_for_timeout(300)  # the view fits itself to its new room
        check()
        page.screenshot(path=folder / f"{name}-{width}x{height}.png")


def cell_of(run_dir: Path, expression: str) -> str:
    """The code of a cell that shows a view of a run, called `view`; expression: its call."""
    return (
        "import miaod_nb\nfrom miaod_nb.views import board, selection_space, what_if\n"
        f"run = miaod_nb.open_run(run_dir={str(run_dir)!r})\nview = {expression}\nview"
    )


def part(view: Locator, role: str) -> Locator:
    """The part of a view with this data-role."""
    return view.locator(f'[data-role="{role}"]')


def parts_outside(view: Locator) -> list[str]:
    """The named parts of a view that stick out of it, which nobody would see in whole."""
    return view.evaluate("""(root) => {
        const frame = root.getBoundingClientRect();
        return [...root.querySelectorAll("[data-role], canvas, svg, table")].filter((part) => {
            const box = part.getBoundingClientRect();
            return part.checkVisibility() && box.width &&  // nor what a closed fold has
                (box.left < frame.left - 1 || box.right > frame.right + 1 ||
                box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
        }).map((part) => part.dataset.role || part.tagName);
    }""")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=5).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > end:
                pytest.fail(f"JupyterLab does not start:\n{log.read_text()}", pytrace=False)
            time.sleep(0.2)
