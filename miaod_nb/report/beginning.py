"""The parts of a report that come first: in short, what was compared, the data."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from miaod_nb.config import Budget, Config, spell
from miaod_nb.plots.look import label_of
from miaod_nb.report.measured import Measured, not_comparable, one_of_each
from miaod_nb.report.pieces import Caution, Facts, Piece, Section, Table, Text
from miaod_nb.report.reported import ReportedRun
from miaod_nb.runs.card import Card

MOST_NAMED = 40  # images of a list
FEW_IMAGES = 30
FEW = (
    "mAP is measured on the {}; one image is {:.0%} of them. So few show whether a detector has "
    "learned at all; they cannot tell two strategies, or two cycles that lie near each other, "
    "apart."
)
DRAWN = (
    "The images are generated drawings, to see how all this works: their numbers are no result to "
    "judge a strategy by."
)
NO_CONTROL = "No run with random choice stands beside, so this cannot say whether choosing helped."
QUESTION = (
    "Boxes drawn by people are what an object detector costs. Of many images without labels, which "
    "should be labeled next, so that the detector becomes good with few of them? Active learning "
    "lets the detector itself point at them: it is trained on the labels so far, chooses the next "
    "images, people label these, and the cycle begins again."
)
SHOWN = (
    "strategy", "detector", "backbone", "image_size", "initial", "budget", "cycles",
    "rounds", "label_set_epochs", "adversarial_epochs", "batch_size", "top_k", "split_seed", "seed",
)  # fmt: skip
IF_USED = ("start_from", "later_epochs", "weight_averaging")  # which few recipes do


def to_label(run: ReportedRun) -> list[Section]:
    """The images that a run on one's own data asks for, before all else."""
    wanted = run.experiment.to_label() if run.experiment and not run.trouble else []
    if not wanted:
        return []
    cycle = run.record.last_selection
    text = f"Cycle {cycle} of {run.name} asks for labels of these {len(wanted)} images, the most "
    where = f"cycle{cycle}/selection.json of the run folder has all of them"
    more = f", ... ({where})" * (len(wanted) > MOST_NAMED)
    return [Section("To label next", [
        Text(text + f"wanted first: {', '.join(wanted[:MOST_NAMED])}{more}."),
        Text("They stand as pictures, with the reasons, under «What was chosen»."),
    ])]  # fmt: skip


def in_short(runs: Sequence[ReportedRun], groups: Sequence[Measured]) -> Section:
    """The question, what was done and what came out, for those who read nothing else."""
    outcome = [_outcome(group) for group in groups]
    outcome = outcome or ["No cycle was evaluated yet, so there is no mAP to tell."
                          if any(run.record.test for run in runs) else
                          "There are no images to evaluate on, so no mAP can be told."]  # fmt: skip
    kinds = one_of_each(runs)
    done = " ".join(map(_done, kinds))
    if len(runs) > len(kinds):
        done += f" {len(runs) - len(kinds)} more runs differ from these in their seeds alone."
    if outcome and not any(run.draws_by_lot for run in runs):
        outcome.append(NO_CONTROL)
    facts = {"The question": QUESTION, "What was done": done, "What came out": " ".join(outcome)}
    pieces: list[Piece] = [Caution(DRAWN)] if any(run.is_generated for run in runs) else []
    pieces.append(Facts(facts))
    pieces += [Caution(sentence) for sentence in not_comparable(runs)]
    pieces += [Caution(FEW.format(group.evaluated_on, 1 / count)) for group in groups
               if (count := len(group.runs[0].record.test)) < FEW_IMAGES]  # fmt: skip
    pieces += [Caution(f"{run.name}: {run.trouble}. What needs these images is left out below.")
               for run in runs if run.trouble]  # fmt: skip
    return Section("In short", pieces)


def shown_label(label: str) -> str:
    """A label as it stands in figures."""
    return label_of(label)


def _done(run: ReportedRun) -> str:
    if run.card.labels_all:
        return f"{run.name} trained on all {len(run.record.pool)} images."
    first = len(run.record.labeled(0)) if run.record.cycles else "no"
    chosen = str(len(run.selected(0)) if run.record.cycles else 0)
    if not (budget := Budget.of(run.record.config.budget)).in_images:
        chosen = f"as many as about {budget} are enough for"
    return (
        f"{run.name} ({shown_label(run.label)}) began with {first} labeled images of "
        f"{len(run.record.pool)} and chose {chosen} a cycle; {run.finished} of "
        f"{run.record.config.cycles} cycles are finished."
    )


