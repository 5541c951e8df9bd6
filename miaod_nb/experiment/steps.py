"""What the steps of a cycle do; their results are files of the run folder."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from miaod_nb.boxes import Objects
from miaod_nb.data.pool import ids_by_source
from miaod_nb.detector.folding import fold
from miaod_nb.detector.model import DetectionModel
from miaod_nb.errors import DataError, DecisionError
from miaod_nb.evaluation import evaluate as compute_metrics
from miaod_nb.experiment.dataset import digest_of
from miaod_nb.experiment.selecting import see_all, selection_of, tables_of
from miaod_nb.experiment.state import RunState
from miaod_nb.experiment.training import StageTraining, TrainingSet
from miaod_nb.passes.inference import mean_discrepancy
from miaod_nb.passes.kept_detections import detect_for_cycle, forget_unfinished, save_detections
from miaod_nb.progress import say, say_detail
from miaod_nb.runs.schema import CycleLabels
from miaod_nb.runs.sharing import equal_training, is_of_training, training_records
from miaod_nb.selection.choosing import cost_text, prices_of, shortage
from miaod_nb.selection.decisions import verdicts_of

PROBE_IMAGES = 32  # on which the disagreement is measured after each stage


def split(run: RunState, cycle: int) -> None:
    """Writes which images are labeled, and counts the faults in their labels."""
    _refuse_unapplied(run, cycle - 1)
    sets = run.sets(cycle)
    run.folder.save_npy(f"X_L_{cycle}.npy", sets.labeled)
    run.folder.save_npy(f"X_U_{cycle}.npy", sets.unlabeled_sample)
    for letter, indices in (("L", sets.labeled), ("U", sets.unlabeled_sample)):
        for source, ids in ids_by_source(run.dataset.pool, indices).items():
            lines = "".join(f"{image_id}\n" for image_id in ids)
            run.folder.save_text(f"cycle{cycle}/trainval_{letter}_{source}.txt", lines)
    before = run.classes_of(cycle - 1)
    objects, faults, classes = run.dataset.newly_labeled_objects(sets, before)
    if cycle > 0:
        _refuse_unlabeled_selection(run, cycle - 1, objects)
    labels = run.dataset.describe_labels(sets, objects, classes)
    if cycle == 0:
        _refuse_unlabeled_first(run, labels)
    labels["code"] = run.code
    run.folder.save_json(f"cycle{cycle}/labels.json", labels)
    faults.merge(run.dataset.faults)
    run.folder.save_json(f"cycle{cycle}/exclusions.json", faults.as_dict())
    say_detail(
        f"  {labels['labeled']} of {run.dataset.num_images(cycle)} images are labeled, "
        f"{len(objects)} train, classes: {', '.join(classes)}")  # fmt: skip
    for place in range(len(before), len(classes)):
        _say_of_new_class(run, cycle, classes[place], labels["boxes"][classes[place]])
    if absent := [name for name, count in labels["boxes"].items() if not count]:
        more = ", ..." if absent[10:] else ""
        say(f"  no label has these classes yet: {', '.join(absent[:10])}{more}")
    if waiting := labels["asked"]:
        say(f"  {len(waiting)} of the images that were asked for have no usable label yet, first "
            f"{waiting[0]}: the first cycle that finds some trains on them")  # fmt: skip
    for line in faults.lines():
        say("  " + line)
    run.session.log(
        cycle, "split", labeled=labels["labeled"], asked=len(waiting), trained=len(objects),
        pool=run.dataset.num_images(cycle) - len(sets.labeled), exclusions=faults.as_dict(),
    )  # fmt: skip


def _say_of_new_class(run: RunState, cycle: int, name: str, count: int) -> None:
    """Tells of a class that joins, and of one that is almost called so."""
    so = "no detector before could find it"
    if cycle == 0:  # of a control that has the labels of all images
        so = "the labels that other runs begin with have none of it"
    say(f"  new class: '{name}' joins with the labels of this cycle "
        f"({count} object{'s' * (count != 1)}); {so}")  # fmt: skip
    if near := run.record.near_names.get(name):
        say(f"    if it is a misspelled '{near}', correct the label and delete "
            f"{run.folder.path(f'cycle{cycle}')} to begin the cycle again")  # fmt: skip


def _refuse_unapplied(run: RunState, cycle: int) -> None:
    """Raises DecisionError if images of a cycle's batch are set aside, but still in it, or wanted
    in it, but not there."""
    if cycle < run.first_cycle:
        return
    verdicts, batch = verdicts_of(run.record, cycle), run.record.selected(cycle)
    still = [image_id for image_id in batch if image_id in verdicts.barred]
    absent = sorted({*verdicts.wanted}.difference(batch, run.record.labeled(cycle)))
    if still or absent:
        what = (
            f"{len(still)} images of the batch are skipped or deferred, but still in it, "
            f"first {still[0]}" if still
            else f"{len(absent)} images are accepted, but not in the batch, first {absent[0]}"
        )  # fmt: skip
        raise DecisionError(
            what,
            where=run.folder.path(f"cycle{cycle}/selection.json"),
            remedy=f"miaod review {run.folder.root} --cycle {cycle} (others take their places "
            "unless --no-replace is given), then run the same command again",
        )


def _refuse_unlabeled_selection(run: RunState, cycle: int, objects: Mapping[str, Objects]) -> None:
    selected = run.dataset.ids(np.array(run.selection(cycle)))
    missing = run.dataset.what_is_missing(i for i in selected if i in objects)
    if missing is not None:
        raise DataError(
            f"none of the {len(selected)} images that cycle {cycle} selected has a usable "
            "annotation yet",
            where=run.folder.path(f"cycle{cycle}/selection.json"),
            remedy="label these images (the first one's labels belong into "
            f"{run.dataset.oracle.labels_at(selected[0])}) and run the same command again"
            + missing,
        )


def _refuse_unlabeled_first(run: RunState, labels: CycleLabels) -> None:
    """Raises DataError if half of the first set or more has no labels: the run would be about
    another number of images than it says."""
    asked, labeled = labels.get("asked", []), labels.get("labeled", 0)
    if run.card.labels_all or len(asked) < max(labeled, 1):
        return
    raise DataError(
        f"{len(asked)} of the {len(asked) + labeled} images drawn first have no usable labels",
        where=run.dataset.oracle.labels_at(asked[0]),
        remedy=f"label them ({', '.join(asked[:10])}{', ...' if asked[10:] else ''}) and run the "
        "same command again, or begin with what is labeled: first_labels=labeled",
    )


def train(run: RunState, cycle: int, index: int) -> None:
    """Trains a stage of the cycle, or takes its weights from equal work beside."""
    run.refuse_imported(cycle)
    sets = run.sets(cycle)
    labels = run.record.labels(cycle)
    classes = run.classes_of(cycle)
    waiting = labels.get("asked", ())
    objects, faults = run.dataset.labeled_objects(sets, classes, waiting)
    if digest_of(objects) != labels["sha256"]:
        lost = [i for i in run.dataset.ids(sets.trained) if i not in objects and i not in waiting]
        raise DataError(
            f"the labels have changed since cycle {cycle} began"
            + "".join(f"; {line}" for line in faults.lines()),
            where=run.dataset.oracle.labels_at((lost or list(objects))[0]),
            remedy="restore them to go on, or delete "
            f"{run.folder.path(f'cycle{cycle}')} to begin the cycle again",
        )
    begins = index == 0 and not run.folder.exists(f"cycle{cycle}/state.pt")
    if begins and run.processes.is_first:
        _take_over(run, cycle)
    if run.processes.any(run.folder.exists(f"cycle{cycle}/taken_over.json")):
        return
    # Labeled images fill the sample when the pool is small, those held out among them.
    unlabeled = np.setdiff1d(sets.unlabeled_sample, run.dataset.held_out)
    ids = run.dataset.ids(unlabeled)
    load = run.keep_images(cycle, [*objects, *ids]).load
    before = partial(run.detector_before, cycle) if run.goes_on(cycle) else None
    data = TrainingSet(cycle, classes, objects, ids, run.dataset.records, load, before)
    stages = run.stages_of(cycle)
    if begins:
        _say_what_it_starts_from(run, cycle)
    training = StageTraining(run.config, run.session, run.device, stages, index, data)
    model, detector = training.run()
    if run.processes.is_first:
        _log_discrepancy(run, cycle, stages[index].name, data, model)
    if index == len(stages) - 1:
        run.folder.save_tensors(
            f"cycle{cycle}/weights.pt",
            {"model": detector.state_dict(), "class_quality": detector.class_quality,
             "classes": list(classes), "settings": run.config.model_dump(mode="json"),
             "gray": run.dataset.gray},
        )  # fmt: skip


def _say_what_it_starts_from(run: RunState, cycle: int) -> None:
    """Tells what training begins with, where that is not the same in every cycle."""
    if run.goes_on(cycle):
        new = run.classes_of(cycle)[len(run.classes_of(cycle - 1)) :]
        text = f"; new to it, with outputs that begin untrained: {', '.join(new)}" if new else ""
        say(f"  training starts from the detector of cycle {cycle - 1}{text}")
    elif run.config.start_from == "previous" and cycle > 0:
        say(f"  training starts from the pretrained backbone: cycle {cycle - 1} was imported, "
            "without a detector that could be gone on from")  # fmt: skip


def _take_over(run: RunState, cycle: int) -> None:
    """Takes the cycle's weights and log from an equal training in a folder beside this one."""
    beside = equal_training(run.folder, cycle)
    if beside is None:
        return
    run.folder.rewind_log(lambda r: r.get("cycle") != cycle or not is_of_training(r))
    for record in training_records(beside, cycle):
        run.folder.append_log(record)
    checkpoint = beside.load_tensors(f"cycle{cycle}/weights.pt")
    own_settings = {"settings": run.config.model_dump(mode="json")}
    run.folder.save_tensors(f"cycle{cycle}/weights.pt", checkpoint | own_settings)
    run.folder.save_json(f"cycle{cycle}/taken_over.json", {"from": beside.root.name})
    say(f"  taken over from {beside.root}: its training has the same settings and labels")


