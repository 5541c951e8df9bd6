"""The report of one or several runs: a page and a summary for people who have not seen them.

pieces: what a report is made of, before it is a page: texts, tables, pictures, in sections
drawing: figures as files in memory
page: a report as one HTML page that is whole without a network
reported: a run as a report reads it: by ids, from its folder, also when its images are gone since
loading: the runs that a report is about, read from their folders
losses: the curves of a run's training
making: the last part of a report: how to make it again, on what it ran, what it took
measured: which runs can be compared by what, and what cannot be compared at all
beginning: the parts of a report that come first: in short, what was compared, the data
data_part: the part of a report about the images: how many, of which classes, which were left out
detectors: the part of a report about the detectors: what they find, how sure they are
gallery: the images that a cycle chose as its detector sees them: boxes, reasons, heat maps
choices: the part of a report about the images that were chosen, and why
more_labels: what more labels would probably bring, in words and as continued curves
results: the part of a report about mAP: curves, tables, classes
summary: a report as Markdown: its texts and tables; pictures are named, not shown
"""

from collections.abc import Sequence
from pathlib import Path

from miaod_nb.experiment import Run
from miaod_nb.progress import say
from miaod_nb.report import beginning, choices, data_part, detectors, making, results
from miaod_nb.report.loading import load_runs
from miaod_nb.report.measured import measured
from miaod_nb.report.page import as_html
from miaod_nb.report.pieces import Report
from miaod_nb.report.summary import as_markdown
from miaod_nb.runs.machine import memory_explained, prepare_torch, resolve_device
from miaod_nb.runs.outputs import check_out, out_folder


def write_report(runs: Sequence[Run | str | Path], out: str | Path = "") -> list[Path]:
    """Writes `report.html`, one page that needs nothing else, and `report.md`, its text and tables.

    runs: experiments or their folders, in the order in which they are to stand. out: a folder; left
    out, that of the first run. Raises MiaodErrors.
    """
    if out:
        check_out(Path(out))
    report = make_report(runs)
    first = runs[0]
    home = first.folder.root if isinstance(first, Run) else Path(first)
    place = Path(out) if out else home
    with out_folder(place) as folder:
        folder.save_text("report.html", as_html(report))
        folder.save_text("report.md", as_markdown(report))
    paths = [place / "report.html", place / "report.md"]
    say(f"open {paths[0]} to read and show the results")
    return paths


def make_report(runs: Sequence[Run | str | Path]) -> Report:
    """The report of these runs, its figures drawn. Raises MiaodErrors."""
    loaded = load_runs(runs)
    prepare_torch(loaded[0].record.config, resolve_device("auto"))
    groups = measured(loaded)
    with memory_explained():
        sections = [
            *beginning.to_label(loaded[0]),
            beginning.in_short(loaded, groups),
            beginning.what_was_compared(loaded),
            data_part.the_data(loaded),
            results.results(groups),
            choices.choices(loaded),
            detectors.detectors(loaded, groups),
            making.how_it_was_made(loaded),
            beginning.words(),
        ]
    names = ", ".join(run.name for run in loaded)
    return Report(f"Which images to label next: {names}", sections)
