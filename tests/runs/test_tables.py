"""Tables as text."""

import numpy as np
import pandas as pd

from miaod_nb.runs.tables import stacked_table


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
