#!/usr/bin/env bash
# torch 2.14.1, torchvision 0.29.1, Python 3.11.
#
# The anchors of torchvision's RetinaNet (`retinanet_resnet50_fpn`), as its anchor generator lays
# them for square inputs that are multiples of 32, to which its transform pads.
# Expected: anchors stand 8, 16, 32, 64 and 128 px apart on P3 to P7, as far as the convolutions that
# make these levels step, so that each stands on what its outputs see.
# Seen: the distance is side // cells. The convolutions of stride 2 round up, so where the side is no
# multiple of 128 the anchors of P7, and at 800 px those of P6 too, stand too close: the farther right
# and down, the farther they lie from what the network sees there, up to 84 px at 800. Weights trained
# so have learned it. Code that lays anchors at multiples of 64 and 128 for the same weights (an
# export, another framework) puts large boxes elsewhere; padding to multiples of 128 makes both agree.
#
# Output:
#   512 px: anchors every [8, 16, 32, 64, 128] px; the last column lies [0, 0, 0, 0, 0] px too far left
#   800 px: anchors every [8, 16, 32, 61, 114] px; the last column lies [0, 0, 0, 36, 84] px too far left
#   832 px: anchors every [8, 16, 32, 64, 118] px; the last column lies [0, 0, 0, 0, 60] px too far left
#   1344 px: anchors every [8, 16, 32, 64, 122] px; the last column lies [0, 0, 0, 0, 60] px too far left
#
# Fails if the behavior changes. Installs several gigabytes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.14.1 torchvision==0.29.1
cd "$folder"
cat > try.py <<'PYTHON'
import torch
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import _default_anchorgen

seen = {}
for side in (512, 800, 832, 1344):
    cells = [side // 8]
    while len(cells) < 5:
        cells.append(-(-cells[-1] // 2))  # a convolution of stride 2 rounds up
    maps = [torch.zeros(1, 1, n, n) for n in cells]
    images = ImageList(torch.zeros(1, 3, side, side), [(side, side)])
    (anchors,) = _default_anchorgen()(images, maps)
    steps, worst = [], []
    for n, nominal, level in zip(
        cells, (8, 16, 32, 64, 128), anchors.split([9 * n * n for n in cells]), strict=True
    ):
        x = ((level[:, 0] + level[:, 2]) / 2).reshape(n, n, 9)[0, :, 4]
        steps.append(int(x[1] - x[0]))
        worst.append(int((n - 1) * nominal - x[-1]))
    print(f"{side} px: anchors every {steps} px; the last column lies {worst} px too far left")
    seen[side] = steps[3:], worst[3:]
assert seen == {
    512: ([64, 128], [0, 0]), 800: ([61, 114], [36, 84]),
    832: ([64, 118], [0, 60]), 1344: ([64, 122], [0, 60]),
}, seen
PYTHON
"$folder/venv/bin/python" try.py
