#!/usr/bin/env bash
# pandas 3.1.1, Python 3.11.
#
# Torchvision's list of COCO categories calls the ten numbers that COCO left out "N/A", so boxes that
# are written with class names may have that name.
# Expected: a column that has a converter of its own (`read_csv(converters={"class": str})`), which is
# applied instead of a conversion to a type, holds the text of the file.
# Seen: what the converter gave is compared with the words for missing values afterwards, so N/A
# becomes NaN, whatever function it is, unless that adds to the text; `dtype=str` does the same.
# `keep_default_na=False` keeps the name.
#
# Output:
#   converters, str: ['dog', nan]
#   converters, a function: ['dog', nan]
#   converters, one that adds to the text: ['class dog', 'class N/A']
#   keep_default_na=False: ['dog', 'N/A']
#
# Fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pandas==3.1.1
cd "$folder"
cat > boxes.csv <<'CSV'
image,x1,y1,x2,y2,score,class
a.jpg,1,2,30,40,0.9,dog
a.jpg,5,6,20,30,0.4,N/A
CSV
cat > try.py <<'PYTHON'
import pandas as pd

ways = {
    "converters, str": {"converters": {"class": str}},
    "converters, a function": {"converters": {"class": lambda text: text.strip()}},
    "converters, one that adds to the text": {"converters": {"class": lambda text: f"class {text}"}},
    "keep_default_na=False": {"keep_default_na": False},
}
seen = {name: pd.read_csv("boxes.csv", **way)["class"].tolist() for name, way in ways.items()}
for name, classes in seen.items():
    print(f"{name}: {classes}")
lost = [name for name, (_, second) in seen.items() if pd.isna(second)]
assert lost == ["converters, str", "converters, a function"], "pandas behaves otherwise now"
PYTHON
"$folder/venv/bin/python" try.py
