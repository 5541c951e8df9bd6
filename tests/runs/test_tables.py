"""Tables as text, and read from their files."""

import numpy as np
import pandas as pd
import pytest

from miaod_nb.evaluation import VOC12_AP
from miaod_nb.runs.tables import read_metrics, stacked_table


def test_stacked_table():
    table = pd.DataFrame(
        {"class": ["a", "bee"], "num_objects": [3, 10], "AP@0.5 (11 points)": [0.5, np.nan]}
    )
    assert stacked_table(table) == [
        "                     AP@0.5",
        "class  objects  (11 points)",
        "a            3       0.5000",
        "bee         10            -",
    ]


@pytest.mark.parametrize("name", ["None", "NA", "null", "007"])
def test_texts_that_look_like_gaps_or_numbers(tmp_path, name):
    row = {"cycle": 0, "labeled_images": 4, "strategy": "random", "evaluated_on": name}
    pd.DataFrame([row | {VOC12_AP: 0.5, "other": np.nan}]).to_csv(tmp_path / "m.csv", index=False)
    table = read_metrics(tmp_path / "m.csv")
    assert table["evaluated_on"].tolist() == [name] and table["other"].isna().all()
