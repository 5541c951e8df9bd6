"""A run or a data set looked at before training: every finding, the worst first."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import torch

from miaod_nb.config import Config
from miaod_nb.detector import MEND, detector_maker
from miaod_nb.doctor.alike import alike_findings
from miaod_nb.doctor.classes import class_findings
from miaod_nb.doctor.copies import Copies, copy_findings, find_copies, in_both_lists
from miaod_nb.doctor.counted import counted_findings
from miaod_nb.doctor.examined import Examined, examine_data, examine_run
from miaod_nb.doctor.finding import Finding, Severity, worst_first
from miaod_nb.doctor.machine import machine_findings, machine_lines
from miaod_nb.doctor.needs import need_findings, need_lines, needs_of
from miaod_nb.doctor.objects import bare_detector, object_findings
from miaod_nb.doctor.sizes import size_findings
from miaod_nb.errors import ConfigError, MiaodError
from miaod_nb.plugins import own_code_explained
from miaod_nb.runs.machine import memory_explained, resolve_device
from miaod_nb.runs.record import is_run


class Checkup(NamedTuple):
    """What came out. findings: the worst first. facts: what was looked at, and what the machine
    has, by name."""

    examined: Examined
    copies: Copies
    findings: Sequence[Finding]
    facts: Mapping[str, str]

    @property
    def stops(self) -> bool:
        """Whether training cannot begin, or would end early."""
        return any(one.severity is Severity.STOPS for one in self.findings)


def check_up(path: Path, train_list: str = "", audit: bool = False) -> Checkup:
    """The findings of a run folder, or of a data set (train_list, audit: see `examine_data`).

    Decodes every image; writes nothing but features of a batch that the board would compute, too.
    Raises MiaodErrors where there is nothing that could be looked at.
    """
    examined = examine_run(path) if is_run(path) else examine_data(path, train_list, audit)
    images, refusal = examined.images, examined.refusal
    copies = find_copies(examined)
    alike, alike_said = alike_findings(examined)
    device = _device(images.config)
    of_machine = machine_findings(images.config, device)
    of_detector: list[Finding] = []
    needs: dict[str, str] = {}
    if not of_machine or of_machine[0].severity < Severity.STOPS:  # else nothing can be tried
        of_detector, needs = _tried(examined, device, path)
    findings = [
        *([_refused(refusal)] if refusal else in_both_lists(examined)),
        *counted_findings(examined), *copy_findings(examined, copies), *alike, *of_detector,
        *class_findings(examined), *size_findings(examined), *of_machine,
    ]  # fmt: skip
    said = {
        "images": f"{len(images.pool)} of the pool ({images.config.train_list}), "
        f"{len(images.test)} to test on ({images.config.test_list}), in {images.data_root}",
        "labels": _labels_said(examined),
        "look-alikes": alike_said,
    }
    facts = said | machine_lines(images.config, device) | needs
    return Checkup(examined, copies, worst_first(findings), facts)


def _refused(error: MiaodError) -> Finding:
    where = f" ({error.where})" if error.where is not None else ""
    return Finding(Severity.STOPS, f"{error.what}{where}", 1, error.remedy or "")


def _labels_said(examined: Examined) -> str:
    read = examined.labels.images
    if read is None:
        has_labels = examined.images.sources.pool.labeled_ids()  # known without opening any
        count = sum(one.id in has_labels for one in examined.images.pool)
        return f"{count} pool images have some; none was read (--audit reads those of a data set)"
    tested = sum(one.is_tested for one in read)
    return f"those of {len(read) - tested} images to train on and {tested} to test on were read"


def _device(config: Config) -> torch.device:
    try:
        return resolve_device(config.device)
    except ConfigError:  # the run was refused for it, and that is a finding
        return torch.device("cpu")


def _tried(
    examined: Examined, device: torch.device, path: Path
) -> tuple[list[Finding], dict[str, str]]:
    """What the run's detector, without weights, says of objects, memory and disk; that it fails is
    a finding, too."""
    config, run = examined.images.config, examined.run
    done = len(run.record.trained) if run else 0
    folder = path if is_run(path) else Path("runs")
    try:
        with memory_explained(), _own_code_explained(config):
            model = bare_detector(config, len(examined.labels.classes) or 1)
            of_objects = object_findings(examined, model)
            needs = needs_of(config, model, examined.images.pool, config.cycles - done)
    except MiaodError as error:
        return [_refused(error)], {}
    found = [*of_objects, *need_findings(needs, config, device, folder)]
    return found, need_lines(needs, device, folder)


def _own_code_explained(config: Config) -> AbstractContextManager[None]:
    what = f"the detector '{config.detector}'"
    return own_code_explained(what, detector_maker(config.detector), MEND)
