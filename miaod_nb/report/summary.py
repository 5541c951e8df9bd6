"""A report as Markdown: its texts and tables; pictures are named, not shown."""

import re
from collections.abc import Sequence
from functools import singledispatch

from miaod_nb.report.pieces import (
    Cards,
    Caution,
    Command,
    Facts,
    Picture,
    Report,
    Table,
    Text,
    cell,
)


def as_markdown(report: Report, page: str = "report.html") -> str:
    """The report as text. page: the file that has its pictures."""
    lines = [f"# {escaped(report.title)}", "", f"Figures: [{page}]({page})", ""]
    for section in report.sections:
        lines += [f"## {escaped(section.title)}", ""]
        for piece in section.pieces:
            lines += [*_lines(piece), ""]
    return "\n".join(lines)


def escaped(text: object) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", str(text)).replace("\n", " ")


@singledispatch
def _lines(piece: object) -> Sequence[str]:
    raise TypeError(f"a report has no {type(piece).__name__}")


@_lines.register
def _(piece: Text) -> Sequence[str]:
    mark = "> " if isinstance(piece, Caution) else ""
    return [mark + escaped(piece.text)]


@_lines.register
def _(piece: Facts) -> Sequence[str]:
    return [f"- **{escaped(term)}**: {escaped(text)}" for term, text in piece.facts.items()]


@_lines.register
def _(piece: Command) -> Sequence[str]:
    return ["```", piece.text.replace("```", "'''"), "```"]


@_lines.register
def _(piece: Table) -> Sequence[str]:
    rows = [list(piece.frame), *piece.frame.itertuples(index=False)]
    lines = ["| " + " | ".join(escaped(cell(value)) for value in row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(piece.frame.columns))
    return [escaped(piece.caption), "", *lines]


@_lines.register
def _(piece: Picture) -> Sequence[str]:
    return [f"*{escaped(piece.alt)}.* {escaped(piece.caption)}"]


@_lines.register
def _(piece: Cards) -> Sequence[str]:
    return [f"- {escaped(card.title)}: {escaped(card.picture.caption)}" for card in piece.cards]