def _outcome(group: Measured) -> str:
    last, metric = group.last, group.metric
    where = f"on the {group.evaluated_on}"
    if not len(last):
        rows = group.table.dropna(subset=metric).groupby("run").tail(1)
        values = [f"{row['run']} {row[metric]:.3f} with {row['labeled_images']} labeled images"
                  for _, row in rows.iterrows()]  # fmt: skip
        apart = "; they have no number of labels in common" * (len(values) > 1)
        return f"{metric} {where}: {', '.join(values)}{apart}."
    values = [f"{shown_label(row['strategy'])} {row[metric]:.3f}" for _, row in last.iterrows()]
    text = f"With {last['labeled_images'].iloc[0]} labeled images, {metric} {where}: "
    text += ", ".join(values) + "."
    text += _price(group)
    for label, full in group.full.items():
        text += f" With {shown_label(str(label))}: {full:.3f}."
    if len(last) > 1:
        text += f" {_difference(group)}"
    return text


def _price(group: Measured) -> str:
    """How many boxes people drew in these images, where that is known; mean over the runs."""
    boxes = group.boxes
    at = boxes[boxes["labeled_images"] == group.last["labeled_images"].iloc[0]]
    of_label = at.groupby("strategy")["labeled_boxes"].mean()
    values = [f"{shown_label(name)} {of_label[name]:.0f}"
              for name in group.last["strategy"] if name in of_label]  # fmt: skip
    return f" Boxes that people drew in these images: {', '.join(values)}." if values else ""


def _difference(group: Measured) -> str:
    last, metric = group.last, group.metric
    gap = last[metric].iloc[0] - last[metric].iloc[1]
    first, second = (shown_label(name) for name in last["strategy"].iloc[:2])
    text = f"{first} is ahead of {second} by {gap:.3f}."
    if last["runs"].min() < 3:
        text += (" With fewer than three runs of a kind, chance cannot be told from such a "
                 "difference.")  # fmt: skip
    kinds = one_of_each([run for run in group.runs if not run.card.labels_all])
    adversarial = [shown_label(run.label) for run in kinds if run.trains_adversarially]
    if 0 < len(adversarial) < len(kinds):
        text += (f" Whole methods are compared: {', '.join(adversarial)} also trained on "
                 "images without labels, the others did not.")  # fmt: skip
    return text


def what_was_compared(runs: Sequence[ReportedRun]) -> Section:
    """The runs and the settings that matter most."""
    rows = [
        {"run": run.name, "the next images are": _words(run.card),
         "trained on": "labeled and unlabeled images" if run.trains_adversarially
         else "labeled images alone", "cycles finished": run.finished,
         "cycles evaluated": len(run.metrics), "seed": run.record.config.seed}
        for run in runs
    ]  # fmt: skip
    settings = [
        {"setting": name, "value": _values(runs, name),
         "meaning": str(Config.model_fields[name].description)}
        for name in (*SHOWN, *filter(partial(_is_used, runs), IF_USED))
    ]  # fmt: skip
    return Section("What was compared", [
        Table("The runs.", pd.DataFrame(rows)),
        Table("Settings that matter most; all that differ from a preset stand at the end.",
              pd.DataFrame(settings)),
    ])  # fmt: skip


def _is_used(runs: Sequence[ReportedRun], name: str) -> bool:
    default = Config.model_fields[name].default
    return any(getattr(run.record.config, name) != default for run in runs)


def _words(card: Card) -> str:
    """Which images a strategy wants, and where it was published."""
    return f"{card.label}: {card.words}" + f" ({card.paper})" * bool(card.paper)


def _values(runs: Sequence[ReportedRun], name: str) -> str:
    """The value of all runs, or the values, each with its runs."""
    users: dict[str, list[str]] = {}
    for run in runs:
        users.setdefault(spell(getattr(run.record.config, name)), []).append(run.name)
    if len(users) == 1:
        return next(iter(users))
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in users.items())


def words() -> Section:
    """What the words of a report mean."""
    return Section("Words", [Text("In the order in which they are needed."), Facts({
        "Cycle": "training on the labels so far, evaluating, choosing the next images.",
        "Pool": "the images that may be labeled; the budget is how many are chosen a cycle.",
        "AP, mAP": "average precision of a class: the area under the curve of precision (share of "
                   "the boxes found that are right) over recall (share of the objects that are "
                   "found); mAP is its mean over the classes. A box is right when it overlaps an "
                   "object of its class by at least half (IoU 0.5), unless the name says another.",
        "VOC07, VOC12, COCO": "three ways to compute AP; numbers of different ways must not be "
                              "compared, so each has its full name.",
        "Anchor": "one of thousands of fixed boxes that a detector starts from; every anchor gets "
                  "a score of each class.",
        "Discrepancy": "how far the scores of the two classifiers of MI-AOD are apart at an "
                       "anchor. The mean over the anchors where it is largest (setting top_k) is "
                       "the image's uncertainty.",
        "Weight": "how likely an anchor belongs to an object of the image, learned without boxes "
                  "(multiple-instance learning).",
    })])  # fmt: skip
