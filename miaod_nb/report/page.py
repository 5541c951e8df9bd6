"""A report as one HTML page that is whole without a network."""

import base64
import re
from functools import singledispatch
from html import escape

import pandas as pd

from miaod_nb.report.pieces import (
    Cards,
    Caution,
    Command,
    Facts,
    Picture,
    Report,
    Section,
    Table,
    Text,
    cell,
)

SHORT = 24  # characters that a table does not break
DURATION = re.compile(r"–|[\d.]+ (s|min|h)")

# Plots keep their white sheet on a dark page: inverted, the colors of strategies would no longer be
# those of their names, and bright in a heat map would stand for little.
CSS = """
  :root { color-scheme: light dark;
          --paper: #ffffff; --ink: #111111; --quiet: #444444; --line: #d0d0d0; --link: #005a8c;
          --accent: #0072b2; --warning: #d55e00; --faint: #f3f3f3; }
  @media screen and (prefers-color-scheme: dark) {
    :root { --paper: #1b1d21; --ink: #e8e8e8; --quiet: #b4b8bf; --line: #3d4147; --link: #7cc0ee;
            --accent: #4aa3df; --warning: #f08a4b; --faint: #282b31; }
    .plot > img, .wide-plot > img { filter: brightness(0.92); }
  }
  body { font: 1rem/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
         margin: 0; }
  header, main, nav { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
  h1 { font-size: 1.9rem; line-height: 1.2; margin: 2rem 0 1rem; overflow-wrap: anywhere; }
  h2 { font-size: 1.4rem; margin: 3rem 0 0.75rem; padding-top: 0.5rem;
       border-top: 2px solid var(--accent); }
  p, dd { max-width: 46rem; overflow-wrap: anywhere; }
  nav ol { display: flex; flex-wrap: wrap; gap: 0.2rem 1.6rem; padding: 0.6rem 0;
           margin: 0; list-style: none; border-block: 1px solid var(--line); }
  a { color: var(--link); }
  .caution { border-left: 4px solid var(--warning); padding: 0.1rem 0 0.1rem 0.9rem; }
  dt { font-weight: 600; margin-top: 0.6rem; }
  dd { margin: 0; }
  figure { margin: 1.4rem 0; }
  img { max-width: 100%; height: auto; box-sizing: border-box; }
  .plot > img, .wide-plot > img { background: #ffffff; border-radius: 6px; padding: 0.5rem; }
  figure.plot > img { width: 46rem; }
  figure.wide-plot > img { width: 100%; }
  figcaption { color: var(--quiet); font-size: 0.92rem; max-width: 46rem; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
  th, td { padding: 0.3rem 0.8rem 0.3rem 0; text-align: left; vertical-align: top;
           border-bottom: 1px solid var(--line); overflow-wrap: break-word; max-width: 26rem; }
  th { border-bottom-color: var(--ink); vertical-align: bottom; max-width: 9rem; }
  .number { text-align: right; white-space: nowrap; }
  th.number { white-space: normal; }
  td.short { white-space: nowrap; }
  .cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); }
  .cards figure { margin: 0; }
  .cards img { width: 100%; border-radius: 4px; }
  .cards figcaption { overflow-wrap: anywhere; line-height: 1.35; }
  pre { background: var(--faint); padding: 0.7rem 0.9rem; white-space: pre-wrap;
        overflow-wrap: anywhere; }
  @media print {
    :root { color-scheme: light; font-size: 12px; }
    nav { display: none; }
    .wide { overflow: visible; }
    td.short { white-space: normal; }
    h2 { break-after: avoid; }
    figure, tr { break-inside: avoid; }
  }
"""


def as_html(report: Report) -> str:
    """The page; every text that comes from a run is escaped."""
    links = "".join(
        f'<li><a href="#part-{number}">{escape(section.title)}</a></li>'
        for number, section in enumerate(report.sections, start=1)
    )
    parts = "\n".join(_section(n, one) for n, one in enumerate(report.sections, start=1))
    title = escape(report.title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        f"<header><h1>{title}</h1></header>\n"
        f'<nav aria-label="Parts of this report"><ol>{links}</ol></nav>\n'
        f"<main>\n{parts}\n</main>\n"
        "</body>\n</html>\n"
    )


def _section(number: int, section: Section) -> str:
    pieces = "\n".join(_html(piece) for piece in section.pieces)
    title = escape(section.title)
    return f'<section id="part-{number}">\n<h2>{title}</h2>\n{pieces}\n</section>'


@singledispatch
def _html(piece: object) -> str:
    raise TypeError(f"a report has no {type(piece).__name__}")


@_html.register
def _(piece: Text) -> str:
    mark = ' class="caution"' if isinstance(piece, Caution) else ""
    return f"<p{mark}>{escape(piece.text)}</p>"


@_html.register
def _(piece: Facts) -> str:
    facts = [f"<dt>{escape(t)}</dt><dd>{escape(text)}</dd>" for t, text in piece.facts.items()]
    return f"<dl>{''.join(facts)}</dl>"


@_html.register
def _(piece: Command) -> str:
    return f"<pre>{escape(piece.text)}</pre>"


@_html.register
def _(piece: Table) -> str:
    marks = [_mark(values) for _, values in piece.frame.items()]
    heads = [f'<th scope="col"{mark}>{escape(str(name))}</th>'
             for mark, name in zip(marks, piece.frame, strict=True)]  # fmt: skip
    rows = [f"<tr>{''.join(heads)}</tr>"]
    for values in piece.frame.itertuples(index=False):
        cells = zip(marks, values, strict=True)
        rows.append(f"<tr>{''.join(f'<td{m}>{escape(cell(v))}</td>' for m, v in cells)}</tr>")
    caption = escape(piece.caption)
    return (  # the box of a wide table scrolls, by keys too
        f"<figure><figcaption>{caption}</figcaption>"
        f'<div class="wide" tabindex="0" role="region" aria-label="{caption}">'
        f"<table>{''.join(rows)}</table></div></figure>"
    )


@_html.register
def _(piece: Picture) -> str:
    shape = "plot" if piece.kind == "png" else "wide-plot"  # rows of photos take all the room
    return f'<figure class="{shape}">{_image(piece)}{_caption(piece.caption)}</figure>'


@_html.register
def _(piece: Cards) -> str:
    figures = [
        f"<figure>{_image(card.picture)}<figcaption><b>{escape(card.title)}</b><br>"
        f"{escape(card.picture.caption)}</figcaption></figure>"
        for card in piece.cards
    ]
    return f'<div class="cards">{"".join(figures)}</div>'


def _mark(values: pd.Series) -> str:
    """How the cells of a column are set: numbers to the right, short texts in one line."""
    texts = [cell(value) for value in values]
    if pd.api.types.is_numeric_dtype(values) or all(map(DURATION.fullmatch, texts)):
        return ' class="number"'
    return ' class="short"' if max(map(len, texts), default=0) <= SHORT else ""


def _image(picture: Picture) -> str:
    content = base64.b64encode(picture.content).decode()
    return f'<img alt="{escape(picture.alt)}" src="data:image/{picture.kind};base64,{content}">'


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>"
