"""What is found before training: how bad, how often, in which images, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from miaod_nb.config import Config
from miaod_nb.data.records import ImageRecord
from miaod_nb.data.upright import Box

MOST_NAMED = 5  # images of a line


class Severity(IntEnum):
    """How bad a finding is, worse ones being greater."""

    NOTE = 0
    HURTS = 1
    STOPS = 2

    @property
    def words(self) -> str:
        """For people."""
        return ("worth knowing", "will hurt", "stops training")[self]


@dataclass(frozen=True)
class Example:
    """An image, or a class, that a finding is about.

    record: of the image, where it can be shown. words: what is to be said of it. boxes: to be
    drawn, xyxy in its pixels. twin: the image that it is a copy of, or looks like.
    """

    name: str
    record: ImageRecord | None = None
    words: str = ""
    boxes: Sequence[Box] = ()
    twin: ImageRecord | None = None

    @property
    def label(self) -> str:
        """Its name, and that of its twin."""
        return f"{self.name} = {self.twin.id}" if self.twin else self.name


@dataclass(frozen=True)
class Finding:
    """A known failure that was met `count` times; the examples may be fewer."""

    severity: Severity
    what: str
    count: int
    remedy: str
    examples: Sequence[Example] = ()

    @property
    def times(self) -> str:
        """How often, as the beginning of a line; "" where there is nothing to count."""
        return f"{self.count} x " * bool(self.examples)

    @property
    def line(self) -> str:
        """The finding in a line, with the first examples."""
        names = list(dict.fromkeys(one.label for one in self.examples))
        named = ", ".join(names[:MOST_NAMED]) + ", ..." * (len(names) > MOST_NAMED)
        return f"{self.severity.words}: {self.times}{self.what}" + f" ({named})" * bool(names)


def size_text(config: Config) -> str:
    """The setting `image_size` as people write it: 320x240."""
    return "x".join(map(str, config.image_size))


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """The findings in the order of severity, those of one severity as they come."""
    return sorted(findings, key=lambda one: -one.severity)
