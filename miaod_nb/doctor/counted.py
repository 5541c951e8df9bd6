"""What reading images and labels counts by reason, as findings with a remedy."""

from collections.abc import Mapping, Sequence

from miaod_nb.data.images import TOO_LARGE
from miaod_nb.data.labels import usable_box
from miaod_nb.data.records import UNFIT_NAME, FaultCounts, ImageRecord
from miaod_nb.data.upright import Box
from miaod_nb.doctor.examined import Examined
from miaod_nb.doctor.finding import Example, Finding, Severity

NOTE, HURTS = Severity.NOTE, Severity.HURTS
READ_SO = "nothing, if it is read as it is meant"
RESTORE = "restore the file or take it off the list; it is left out until then"
MEND = "mend the annotation; the image is left out of training until then"
# By how a reason begins, the first that fits; reasons that tell only how something was read are
# worth knowing.
KNOWN: dict[str, tuple[Severity, str]] = {
    "image truncated": (HURTS, RESTORE),
    "image unreadable": (HURTS, RESTORE),
    "image of a format": (HURTS, "save it as JPEG or PNG; it is left out until then"),
    TOO_LARGE: (HURTS, "cut it into tiles, or save it smaller; it is left out until then"),
    "image with a side under": (HURTS, "take it off the list; it is left out"),
    UNFIT_NAME: (HURTS, "rename the file; it is left out until then"),
    "listed image missing": (HURTS, "put it there, or take it off the list"),
    "file name leads out": (HURTS, "put the image into the data folder, and name it from there"),
    "listed twice": (NOTE, "take the second line off the list; it counts once"),
    "annotation of an image that is not there": (
        HURTS, "call image and annotation alike; labels of no image are never used"),
    "annotation whose name several images have": (
        HURTS, "put it below folders as its image's, or rename both; it is not used until then"),
    "annotation with several boxes": (NOTE, READ_SO),
    "folder of images passed over": (HURTS, "give it a list, if its images belong to the pool"),
    "deep gray image with less than an eighth": (
        HURTS, "these look flat beside the others: save all with one range of values"),
    "annotation missing": (HURTS, "label the image; it is left out of training until then"),
    "annotation malformed": (HURTS, MEND),
    "annotation unreadable": (HURTS, MEND),
    "annotation with scores": (HURTS, "give labels, not predictions; it is left out until then"),
    "annotation of a picture of another shape": (HURTS, MEND),
    "annotation with": (NOTE, "look at the boxes below: write the size of the picture there"),
    "inverted box": (HURTS, "exchange its corners; the box is left out"),
    "box smaller than a pixel": (HURTS, "draw or delete it; the box is left out"),
    "box outside the image": (HURTS, "draw it anew or delete it; the box is left out"),
    "box clipped": (NOTE, "nothing, if it reaches over the edge by little; it is cut off there"),
    "exact duplicate box": (NOTE, "delete the second one; it counts once"),
    "object of a class left out": (NOTE, "nothing, if `classes` is meant so"),
    "image without objects": (NOTE, "nothing, if the images show none: they are background"),
}  # fmt: skip
FEW = 8  # examples of how something was read
# Said by another finding, with more words.
SAID_ELSEWHERE = "file that is byte for byte another one of the list"


Boxes = Mapping[tuple[str, str], Sequence[Box]]  # by reason and image


def counted_findings(examined: Examined) -> list[Finding]:
    """A finding for each reason that images, and labels that were read, are counted by."""
    images, labels = examined.images, examined.labels
    records = {one.id: one for one in (*images.test, *images.pool)}
    return [
        *_findings(images.faults, records, {}),
        *_findings(labels.faults, records, _boxes(examined)),
    ]


def _findings(
    faults: FaultCounts, records: Mapping[str, ImageRecord], boxes: Boxes
) -> list[Finding]:
    found = []
    for reason, one in faults.as_dict().items():
        if reason == SAID_ELSEWHERE:
            continue
        begins = next(filter(reason.startswith, KNOWN), "")
        severity, remedy = KNOWN[begins] if begins else (Severity.NOTE, READ_SO)
        examples = [
            Example(name, records.get(name), boxes=boxes.get((reason, name), ()))
            for name in one["examples"][: None if begins else FEW]
        ]
        found.append(Finding(severity, reason, one["count"], remedy, examples))
    return found


def _boxes(examined: Examined) -> Boxes:
    """The boxes that are at fault, by the reason."""
    found: dict[tuple[str, str], list[Box]] = {}
    for one in examined.labels.images or ():
        for item in one.raw:
            _, fault = usable_box(item.box, one.record.width, one.record.height)
            if fault:
                found.setdefault((fault, one.record.id), []).append(item.box)
    return found
