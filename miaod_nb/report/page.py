"""A report as one HTML page that is whole without a network."""

import base64
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

CSS = """
  :root { color-scheme: light; }
  body { font: 16px/1.55 system-ui, sans-serif; color: #111; background: #fff; margin: 0; }
  main, nav { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
  h1 { font-size: 1.9rem; line-height: 1.2; margin: 2rem 0 1rem; }
  h2 { font-size: 1.4rem; margin: 3rem 0 0.75rem; padding-top: 0.5rem;
       border-top: 2px solid #0072b2; }
  p, dd { max-width: 46rem; }
  nav ol { display: flex; flex-wrap: wrap; gap: 0.2rem 1.6rem; padding: 0.6rem 0;
           margin: 0; list-style: none; border-block: 1px solid #ccc; }
  a { color: #005a8c; }
  .caution { border-left: 4px solid #d55e00; padding: 0.1rem 0 0.1rem 0.9rem; }
  dt { font-weight: 600; margin-top: 0.6rem; }
  dd { margin: 0; overflow-wrap: anywhere; }
  figure { margin: 1.4rem 0; }
  figure > img { max-width: 100%; height: auto; }
  figure.plot > img { width: 46rem; }
  figure.wide-plot > img { width: 100%; }
  figcaption { color: #444; font-size: 0.92rem; max-width: 46rem; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
  th, td { padding: 0.3rem 0.8rem 0.3rem 0; text-align: left; vertical-align: top;
           border-bottom: 1px solid #ddd; overflow-wrap: break-word; max-width: 26rem; }
  th { border-bottom: 1px solid #111; vertical-align: bottom; max-width: 9rem; }
  .number { text-align: right; }
  td.short { white-space: nowrap; }
  .cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); }
  .cards figure { margin: 0; }
  .cards img { width: 100%; }
  .cards figcaption { overflow-wrap: anywhere; line-height: 1.35; }
  pre { background: #f3f3f3; padding: 0.7rem 0.9rem; white-space: pre-wrap; }
  @media print { nav { display: none; } h2, figure, table { break-inside: avoid; } }
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
        f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{title}</h1>\n</main>\n<nav><ol>{links}</ol></nav>\n<main>\n{parts}\n</main>\n"
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
    heads = zip(marks, piece.frame, strict=True)
    rows = [f"<tr>{''.join(f'<th{mark}>{escape(str(n))}</th>' for mark, n in heads)}</tr>"]
    for values in piece.frame.itertuples(index=False):
        cells = zip(marks, values, strict=True)
        rows.append(f"<tr>{''.join(f'<td{m}>{escape(cell(v))}</td>' for m, v in cells)}</tr>")
    return (
        f"<figure><figcaption>{escape(piece.caption)}</figcaption>"
        f'<div class="wide"><table>{"".join(rows)}</table></div></figure>'
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
    if pd.api.types.is_numeric_dtype(values):
        return ' class="number"'
    return ' class="short"' if max(map(len, map(cell, values)), default=0) <= SHORT else ""


def _image(picture: Picture) -> str:
    content = base64.b64encode(picture.content).decode()
    return f'<img alt="{escape(picture.alt)}" src="data:image/{picture.kind};base64,{content}">'


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>"
