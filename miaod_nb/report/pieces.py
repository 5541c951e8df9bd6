"""What a report is made of, before it is a page: texts, tables, pictures, in sections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Caution(Text):
    """A paragraph that warns of a wrong reading."""


@dataclass(frozen=True)
class Facts:
    """Terms, each with what is to be said of it."""

    facts: Mapping[str, str]


@dataclass(frozen=True)
class Command:
    """Lines to be given in a terminal."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table, numbers of it with three digits after the point; what it shows stands above it."""

    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Picture:
    """An image file's content. alt: what it shows, in words; caption: how to read it."""

    content: bytes
    kind: str  # png or jpeg
    alt: str
    caption: str


@dataclass(frozen=True)
class Card:
    """A picture of one image with a title and a few words."""

    picture: Picture
    title: str


@dataclass(frozen=True)
class Cards:
    """A gallery."""

    cards: Sequence[Card]


Piece = Text | Facts | Command | Table | Picture | Cards


@dataclass(frozen=True)
class Section:
    """A titled part of a report."""

    title: str
    pieces: Sequence[Piece]


@dataclass(frozen=True)
class Report:
    """A whole report; the first section says in short what the others say."""

    title: str
    sections: Sequence[Section]


def cell(value: object) -> str:
    """A table's value as text: no value is a dash."""
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.3f}"
    return "–" if value is None or value is pd.NA else str(value)


def duration(minutes: float) -> str:
    """A time for people: seconds, minutes or hours."""
    if minutes < 2:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