def _log_discrepancy(
    run: RunState, cycle: int, stage: str, data: TrainingSet, model: DetectionModel
) -> None:
    """Notes how much the classifiers disagree on a few unlabeled images after the stage."""
    probe = [run.dataset.records[image_id] for image_id in data.unlabeled_ids[:PROBE_IMAGES]]
    if probe:
        value = mean_discrepancy(model, probe, run.config)
        run.session.log(cycle, f"end of {stage}", stage=stage, discrepancy=value)


def evaluate(run: RunState, cycle: int) -> None:
    """Measures the cycle's detector on the images to evaluate on."""
    test, objects = run.dataset.test, run.dataset.test_objects
    found = detect_for_cycle(run.load_model(cycle), test, run.config, run.session, cycle)
    if not run.processes.is_first:
        return
    labeled_found = [found[image_id] for image_id in objects]
    classes = run.classes_of(cycle)
    evaluation = compute_metrics(labeled_found, list(objects.values()), classes)
    labels = run.record.labels(cycle)
    # A split of an earlier version did not tell who of the images has labels.
    labeled = labels.get("labeled", len(run.sets(cycle).labeled))
    about = {
        "cycle": cycle,
        "strategy": run.config.strategy,
        "training": "mi_aod" if run.trains_adversarially else "label_set",
        "labeled_images": labeled,
        "trained_images": labels["images"],
        "labeled_percent": round(100 * labeled / run.dataset.num_images(cycle), 2),
        "evaluated_on": run.dataset.evaluated_on,
        "seed": run.config.seed,
    }
    save_detections(run.folder, cycle, found)
    labeled_from = pd.Series(run.record.first_labeled(cycle), dtype="Int64")
    per_class = evaluation.per_class.assign(
        labeled_from=evaluation.per_class["class"].map(labeled_from)
    )
    run.folder.save_csv(f"cycle{cycle}/per_class.csv", per_class)
    run.folder.save_json(
        f"cycle{cycle}/metrics.json",
        {"about": about, "metrics": evaluation.metrics,
         "exclusions": run.dataset.test_faults.as_dict()},
    )  # fmt: skip
    run.folder.save_csv("metrics.csv", run.metrics())
    forget_unfinished(run.folder, cycle)
    run.session.log(
        cycle, "evaluate", metrics=evaluation.metrics,
        exclusions=run.dataset.test_faults.as_dict(),
    )  # fmt: skip
    for name, value in evaluation.metrics.items():
        say_detail(f"  {name}: {value:.4f} on the {run.dataset.evaluated_on}")
    for line in run.dataset.test_faults.lines():
        say(f"  evaluated images: {line}")


