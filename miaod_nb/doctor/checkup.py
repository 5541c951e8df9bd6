"""A run or a data set looked at before training: every finding, the worst first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from miaod_nb.detector import build_detector
from miaod_nb.doctor.alike import alike_findings
from miaod_nb.doctor.classes import class_findings
from miaod_nb.doctor.copies import Copies, copy_findings, find_copies, in_both_lists
from miaod_nb.doctor.counted import counted_findings
from miaod_nb.doctor.examined import Examined, examine_data, examine_run
from miaod_nb.doctor.finding import Finding, Severity, worst_first
from miaod_nb.doctor.machine import machine_findings, machine_lines
from miaod_nb.doctor.needs import need_findings, need_lines, needs_of
from miaod_nb.doctor.objects import object_findings
from miaod_nb.doctor.sizes import size_findings
from miaod_nb.errors import ConfigError, MiaodError
from miaod_nb.experiment.training import without_pretrained
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
    with memory_explained():
        copies = find_copies(examined)
        alike, alike_said = alike_findings(examined)
        of_machine, facts = _machine(examined, path)
    findings = [
        *([_refused(refusal)] if refusal else in_both_lists(examined)),
        *counted_findings(examined), *copy_findings(examined, copies), *alike,
        *object_findings(examined), *class_findings(examined), *size_findings(examined),
        *of_machine,
    ]  # fmt: skip
    said = {
        "images": f"{len(images.pool)} of the pool ({images.config.train_list}), "
        f"{len(images.test)} to test on ({images.config.test_list}), in {images.data_root}",
        "labels": _labels_said(examined),
        "look-alikes": alike_said,
    }
    return Checkup(examined, copies, worst_first(findings), said | facts)


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


def _machine(examined: Examined, path: Path) -> tuple[list[Finding], dict[str, str]]:
    config = examined.images.config
    try:
        device = resolve_device(config.device)
    except ConfigError:  # the run was refused for it, and that is a finding
        device = torch.device("cpu")
    facts = machine_lines(config, device)
    found = machine_findings(config, device)
    if any(one.severity is Severity.STOPS for one in found):
        return found, facts
    model = build_detector(without_pretrained(config), len(examined.labels.classes) or 1)
    needs = needs_of(config, model, examined.images.pool)
    found += need_findings(needs, config, device, path)
    return found, facts | need_lines(needs, device, path)
