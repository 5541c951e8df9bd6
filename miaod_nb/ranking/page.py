"""A ranking as a page with pictures, in the style of the report."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image

from miaod_nb import plots
from miaod_nb.boxes import count_labels
from miaod_nb.data.files import records_of_files
from miaod_nb.data.images import load_image
from miaod_nb.data.records import ImageRecord
from miaod_nb.progress import progress
from miaod_nb.ranking.ranking import Ranking
from miaod_nb.report.drawing import card, drawn
from miaod_nb.report.page import as_html
from miaod_nb.report.pieces import (
    Card,
    Cards,
    Facts,
    Piece,
    Report,
    Section,
    Table,
    Text,
)
from miaod_nb.wording import number_text

MOST_SHOWN = 100  # chosen images: a page of more is too large to send
EMPTY_SHOWN = 8  # images without boxes that were not chosen
MOST_NAMED = 10  # boxes of an image; names of more would cover it
LONGEST = 640  # pixels of a picture's longer side


def page_of(ranking: Ranking, title: str) -> str:
    """The page; every text is escaped, and nothing is loaded from elsewhere."""
    sections = [_in_short(ranking), _chosen(ranking), *_without_boxes(ranking)]
    return as_html(Report(f"Which images to label next: {title}", sections))


def _in_short(ranking: Ranking) -> Section:
    strategy = ranking.strategy.card
    facts = {
        "wanted": strategy.words,
        "strategy": ranking.described + f" ({strategy.paper})" * bool(strategy.paper),
        "boxes": f"those with scores of {ranking.config.score_threshold:g} and more "
        "(score_threshold)",
    }
    notes = [Text(f"{note[0].upper()}{note[1:]}.") for note in ranking.notes()]
    pieces: list[Piece] = [Text(f"{ranking.in_short}."), Facts(facts), *notes]
    return Section("In short", [*pieces, _mix(ranking), *_histogram(ranking)])


def _mix(ranking: Ranking) -> Table:
    """How many boxes of each class the detector finds in the pool and in the batch."""
    chosen = [row["id"] for row in ranking.selection["selected"]]
    num_classes, outputs = len(ranking.classes), ranking.pool.outputs
    of_all, of_chosen = (
        count_labels((outputs[one].found.labels for one in ids), num_classes)
        for ids in (ranking.pool.ids, chosen)
    )
    table = pd.DataFrame({"class": [*ranking.classes, "all"],
                          "in all images": [*of_all, of_all.sum()],
                          "in the chosen ones": [*of_chosen, of_chosen.sum()]})  # fmt: skip
    return Table("Boxes that the detector finds, by class.", table[table["in all images"] > 0])


def _histogram(ranking: Ranking) -> list[Piece]:
    column, label = ranking.strategy.card.ranks_by, ranking.strategy.card.label
    if column is None:
        return []
    ids = {row["id"] for row in ranking.selection["selected"]}
    chosen = np.array([image_id in ids for image_id in ranking.pool.ids])
    scores = ranking.candidates.columns[column]
    return [drawn(
        lambda axes: plots.score_histogram(axes, scores, chosen, f"score of {label}", label),
        "Scores of the images", "The scores of all images that could be chosen.",
    )]  # fmt: skip


def _chosen(ranking: Ranking) -> Section:
    rows = ranking.selection["selected"]
    shown = [_record(ranking, row["id"]) for row in rows[:MOST_SHOWN]]
    titles = [
        f"{row['rank']} · {row['id']}"
        + (f" · {number_text(row['score'])}" if row["score"] is not None else "")
        for row in rows
    ]
    reasons = [row["reason"] for row in rows]
    pieces: list[Piece] = [Cards(_cards(ranking, shown, titles, reasons))]
    if len(rows) > len(shown):
        pieces.append(Text(f"The other {len(rows) - len(shown)} stand in ranked.csv."))
    words = Text("Most wanted first, with rank, name and score, and the boxes that the detector "
                 f"finds; where there are at most {MOST_NAMED}, they are named as far as there is "
                 "room.")  # fmt: skip
    return Section("The images to label next", [words, *pieces])


def _without_boxes(ranking: Ranking) -> list[Section]:
    """The first images without boxes that were not chosen: they may be failures."""
    chosen = {row["id"] for row in ranking.selection["selected"]}
    ids = [image_id for image_id in ranking.without_boxes if image_id not in chosen]
    usable, _ = records_of_files(
        (one, _record(ranking, one).image_path) for one in ids[:EMPTY_SHOWN]
    )
    if not usable:
        return []
    words = Text(f"{len(ids)} images that were not chosen have no box. Nothing is there, or the "
                 f"detector fails; who sees an object here should label some of them. The first "
                 f"{len(usable)}:")  # fmt: skip
    cards = _cards(ranking, usable, [one.id for one in usable], [""] * len(usable))
    return [Section("Images without boxes", [words, Cards(cards)])]


def _record(ranking: Ranking, image_id: str) -> ImageRecord:
    return next(one for one in ranking.pool.records if one.id == image_id)


def _cards(
    ranking: Ranking, records: Sequence[ImageRecord], titles: Sequence[str], words: Sequence[str]
) -> list[Card]:
    whole, _ = records_of_files((one.id, one.image_path) for one in records)  # deep gray, too
    rows = zip(whole, titles, words, strict=False)
    return [_card(ranking, *row) for row in progress(list(rows), "drawing")]


def _card(ranking: Ranking, record: ImageRecord, title: str, words: str) -> Card:
    """The image with the detector's boxes."""
    image = load_image(record.image_path, record.gray).permute(1, 2, 0)
    small = Image.fromarray(image.numpy())
    small.thumbnail((LONGEST, LONGEST))
    found = ranking.pool.outputs[record.id].found
    boxes = found.boxes * (small.width / record.width)
    texts = found.texts(ranking.classes)
    pixels = np.asarray(small)

    def draw(axes: Axes) -> None:
        shown = texts if len(texts) <= MOST_NAMED else ()
        plots.boxes_on_image(axes, pixels, boxes, shown, role="prediction")

    alt = f"image {record.id} with {len(found)} boxes" + f": {', '.join(texts)}" * bool(texts)
    return Card(card(pixels, draw, alt, words), title)
