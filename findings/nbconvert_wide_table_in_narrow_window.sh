#!/usr/bin/env bash
# nbconvert 7.17.2 (HTML export, template "lab"), seen with Chromium 156 through Playwright 1.65.2.
#
# Expected: an output that is wider than the page, such as a table of a data frame with many
# columns, can be scrolled sideways in its own box, in a window of any width.
# Seen: so it is from 761 CSS pixels on. At 760 and less (a phone, half a screen) the style sheet
# makes the output a table row, which cannot scroll, inside a box that hides what sticks out: the
# columns beyond the edge cannot be reached, and nothing says that they are there.
# A page can mend it by giving `.jp-OutputArea-output` a display that scrolls, below that width.
#
# Output:
#   761 pixels wide: a turn of the wheel moves the last column by 300 pixels
#   760 pixels wide: a turn of the wheel moves the last column by 0 pixels
#
# Needs a Chromium on this machine. Fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q nbconvert==7.17.2 nbformat==5.11.1 playwright==1.65.2
cd "$folder"
cat > try.py <<'PYTHON'
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import sync_playwright

cells = "".join(f"<td>column {number}</td>" for number in range(40))
shown = {"text/html": f"<table><tr>{cells}</tr></table>", "text/plain": "a wide table"}
output = new_output("execute_result", shown, execution_count=1)
notebook = new_notebook(cells=[new_code_cell("table", outputs=[output], execution_count=1)])
nbformat.validate(notebook)
Path("page.html").write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")

moved = {}
with sync_playwright() as playwright:
    chromium = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
    for width in (761, 760):
        context = chromium.new_context(viewport={"width": width, "height": 600}, offline=True)
        page = context.new_page()
        page.goto(Path("page.html").resolve().as_uri(), wait_until="domcontentloaded")
        place = page.locator("td").first.bounding_box()
        left = "() => document.querySelector('td:last-child').getBoundingClientRect().left"
        before = page.evaluate(left)
        page.mouse.move(place["x"] + 5, place["y"] + 5)
        page.mouse.wheel(300, 0)
        page.wait_for_timeout(1000)
        moved[width] = round(before - page.evaluate(left))
        print(f"{width} pixels wide: a turn of the wheel moves the last column by "
              f"{moved[width]} pixels")
    chromium.close()
assert moved[761] == 300 and moved[760] == 0, "nbconvert behaves otherwise now"
PYTHON
"$folder/venv/bin/python" try.py "$browser"
