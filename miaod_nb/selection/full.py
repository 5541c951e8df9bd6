"""Full supervision: every label at once, the ceiling."""

from dataclasses import dataclass

from miaod_nb.runs.card import Card
from miaod_nb.selection.random import Random


@dataclass(frozen=True)
class Full(Random):
    """Every image is labeled from the start: the ceiling that the others are measured against."""

    card = Card(
        name="full", label="all labels", words="all of them, from the start",
        reason="full supervision", labels_all=True, look="full",
    )  # fmt: skip
