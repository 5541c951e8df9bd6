"""The report of runs: whole, offline, honest about what it cannot show, and no traceback."""

import json
import re
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from miaod_nb import plots
from miaod_nb.authors.work_folder_import import import_work_folder
from miaod_nb.boxes import Detections
from miaod_nb.config import make_config, parse_settings
from miaod_nb.errors import DataError, MiaodError
from miaod_nb.evaluation import VOC12_AP
from miaod_nb.experiment import Run, open_run
from miaod_nb.inspection.anchor_values import anchor_values
from miaod_nb.inspection.reasons import places, where_in_words
from miaod_nb.passes.kept_detections import keep_detections
from miaod_nb.plots import pictures as pictures_module
from miaod_nb.report import gallery, make_report, write_report
from miaod_nb.report.beginning import in_short
from miaod_nb.report.data_part import the_data
from miaod_nb.report.detectors import judge_cycles
from miaod_nb.report.loading import load_runs
from miaod_nb.report.making import how_it_was_made, stage_minutes
from miaod_nb.report.measured import measured, one_of_each
from miaod_nb.report.more_labels import more_labels
from miaod_nb.report.page import CSS, as_html
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
)
from miaod_nb.report.results import results
from miaod_nb.report.summary import as_markdown
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.record import RunRecord
from miaod_nb.selection.registry import card_of
from miaod_nb.selection.uncertainty import num_averaged
from tests.authors.work_folders import mean_ap_lines, write_work_folder
from tests.conftest import write_voc
from tests.experiment.helpers import miaod

OVERRIDES = {"initial": 4, "budget": 2, "cycles": 2, "score_threshold": 0, "threads": 1,
             "device": "cpu"}  # fmt: skip
LABELED = [[1, 4, 7, 9], [0, 1, 4, 7, 9, 11]]
SAMPLE = [[2, 5, 8, 10], [2, 3, 5, 6, 8, 10]]
SECTIONS = ["In short", "What was compared", "The data", "Results", "What was chosen",
            "The detectors", "How it was made", "Words"]  # fmt: skip


class Tags(HTMLParser):
    """Which tags a page opens, each with its attributes, its addresses, and what it leaves open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.all.append((tag, dict(attributes)))
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Finished runs of MI-AOD and of its control on 12 images; tests must not change them."""
    folder = tmp_path_factory.mktemp("report")
    data = write_voc(folder / "VOC2007")
    run = open_run("tiny", data_root=data, run_dir=folder / "a <b>&", overrides=OVERRIDES)
    found = [run, run.control("random")]
    for one in found:
        one.run()
    return found


@pytest.fixture(scope="module")
def report(runs: list[Run]) -> Report:
    """The report of these runs."""
    return make_report(runs)


@pytest.fixture
def copies(runs: list[Run], tmp_path: Path) -> tuple[Path, list[Path]]:
    """The data and the folders of the runs, copied, to be changed."""
    data = shutil.copytree(runs[0].data_root, tmp_path / "VOC2007")
    folders = [shutil.copytree(run.folder.root, tmp_path / run.folder.root.name) for run in runs]
    for folder in folders:
        text = (folder / "config.json").read_text()
        (folder / "config.json").write_text(text.replace(str(runs[0].data_root), str(data)))
    return data, folders


def texts(report: Report) -> str:
    """All that the report says."""
    return as_markdown(report)


def pictures(report: Report) -> list[str]:
    """What its figures show."""
    pieces = [piece for section in report.sections for piece in section.pieces]
    return [piece.alt for piece in pieces if isinstance(piece, Picture)]


def test_the_page_is_whole_and_loads_nothing(runs, tmp_path):
    paths = write_report(runs, tmp_path / "out")
    assert [path.name for path in paths] == ["report.html", "report.md"]
    page, summary = (path.read_text() for path in paths)
    tags = Tags(page)
    assert not tags.open
    assert {address.split(";")[0] for address in tags.addresses if address[0] != "#"} <= {
        "data:image/png", "data:image/jpeg"
    }  # fmt: skip
    assert "<script" not in page and "url(" not in page
    assert re.findall("<h2>(.*?)</h2>", page) == SECTIONS
    assert "a &lt;b&gt;&amp;" in page and "<b>&" not in page.replace("<b>&lt;", "")
    assert VOC12_AP in page and VOC12_AP in summary and "a \\<b\\>&" in summary
    assert len(page) < 10e6 and not re.search(r"\bnan\b|None", summary)