def score(run: RunState, cycle: int) -> None:
    """Writes what the strategy sees in every image that the cycle may choose."""
    tables, card = tables_of(run, cycle, run.card), run.card
    see_all(run, fold(run.load_model(cycle)), run.strategy, tables)
    run.processes.wait()
    shards, mean = tables["columns"], dict[str, float]()
    if card.ranks_by:
        values = run.folder.load_parquet(shards.place, [card.ranks_by])[card.ranks_by]
        mean = {"mean": float(values.mean())}
    run.session.log(cycle, "score", images=len(shards.indices), **mean)


def select_images(run: RunState, cycle: int) -> None:
    """Writes which images the cycle wants labeled next."""
    tables = tables_of(run, cycle, run.card)
    selection = selection_of(run, cycle, run.strategy, run.config, tables)
    pool, scored = selection["pool"], selection["scored"]
    if 0 < scored < pool:
        say(f"  scored and selected from: {scored} of the {pool} images in the pool")
    run.folder.save_json(f"cycle{cycle}/selection.json", selection)
    if prices := prices_of(selection):
        for line in prices.lines():
            say(f"  {line}")
        say(f"  {len(selection['selected'])} images, {cost_text(selection)}")
    if text := shortage(selection):
        say(f"  {text}")
    for text in selection.get("remarks", ()):
        say(f"  {text}")
    told = ("set_aside", "asked_for", "cost", "remarks")
    counted = {key: value for key, value in selection.items() if key in told}
    run.session.log(
        cycle, "select", selected=len(selection["selected"]), pool=pool, scored=scored,
        budget=selection["budget"], **counted,
    )  # fmt: skip
