"""The page about stopping tells what its script measures."""

import importlib
import sys

import numpy as np

from tests.conftest import PROJECT

sys.path.insert(0, str(PROJECT / "docs"))
stop_or_go = importlib.import_module("stop_or_go")  # no package: the script of a page
PAGE = (PROJECT / "docs/stop-or-go.md").read_text()


def test_the_table_of_the_published_curves_is_what_the_script_prints():
    assert stop_or_go.markdown(stop_or_go.table_of(stop_or_go.published())) in PAGE


def test_the_expectation_is_nearer_than_the_last_value_and_a_straight_line():
    table = stop_or_go.table_of(stop_or_go.published())
    assert (table["off"] < table["last value off"]).all()
    assert (table["off"] < table["straight line off"]).all()


def test_every_own_run_is_a_curve_and_full_supervision_belongs_to_its_training():
    curves = stop_or_go.own()
    assert len(curves) >= 3 and all((np.diff(one.images) > 0).all() for one in curves)
    assert any(one.full for one in curves)
    assert all(one.full[0] >= one.images[-1] for one in curves if one.full)


def test_points_are_hidden_from_three_on():
    known = stop_or_go.Known(np.array([10, 20, 30, 40, 50]), np.linspace(0.2, 0.6, 5), (99, 0.8))
    tried = [(one.known, one.where) for one in stop_or_go.hide(known)]
    assert tried == [
        (3, "1 ahead"), (3, "2 ahead"), (3, "all labels"), (4, "1 ahead"), (4, "all labels"),
        (5, "all labels"),
    ]  # fmt: skip