def luminance(color: str) -> float:
    """Relative luminance of a color such as #1b1d21 (WCAG 2)."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [("ink", "paper", 7), ("quiet", "paper", 4.5), ("link", "paper", 4.5), ("ink", "faint", 7),
     ("accent", "paper", 3), ("warning", "paper", 3)],
)  # fmt: skip
def test_every_text_can_be_read_on_light_and_dark_pages(text, ground, least):
    light, dark = re.findall(r":root \{[^}]*--paper[^}]*\}", CSS)
    assert light != dark
    for scheme in (light, dark):
        colors = dict(re.findall(r"--(\w+): (#\w{6});", scheme))
        darker, lighter = sorted([luminance(colors[text]), luminance(colors[ground])])
        assert (lighter + 0.05) / (darker + 0.05) >= least


def test_a_screen_reader_finds_its_way(report):
    page = as_html(report)
    tags = Tags(page).all
    names = [tag for tag, _ in tags]
    assert names.count("h1") == names.count("main") == 1 and '<html lang="en">' in page
    headings = [int(name[1]) for name in names if re.fullmatch(r"h\d", name)]
    assert headings == [1] + [2] * len(report.sections)
    assert all(attributes.get("scope") == "col" for tag, attributes in tags if tag == "th")
    assert all(attributes.get("aria-label") for tag, attributes in tags if tag == "nav")
    alts = [attributes.get("alt") or "" for tag, attributes in tags if tag == "img"]
    assert len(alts) > 10 and all(len(alt.split()) > 3 for alt in alts)
    assert not re.findall(r"<a [^>]*>\s*</a>", page)


def test_generated_drawings_are_told_apart_from_data(runs, monkeypatch):
    found = load_runs(runs[:1])
    assert "generated" not in as_markdown(Report("", [in_short(found, measured(found))]))
    monkeypatch.setitem(found[0].record.described, "data_root", "data/tiny")
    first = in_short(found, measured(found)).pieces[0]
    assert isinstance(first, Caution) and "generated drawings" in first.text


def test_times_stand_under_each_other():
    frame = pd.DataFrame({"stage": ["a", "b"], "took": ["9 s", "118 s"], "AP": [0.5, 0.123]})
    page = as_html(Report("", [Section("", [Table("", frame)])]))
    assert re.findall(r'<td class="number">(.*?)</td>', page) == ["9 s", "0.500", "118 s", "0.123"]


def test_every_figure_is_there_and_says_of_what(report):
    shown = pictures(report)
    for part in ("over the number of labeled images", "over the number of labeled boxes",
                 "of every class", "Scores of the pool in cycle 1", "Class mix of a <b>&",
                 "Class mix of a <b>&-random", "Heat maps of", "Objects found", "Calibration",
                 "Losses while cycle 1 of a <b>&-random"):  # fmt: skip
        assert any(part in one for one in shown), part


def test_the_first_section_tells_the_mean_at_the_last_common_point(runs, report):
    summary = texts(report)
    values = [run.metrics().iloc[-1][VOC12_AP] for run in runs]
    assert "With 6 labeled images" in summary
    assert all(f"{value:.3f}" in summary.split("## What was compared")[0] for value in values)
    assert "chance cannot be told" in summary and "Whole methods are compared" in summary


def test_only_labels_of_labeled_images_are_opened(runs):
    run = open_run(run_dir=runs[0].folder.root)
    make_report([run])
    assert set(run.dataset.oracle.opened) <= set(run.dataset.ids(run.sets(1).labeled))


def test_a_report_without_images_says_so_and_shows_the_rest(copies):
    data, folders = copies
    shutil.rmtree(data)
    report = make_report(folders)
    said, shown = texts(report), pictures(report)
    assert "What needs these images is left out below" in said
    assert any("over the number of labeled images" in one for one in shown)
    assert any("over the number of labeled boxes" in one for one in shown)  # the run noted them
    assert not any("Heat maps" in one for one in shown)


def test_cards_and_maps_draw_the_boxes_that_the_words_count(runs, monkeypatch):
    run, drawn, asked = load_runs(runs[:1])[0], [], []
    boxes_on_image, see = plots.boxes_on_image, gallery.image_and_values

    def noted(axes, image, boxes, *others, **named):
        drawn.append(np.asarray(boxes))
        return boxes_on_image(axes, image, boxes, *others, **named)

    def seen(model, record, config):
        asked.append(record.id)
        return see(model, record, config)

    monkeypatch.setattr(plots, "boxes_on_image", noted)
    monkeypatch.setattr(pictures_module, "boxes_on_image", noted)
    monkeypatch.setattr(gallery, "image_and_values", seen)
    pieces = gallery.gallery(run)
    (cards,) = [piece for piece in pieces if isinstance(piece, Cards)]
    ids = run.record.selected(1)
    assert asked == ids and len(drawn) == 4  # two cards, two rows of maps
    assert all(len(boxes) for boxes in drawn)
    for image_id, card, *found in zip(ids, cards.cards, drawn[:2], drawn[2:], strict=True):
        values = anchor_values(runs[0], 1, image_id)
        k = num_averaged(run.record.config.top_k, len(values.discrepancy))
        expected = values.boxes[[place.anchor for place in places(values, k)]]
        for boxes in found:
            np.testing.assert_allclose(boxes, expected, atol=0.01)
        assert card.picture.caption.endswith(f"; {where_in_words(values, run.record.classes, k)}")


def test_a_gallery_explains_what_its_pictures_and_words_have(runs, monkeypatch):
    """Numbers and brackets where there are some; where no box stands out, none is promised."""
    run = load_runs(runs[:1])[0]

    def told() -> tuple[str, list[str], list[str]]:
        pieces = gallery.gallery(run)
        (cards,) = [piece for piece in pieces if isinstance(piece, Cards)]
        maps = [piece.caption for piece in pieces if isinstance(piece, Picture)]
        return pieces[0].text, [card.picture.caption for card in cards.cards], maps

    text, words, maps = told()
    assert ("Brackets in these words" in text) == any(" against " in one for one in words)
    assert "Dash-dotted" in text and "that the words count" in maps[0]
    assert ("Solid blue" in text) != ("finds nothing" in text)
    monkeypatch.setattr(gallery, "places", lambda *values: [])
    monkeypatch.setattr("miaod_nb.inspection.reasons.places", lambda *values: [])
    text, words, maps = told()
    assert all("no box stands out" in one for one in words)
    for promise in ("Dash-dotted", "numbers", "rackets"):
        assert promise not in text
    assert "that the words count" not in maps[0]


def test_a_deleted_image_is_named_and_the_others_are_shown(copies):
    data, folders = copies
    gone = RunFolder(folders[0]).load_json("cycle1/selection.json")["selected"][0]["id"]
    (data / f"JPEGImages/{gone}.jpg").unlink()
    report = make_report(folders[:1])
    said = texts(report)
    assert f"1 images of the run (pool) are gone or of another size, first {gone}" in said
    assert "1 of these images are not there any more" in said
    assert sum("Heat maps" in one for one in pictures(report)) == 1  # of two that were chosen


def test_the_detections_of_an_evaluation_are_kept_and_found_again(copies):
    (run,) = load_runs(copies[1][:1])
    before = judge_cycles(run)
    assert before.keys() == {0, 1} and all(len(scores) for scores, _ in before.values())
    kept = run.record.folder.path("cycle1/detections.npz")
    arrays = dict(np.load(kept))
    for break_it in (kept.unlink, lambda: kept.write_bytes(b"torn")):
        break_it()
        for cycle, found in judge_cycles(run).items():
            for now, then in zip(found, before[cycle], strict=True):
                np.testing.assert_array_equal(now, then)
        again = dict(np.load(kept))
        assert again.keys() == arrays.keys()
        assert all(np.array_equal(again[name], array) for name, array in arrays.items())


def test_labels_that_may_be_wrong_are_a_table_of_the_data(copies):
    (run,) = load_runs(copies[1][:1])
    found = run.experiment.dataset.test_objects
    others = {
        i: Detections(one.boxes, np.full(len(one), 0.9, np.float32), 1 - one.labels)
        for i, one in found.items()
    }
    keep_detections(run.record.folder, 1, others)
    table = the_data([run]).pieces[-1]
    count = sum(map(len, found.values()))
    assert f"most doubtful of {count}, in {len(found)} images" in table.caption
    assert list(table.frame["score"]) == [0.9] * min(count, 10)


def test_runs_without_test_images_have_no_map(make_voc, tmp_path):
    data = make_voc(tmp_path / "data")
    (data / "ImageSets/Main/test.txt").unlink()
    overrides = OVERRIDES | {"holdout": 0, "cycles": 1}
    open_run("tiny", data_root=data, run_dir=tmp_path / "run", overrides=overrides).run()
    report = make_report([tmp_path / "run"])
    said = texts(report)
    assert "There are no images to evaluate on, so no mAP can be told" in said
    assert any("Heat maps" in one for one in pictures(report))


def test_runs_on_other_images_are_not_drawn_together(runs, make_voc, tmp_path):
    data = make_voc(tmp_path / "data", classes=("square", "disc", "ring"), prefix="x")
    overrides = OVERRIDES | {"cycles": 1, "strategy": "random", "learning_rate": 1e-4}
    open_run("tiny", data_root=data, run_dir=tmp_path / "other", overrides=overrides).run()
    report = make_report([runs[1], tmp_path / "other"])
    said = texts(report)
    for part in ("detect different classes", "evaluated on different images",
                 "choose from different images", "settings differ: learning\\_rate"):  # fmt: skip
        assert part in said
    curves = [one for one in pictures(report) if "number of labeled images" in one]
    assert len(curves) == 4  # one of each group, and one of its classes


def test_a_run_that_has_only_begun_and_one_that_has_not(runs, copies, tmp_path):
    _, folders = copies
    for path in folders[0].glob("cycle*/[!est]*"):  # not exclusions, steps, selection, scores
        if path.is_file():
            path.unlink()
    for path in (folders[0] / "metrics.csv", folders[0] / "X_L_1.npy"):
        path.unlink()
    said = texts(make_report(folders[:1]))
    assert "No cycle was evaluated yet" in said and "is not in the run folder" in said
    (folders[0] / "X_L_0.npy").unlink()
    with pytest.raises(DataError, match="no cycle was begun"):
        make_report(folders[:1])
    with pytest.raises(DataError, match="no run folder"):
        make_report([tmp_path / "nothing"])


def test_the_command_names_what_it_wrote_and_ends_with_a_sentence(runs, tmp_path):
    outcome = miaod("report", runs[1].folder.root, "--out", tmp_path / "out")
    assert outcome.code == 0 and str(tmp_path / "out/report.html") in outcome.out
    (tmp_path / "file").write_text("mine")
    for arguments in (["nowhere"], [runs[1].folder.root, "--out", tmp_path / "file"]):
        outcome = miaod("report", *arguments)
        assert outcome.code == 1 and outcome.err.startswith("error: ") and not outcome.out


def test_every_error_of_reading_a_run_is_for_users(copies):
    _, folders = copies
    (folders[0] / "metrics.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MiaodError, match="not a table of metrics"):
        make_report(folders)


def test_an_imported_cycle_has_a_point_in_the_curve_and_no_detector(make_voc, tmp_path):
    data = make_voc(tmp_path / "VOC2007")
    ids = (data / "ImageSets/Main/trainval.txt").read_text().split()
    work = write_work_folder(tmp_path / "work", LABELED, SAMPLE, {"07": ids}, mean_ap_lines(0.25))
    import_work_folder(
        work, preset="tiny", data_root=data, run_dir=tmp_path / "run", overrides={"device": "cpu"}
    )
    said = texts(make_report([tmp_path / "run"]))
    assert "With 4 labeled images, VOC07 AP@0.5 (11 points)" in said and "0.250" in said
    assert "AP of the single classes is not recorded" in said
    assert "The detector of cycle 0 of run is not in the run folder" in said


def test_seeds_of_a_strategy_are_one_kind_and_other_settings_are_not(runs, copies):
    _, folders = copies
    for folder, name, value in zip(folders, ("seed", "top_k"), (7, 0.5), strict=True):
        document = json.loads((folder / "config.json").read_text())
        for part in ("settings", "identity"):
            document[part] |= {"strategy": "mi_aod", name: value}
        document["card"] = runs[0].card.as_dict()
        (folder / "config.json").write_text(json.dumps(document))
    loaded = load_runs([runs[0], *folders])
    first, seed, other = (run.label for run in loaded)
    assert first == seed == "mi_aod (top_k=0.09)" and other == "mi_aod (top_k=0.5)"
    assert [run.name for run in one_of_each(loaded)] == [loaded[0].name, loaded[2].name]
    assert load_runs([runs[0], runs[0].folder.root])[1:] == []  # each once


def test_three_seeds_are_drawn_as_a_mean_with_its_interval(runs, tmp_path):
    folders = [shutil.copytree(runs[1].folder.root, tmp_path / f"seed{n}") for n in range(3)]
    for number, folder in enumerate(folders):
        document = json.loads((folder / "config.json").read_text())
        document["settings"]["seed"] = document["identity"]["seed"] = number
        (folder / "config.json").write_text(json.dumps(document))
    loaded = load_runs([runs[0], *folders])
    (group,) = measured(loaded)
    assert group.last.set_index("strategy")["runs"].to_dict() == {"mi_aod": 1, "random": 3}
    said = as_markdown(Report("", [in_short(loaded, [group]), results([group])]))
    assert "2 more runs differ from these in their seeds alone" in said
    number = len(loaded[0].record.test)
    where = f"of the mean over seeds, on these {number} test images."
    assert f"The band is the 95 % confidence interval {where}" in said
    assert f"The band is over seeds alone: other images than these {number} may move" in said
    assert "The band" not in as_markdown(Report("", [results(measured(loaded[:3]))]))


def test_what_more_labels_would_bring_is_told_and_drawn(runs, copies):
    """From three evaluated cycles on; before, why it is not."""
    _, (mi_aod, random) = copies
    row = pd.read_csv(mi_aod / "metrics.csv").iloc[0].to_dict()
    points = zip((4, 6, 8), (0.2, 0.3, 0.35), strict=True)
    table = [row | {"labeled_images": n, VOC12_AP: mean_ap} for n, mean_ap in points]
    pd.DataFrame(table).to_csv(mi_aod / "metrics.csv", index=False)
    pieces = more_labels(measured(load_runs([mi_aod, random]))[0])
    (facts,) = [piece.facts for piece in pieces if isinstance(piece, Facts)]
    assert facts["MI-AOD"].startswith("The next 2 images would probably bring 0.")
    assert "mAP was measured at 2" in facts["random"]
    (picture,) = [piece for piece in pieces if isinstance(piece, Picture)]
    assert "continued: MI-AOD: the next 2 images" in picture.alt


def as_another(folder: Path, strategy: str, training: str) -> Path:
    """The folder as that of a run of another strategy and training."""
    document = json.loads((folder / "config.json").read_text())
    for part in ("settings", "identity"):
        document[part] |= {"strategy": strategy, "training": training}
    document["card"] = card_of(strategy).as_dict()
    (folder / "config.json").write_text(json.dumps(document))
    return folder


def test_two_kinds_of_full_supervision_are_told_apart(runs, tmp_path):
    """Their mean would be a ceiling that no run reached."""
    values, folders = {"label_set": 0.8, "mi_aod": 0.6}, []
    for training, value in values.items():
        folder = shutil.copytree(runs[1].folder.root, tmp_path / training)
        folders.append(as_another(folder, "full", training))
        table = pd.read_csv(folder / "metrics.csv").tail(1)
        table.assign(**{VOC12_AP: value}).to_csv(folder / "metrics.csv", index=False)
    loaded = load_runs([runs[0], *folders])
    (group,) = measured(loaded)
    assert group.full.to_dict() == {f"full (training={t})": v for t, v in values.items()}
    said = as_markdown(Report("", [in_short(loaded, [group]), results([group])]))
    for training, value in values.items():
        training = training.replace("_", r"\_")
        assert f"With all labels (training={training}): {value:.3f}." in said
        assert f"as a share of what all labels (training={training}) reach ({value:.3f})" in said


def test_who_trained_on_images_without_labels_is_named(runs, copies):
    _, folders = copies
    loaded = load_runs([*runs, as_another(folders[0], "random", "mi_aod")])
    (group,) = measured(loaded)
    said = as_markdown(Report("", [in_short(loaded, [group])]))
    assert r"MI-AOD, random (training=mi\_aod) also trained on images without labels" in said
    (group,) = measured(load_runs([runs[1]]))
    assert "also trained" not in as_markdown(Report("", [in_short(load_runs([runs[1]]), [group])]))


# its pieces


def test_texts_are_escaped_in_both_forms():
    evil = "<script>alert('x')</script> | `a` *b* [c](d)"
    frame = pd.DataFrame({evil: [evil], "n": [0.5], "none": [float("nan")]})
    report = Report(evil, [Section(evil, [Text(evil), Caution(evil), Table(evil, frame)])])
    page, summary = as_html(report), as_markdown(report)
    assert "<script" not in page and page.count("&lt;script&gt;") == 10
    assert not re.search(r"(?<!\\)<script", summary) and summary.count("\\<script\\>") == 7
    assert '<td class="number">0.500</td><td class="number">–</td>' in page
    assert "| 0.500 | – |" in summary and "\\| \\`a\\` \\*b\\* \\[c\\](d)" in summary


def with_settings(run, config, data_root="data"):
    """A run that was called with other settings last."""
    changed = {"settings": config.model_dump(mode="json"), "data_root": data_root}
    return replace(run, record=RunRecord(run.record.folder, run.record.described | changed))


@pytest.mark.parametrize(
    ("preset", "given"),
    [
        ("tiny", {"classes": ["traffic light", "dog's; $HOME"], "learning_rate": 0.00012345678,
                  "budget": 2.0, "train_list": "2012"}),
        ("voc", {"batch_size": 4, "learning_rate": 1e-3}),  # a rate that the batch would scale
        ("voc0712", {"detector": "ssd300", "image_size": "1000x600"}),
    ],
)  # fmt: skip
def test_the_command_gives_the_settings_back(runs, preset, given):
    """Whatever a setting holds: spaces, quotes, nothing, numbers of many digits."""
    (loaded,) = load_runs([runs[0]])
    config = make_config(preset, given)
    pieces = how_it_was_made([with_settings(loaded, config)]).pieces
    (command,) = [shlex.split(piece.text) for piece in pieces if isinstance(piece, Command)]
    settings = [command[i + 1] for i, part in enumerate(command) if part == "--set"]
    assert make_config(command[command.index("--preset") + 1], parse_settings(settings)) == config
    assert command[command.index("--run-dir") + 1] == "a <b>&"


@pytest.mark.parametrize(
    "preset, root, is_named", [("toy", "data/toy", False), ("voc", "data/toy", True),
                               ("toy", "data/mine", True)],
)  # fmt: skip
def test_the_command_names_no_images_that_the_preset_brings(runs, preset, root, is_named):
    (loaded,) = load_runs([runs[0]])
    pieces = how_it_was_made([with_settings(loaded, make_config(preset), root)]).pieces
    (command,) = [piece.text for piece in pieces if isinstance(piece, Command)]
    assert ("--data-root" in command) == is_named


def test_times_are_those_between_the_events_of_a_cycle(tmp_path):
    folder = RunFolder(tmp_path)
    for event, time in (("split", 0), ("end of label_set", 120), ("evaluate", 150)):
        folder.append_log({"cycle": 0, "event": event, "time": 1000 + time})
    folder.append_log({"cycle": 0, "event": "step", "stage": "label_set", "time": 1010})
    assert stage_minutes(folder, 0) == {"label_set": 2, "evaluate": 0.5}
    assert stage_minutes(folder, 1) == {}
    folder.append_log({"cycle": 0, "event": "review", "time": 99999})  # people's time
    assert stage_minutes(folder, 0) == {"label_set": 2, "evaluate": 0.5}
    folder.save_json("cycle0/taken_over.json", {"from": "beside"})
    assert stage_minutes(folder, 0) == {"evaluate": 2.5}


def test_a_run_of_a_strategy_that_nobody_knows_here_is_reported(copies):
    """As of one's own, in another process: what it is stands in its folder."""
    _, (folder, _) = copies
    path = folder / "config.json"
    document = json.loads(path.read_text())
    document["card"] |= {
        "name": "theirs",
        "label": "Theirs",
        "look": "",
        "words": "the close calls",
    }
    for part in ("settings", "identity"):
        document[part]["strategy"] = "theirs"
    path.write_text(json.dumps(document))
    report = make_report([folder])
    said = texts(report)
    assert "Theirs: the close calls" in said and "left out below" not in said


def test_full_supervision_alone_is_reported(data_root, tmp_path):
    run = open_run("tiny", data_root=data_root, run_dir=tmp_path / "full", overrides={
        "strategy": "full", "cycles": 1, "rounds": 0, "min_epoch_steps": 1, "threads": 1,
    })  # fmt: skip
    run.run()
    page, *_ = write_report([run.folder.root], tmp_path / "report")
    assert "there is no curve to draw" in page.read_text()
