#!/usr/bin/env bash
# datumaro 1.13.12 (VOC format), Python 3.11.
#
# Expected: a data set that datumaro writes as VOC can be read again by datumaro, whatever its
# labels are called; COCO, YOLO and CVAT keep such names.
# Seen: labels go into `labelmap.txt` as `name:color:parts:actions`, unquoted. One with a colon in it
# cuts its line elsewhere: the whole import fails. One that begins with # is taken for a comment, and
# one that begins with a blank loses it: the import fails at the first box, "Undeclared label".
#
# Output:
#   'cell': read again
#   'cell:red': DatasetImportError
#   '#1 cell': AnnotationImportError
#   ' cell': AnnotationImportError
#
# Fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datumaro==1.13.12
cd "$folder"
cat > try.py <<'PYTHON'
import logging
import tempfile

import numpy as np
from datumaro.components.annotation import Bbox
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image

logging.disable(logging.CRITICAL)
outcomes = []
for label in ("cell", "cell:red", "#1 cell", " cell"):
    folder = tempfile.mkdtemp()
    image = Image.from_numpy(data=np.zeros((50, 60, 3), np.uint8))
    item = DatasetItem("one", subset="train", media=image, annotations=[Bbox(1, 2, 9, 9, label=0)])
    Dataset.from_iterable([item], categories=[label]).export(folder, "voc", save_media=True)
    try:
        boxes = [one for item in Dataset.import_from(folder, "voc") for one in item.annotations]
        assert len(boxes) == 1
        outcomes.append("read again")
    except Exception as error:
        outcomes.append(type(error).__name__)
    print(f"{label!r}: {outcomes[-1]}")
failed = ["DatasetImportError", "AnnotationImportError", "AnnotationImportError"]
assert outcomes == ["read again", *failed], "datumaro behaves otherwise now"
PYTHON
"$folder/venv/bin/python" try.py
