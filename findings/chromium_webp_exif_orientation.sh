#!/usr/bin/env bash
# Chromium 156, seen through Playwright 1.65.2; images written by Pillow 12.
#
# Expected: a picture whose EXIF entry says that the camera was held sideways is shown upright,
# whatever its format (CSS image-orientation: from-image, the default).
# Seen: so it is with JPEG, PNG and AVIF. WebP is shown as it is stored, though its EXIF entry says
# the same and Pillow turns it: boxes of the upright picture lie elsewhere in label tools that are
# web pages, Label Studio for one.
# An export for such a tool can mend it by turning the pixels of its copies.
#
# Output (width x height of a picture stored as 64 x 48 with the orientation 6):
#   jpg: Pillow 48 x 64, Chromium 48 x 64
#   png: Pillow 48 x 64, Chromium 48 x 64
#   avif: Pillow 48 x 64, Chromium 48 x 64
#   webp: Pillow 48 x 64, Chromium 64 x 48
#
# Needs a Chromium on this machine. Fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'pillow>=12,<13' playwright==1.65.2
cd "$folder"
cat > try.py <<'PYTHON'
import sys
from pathlib import Path

from PIL import ExifTags, Image, ImageOps
from playwright.sync_api import sync_playwright

SHOWN = """async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
}"""

shown = {}
with sync_playwright() as playwright:
    chromium = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
    page = chromium.new_page()
    page.goto(Path("try.py").resolve().as_uri())
    for kind in ("jpg", "png", "avif", "webp"):
        file, exif = Path(f"photo.{kind}"), Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        Image.new("RGB", (64, 48)).save(file, exif=exif)
        with Image.open(file) as image:
            width, height = ImageOps.exif_transpose(image).size
        shown[kind] = page.evaluate(SHOWN, file.resolve().as_uri())
        print(f"{kind}: Pillow {width} x {height}, Chromium {' x '.join(map(str, shown[kind]))}")
        assert (width, height) == (48, 64)
    chromium.close()
assert shown.pop("webp") == [64, 48], "Chromium turns WebP now"
assert all(size == [48, 64] for size in shown.values()), "Chromium behaves otherwise now"
PYTHON
"$folder/venv/bin/python" try.py "$browser"
