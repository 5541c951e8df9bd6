"""The findings as a page with pictures, in the style of the report."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image

from miaod_nb import plots
from miaod_nb.data.images import load_image
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.upright import Box
from miaod_nb.doctor.checkup import Checkup
from miaod_nb.doctor.finding import Example, Finding, Severity
from miaod_nb.progress import progress
from miaod_nb.report.drawing import card
from miaod_nb.report.page import as_html
from miaod_nb.report.pieces import Card, Cards, Caution, Facts, Piece, Report, Section, Table, Text

MOST_SHOWN = 8  # examples of a finding
MOST_NAMED = 200
LONGEST = 640  # pixels of a picture's longer side
LEAST_SIDE = 12  # of a box that is drawn


def page_of(checkup: Checkup, title: str) -> str:
    """The page; every text is escaped, and nothing is loaded from elsewhere."""
    sections = [_in_short(checkup)]
    for finding in progress(checkup.findings, "drawing"):
        sections.append(Section(_title(finding), _pieces(finding)))
    return as_html(Report(f"Before training: {title}", sections))


def _in_short(checkup: Checkup) -> Section:
    rows = [
        {
            "how bad": one.severity.words,
            "count": one.count,
            "what": one.what,
            "what to do": one.remedy,
        }
        for one in checkup.findings
    ]
    verdict = "Nothing was found that stops training."
    if checkup.stops:
        verdict = "Training would not begin, or end early: see what stops it."
    pieces: list[Piece] = [Caution(verdict) if checkup.stops else Text(verdict)]
    if rows:
        pieces.append(Table("What was found, the worst first.", pd.DataFrame(rows)))
    return Section("In short", [*pieces, Facts(checkup.facts)])


def _title(finding: Finding) -> str:
    """The finding as far as its first pause."""
    return finding.times + re.split("[:(,]", finding.what)[0].strip()


def _pieces(finding: Finding) -> list[Piece]:
    head = f"{finding.severity.words.capitalize()}: {finding.what}."
    pieces: list[Piece] = [
        Caution(head) if finding.severity is Severity.STOPS else Text(head),
        Text(f"What to do: {finding.remedy}."),
    ]
    shown = [one for one in finding.examples if one.record][:MOST_SHOWN]
    cards = [found for one in shown for found in _cards(one)]
    if cards:
        pieces.append(Cards(cards))
    if len(finding.examples) > len(shown):
        pieces.append(Text(_named(finding.examples)))
    return pieces


def _named(examples: Sequence[Example]) -> str:
    names = [one.label + f" ({one.words})" * bool(one.words) for one in examples]
    more = f" and {len(names) - MOST_NAMED} more" * (len(names) > MOST_NAMED)
    return f"By name: {', '.join(names[:MOST_NAMED])}{more}."


def _cards(example: Example) -> list[Card]:
    """The image with its boxes, and its twin."""
    record, twin = example.record, example.twin
    cards = [_card(record, example.words, example.boxes)] if record else []
    if twin:
        cards.append(_card(twin, f"which {example.name} shows again", ()))
    return cards


def _card(record: ImageRecord, words: str, boxes: Sequence[Box]) -> Card:
    whole = load_image(record.image_path, record.gray).permute(1, 2, 0)
    small = Image.fromarray(whole.numpy())
    small.thumbnail((LONGEST, LONGEST))
    drawn = np.reshape(boxes, (-1, 4)) * (small.width / record.width)
    grown = np.maximum(LEAST_SIDE - (drawn[:, 2:] - drawn[:, :2]), 0) / 2  # of what has no area
    drawn += np.hstack([-grown, grown])
    pixels = np.asarray(small)

    def draw(axes: Axes) -> None:
        plots.boxes_on_image(axes, pixels, drawn, role="missed")

    alt = f"image {record.id}" + f" with {len(drawn)} boxes" * bool(len(drawn))
    return Card(card(pixels, draw, alt, words), record.id)
