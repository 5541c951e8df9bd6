"""`miaod doctor`: data and machine looked at before training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from miaod_nb.errors import ConfigError, DataError, nearest_path

if TYPE_CHECKING:
    from miaod_nb.doctor.checkup import Checkup

EXAMPLES = (
    "miaod doctor runs/mine",
    "miaod doctor VOC2007 --audit --page doctor.html",
    "miaod doctor VOC2007 --fix lists",
)


def doctor(
    path: Annotated[Path, typer.Argument(help="Run folder, or a data set as for `miaod new`.")],
    image_list: Annotated[
        str,
        typer.Option("--list", help="Of a data set: its pool; left out: as for `miaod new`."),
    ] = "",
    audit: Annotated[
        bool,
        typer.Option(
            "--audit", help="Of a data set: also read every label: only for fully labeled sets."
        ),
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option(
            help="HTML file for the findings with pictures; left out: doctor.html in a run folder."
        ),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(help="Folder for new lists without copies and leaks; data stay as they are."),
    ] = None,
) -> None:
    """Name what will stop or spoil training, before it begins.

    Broken files, copies, test images that are trained on, faulty labels, objects that anchors miss,
    classes with few labels, odd sizes, memory, disk, libraries. Of a run the labels that it knows
    are read, of a data set none without --audit. Exit code: 1 if something stops training, else 0.
    """
    from miaod_nb.runs.outputs import check_file, check_out, out_folder
    from miaod_nb.runs.record import is_run

    if not path.exists():
        raise DataError("there is no such file or folder", where=path,
                        remedy=f"{nearest_path(path)}correct the path")  # fmt: skip
    if is_run(path):
        if image_list or audit:
            raise ConfigError("--list and --audit are for data sets", where=path,
                              remedy="leave them out: a run has its lists and labels")  # fmt: skip
        page = page or path / "doctor.html"
    if page:
        check_file(page, "--page")
    if fix:
        check_out(fix, "--fix")
    checkup = _check_up(path, image_list, audit)
    typer.echo("\n".join(_lines(checkup, path)))
    if page:
        from miaod_nb.doctor.page import page_of

        with out_folder(page.parent, "--page") as folder:
            folder.save_text(page.name, page_of(checkup, str(path)))
        typer.echo(f"open {page} to see them with pictures")
    if fix:
        from miaod_nb.doctor.lists import write_lists

        typer.echo("\n".join(write_lists(checkup, fix)))
    if checkup.stops:
        raise typer.Exit(1)


def _check_up(path: Path, image_list: str, audit: bool) -> "Checkup":
    """Raises ConfigError for libraries that cannot even be imported together."""
    try:
        from miaod_nb.doctor.checkup import check_up
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        from importlib.metadata import version

        versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision"))
        raise ConfigError(
            f"stops training: the libraries cannot be loaded ({error})", where=versions,
            remedy="install torch and torchvision anew, of one release and for one device "
            "(pytorch.org/get-started)",
        ) from error  # fmt: skip
    return check_up(path, image_list, audit)


def _lines(checkup: "Checkup", path: Path) -> list[str]:
    from miaod_nb.doctor.finding import Severity

    counts = [
        f"{count} {severity.words}" for severity in reversed(Severity)
        if (count := sum(one.severity is severity for one in checkup.findings))
    ]  # fmt: skip
    lines = [f"{path}: {', '.join(counts) or 'nothing found'}"]
    for one in checkup.findings:
        lines += [one.line, f"  what to do: {one.remedy}"]
    return [*lines, *(f"{name}: {text}" for name, text in checkup.facts.items())]
