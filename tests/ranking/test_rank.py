"""Images ranked by foreign boxes: what is chosen, counted, refused, and written."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from miaod_nb import rank
from miaod_nb.errors import ConfigError, DataError
from miaod_nb.ranking.adapters import COLUMNS
from miaod_nb.selection.outputs import Outputs
from tests.ranking.conftest import SCORES, chosen, entries_of, photo, table_of


def entropy(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def test_by_hand(photos, capsys):
    """Entropy is summed over boxes; an image without boxes has none, and stays in the pool."""
    table = rank(table_of(), images=photos, budget=2)
    assert table["id"].tolist() == ["b.jpg", "c.jpg", "a.jpg", "d.jpg"]
    expected = [entropy(0.5) + entropy(0.6), entropy(0.5), entropy(0.9), 0]
    np.testing.assert_allclose(table["score"].astype(float), expected, rtol=1e-6)
    assert table["rank"].tolist() == [1, 2, 3, 4] and chosen(table) == ["b.jpg", "c.jpg"]
    assert table["boxes"].tolist() == [2, 1, 1, 0]
    assert table["classes"].tolist() == ["2 dog", "1 dog", "1 dog", ""]
    assert table["reason"].tolist()[2:] == ["", ""] and all(table["reason"][:2])
    said = capsys.readouterr().out
    assert "2 of 4 images to label next, by entropy (entropy_aggregate=sum)" in said
    assert "images without boxes: 1, 0 of them chosen" in said and "(d.jpg)" in said


def test_settings_and_strategy(photos):
    one = rank(table_of(), images=photos, budget=1, overrides={"entropy_aggregate": "max"})
    np.testing.assert_allclose(one["score"].max(), entropy(0.5), rtol=1e-6)
    least = rank(table_of(), images=photos, budget=1, strategy="least_confidence")
    assert least.set_index("id")["score"]["b.jpg"] == pytest.approx((0.5 + 0.4) / 2)
    few = rank(table_of(), images=photos, budget=0.5, overrides={"score_threshold": 0.55})
    assert len(chosen(few)) == 2 and few.set_index("id")["boxes"]["c.jpg"] == 0


def test_order_of_boxes_and_images_changes_nothing(photos):
    table = table_of({"a.jpg": [0.5], "b.jpg": [0.5], "c.jpg": [0.5], "d.jpg": [0.4, 0.6]})
    first = rank(table, images=photos, budget=2)
    again = rank(table.sample(frac=1, random_state=1), images=photos, budget=2)
    pd.testing.assert_frame_equal(first, again)
    one, other = (rank(table, images=photos, budget=2, strategy="random") for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def test_one_image_that_is_left_is_called_one(photos, capsys):
    rank(table_of(), images=photos, budget=9, labeled=["a.jpg", "b.jpg", "c.jpg"])
    assert "1 image is left, the budget is 9" in capsys.readouterr().out


def test_budget_larger_than_the_pool(photos, capsys):
    table = rank(table_of(), images=photos, budget=9)
    assert len(chosen(table)) == 4
    assert table["reason"].iloc[-1] == "the detector finds nothing in it"
    assert "4 images are left, the budget is 9" in capsys.readouterr().out


def test_equal_scores_are_said(photos, capsys):
    rank(table_of({}), images=photos, budget=1)
    assert "all images have the same score, 0: only their names decide" in capsys.readouterr().out


@pytest.mark.parametrize("strategy", ["mi_aod", "full"])
def test_strategies_that_need_our_detector(photos, strategy):
    with pytest.raises(ConfigError, match="it cannot rank boxes") as error:
        rank(table_of(), images=photos, budget=1, strategy=strategy)
    able = str(error.value.remedy).removeprefix("choose one of ").split(", ")
    assert {"entropy", "margin", "coreset", "typicality", "random"} < {*able}
    assert strategy not in able


def test_single_boxes_are_left_out_and_counted(photos, capsys):
    table = table_of({"a.jpg": [0.5] * 9}).astype({side: float for side in COLUMNS[1:5]})
    sides = ["x1", "y1", "x2", "y2"]
    table.loc[1, "score"] = math.nan
    table.loc[2, "x1"] = math.inf
    table.loc[3, ["x1", "x2"]] = [9, 7]
    table.loc[4, sides] = [64, 4, 80, 9]
    table.loc[5, "image"] = "z.jpg"
    table.loc[6, [*sides, "score"]] = table.loc[0, [*sides, "score"]]
    table.loc[7, sides] = [60, 4, 70, 9]  # used all the same
    table.loc[8, "y2"] = 1e39  # beyond float32
    ranked = rank(table, images=photos, budget=1)
    assert ranked["boxes"].tolist()[0] == 2
    said = capsys.readouterr().out
    for count, reason in [
        (3, "box with a value that is not finite, or too large (a.jpg"),
        (1, "box without area (a.jpg)"), (1, "box outside its image (a.jpg)"),
        (1, "box of an image that is not in the folder (z.jpg)"),
        (1, "box listed twice (a.jpg)"), (1, "box that reaches beyond its image"),
    ]:  # fmt: skip
        assert f"{count} x {reason}" in said


def test_a_file_whose_boxes_are_all_faulty_is_refused(photos, capsys):
    """With width and height in the place of x2 and y2; low scores alone are no fault."""
    table = table_of({"a.jpg": [0.5, 0.6], "b.jpg": [0.7], "c.jpg": [0.01], "z.jpg": [0.5]})
    table.loc[:2, "x2"] = 1
    with pytest.raises(DataError, match="none of the boxes can be used: ") as error:
        rank(table, images=photos, budget=1)
    for counted in (
        "3 x box without area (a.jpg, b.jpg, ...)",
        "1 x box of an image that is not in the folder (z.jpg)",
        "1 x box with a score below 0.05 (score_threshold) (c.jpg)",
    ):
        assert counted in str(error.value)
    table["score"] = 0.01
    assert not rank(table[3:], images=photos, budget=1)["boxes"].any()
    assert "1 x box with a score below 0.05" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("score", 93.0, "scores are no probabilities: 1 are below 0 or above 1, such as 93"),
        ("score", -2.0, "below 0 or above 1, such as -2"),
        ("score", 1.0000001, "below 0 or above 1, such as 1.0000001"),
        ("image", "z", "two images|none of the 4 boxes lies in an image"),
    ],
)
def test_tables_of_another_kind(photos, column, value, words):
    table = table_of()
    table.loc[:, column] = value if column == "image" else table[column]
    table.loc[0, column] = value
    with pytest.raises(DataError, match=words):
        rank(table, images=photos, budget=1)


def test_shares_of_the_image_are_no_pixels(photos):
    table = table_of()
    table[["x1", "y1", "x2", "y2"]] /= 100
    with pytest.raises(DataError, match="shares of the image"):
        rank(table, images=photos, budget=1)


def test_a_column_is_missing(photos):
    with pytest.raises(DataError, match="no column 'score'"):
        rank(table_of().drop(columns="score"), images=photos, budget=1)


def test_files_that_windows_wrote(photos, tmp_path, write):
    """They begin with a mark of their encoding."""
    (tmp_path / "done.txt").write_text("b.jpg\r\n", encoding="utf-8-sig")
    path = write(entries_of(table_of()))
    path.write_text(path.read_text(), encoding="utf-8-sig")
    table = rank(path, images=photos, budget=1, labeled=tmp_path / "done.txt")
    assert table["left_out"].tolist() == ["", "", "", "labeled"]


@pytest.mark.parametrize(
    ("categories", "words"),
    [([{"id": 1, "name": "dog"}, {"id": 1, "name": "cat"}], "the id 1 stands before already"),
     ([{"id": 1, "name": "dog"}, {"id": 2, "name": "dog"}], "two classes are called 'dog'")],
)  # fmt: skip
def test_categories_that_stand_twice(photos, write, categories, words):
    write(categories, "categories.json")
    with pytest.raises(DataError, match=words):
        rank(write(entries_of(table_of())), images=photos, budget=1)


def test_labeled_images_are_not_chosen(photos, write, tmp_path, capsys):
    (tmp_path / "done.txt").write_text("b\n\nz\n")
    coco = {
        "images": [{"id": 4, "file_name": "photos/b.jpg"}, {"id": 1, "file_name": "z.jpg"}],
        "annotations": [], "categories": [{"id": 1, "name": "cat"}],
    }  # fmt: skip
    boxes = write(entries_of(table_of()))
    for labeled in (tmp_path / "done.txt", write(coco, "coco.json"), ["b.jpg", "z"]):
        table = rank(boxes, images=photos, budget=1, labeled=labeled)
        assert chosen(table) == ["c.jpg"]
        assert table.iloc[-1][["id", "left_out"]].tolist() == ["b.jpg", "labeled"]
        said = capsys.readouterr().out
        bare = ", 1 are labeled as showing nothing" * (str(labeled)[-5:] == ".json")
        assert f"labeled images: 1, not to choose (1 have boxes{bare})" in said
        assert "1 x labeled image that is not in the folder (z" in said
    named = rank(boxes, images=photos, budget=1, labeled=tmp_path / "coco.json")
    assert named["classes"].iloc[0] == "1 cat"  # the labels name the categories
    for labeled, words in [("abcd", "all images of the folder"), ("xy", "none of the 2 labeled")]:
        with pytest.raises(DataError, match=words):
            rank(boxes, images=photos, budget=1, labeled=list(labeled))


def test_a_list_of_labeled_images_that_names_none_is_told(photos, tmp_path, capsys):
    (tmp_path / "done.txt").write_text("\n")
    table = rank(table_of(), images=photos, budget=1, labeled=tmp_path / "done.txt")
    assert not table["left_out"].any()
    assert f"{tmp_path / 'done.txt'} names no image" in capsys.readouterr().out


def test_class_scores_reach_the_strategy(photos, write, monkeypatch):
    seen: list[Outputs] = []
    from miaod_nb.selection.margin import Margin

    own = Margin.see
    monkeypatch.setattr(Margin, "see", lambda self, one: seen.append(one) or own(self, one))
    entries = entries_of(table_of({"a.jpg": [0.6], "b.jpg": [0.6]}))
    entries[0]["scores"], entries[1]["scores"] = [0.6, 0.5, 0.1], [0.6, 0.2, 0.1]
    path = write(entries)
    with pytest.raises(DataError, match="box 0 has 3 class scores, and there are 1 classes"):
        rank(path, images=photos, budget=1, strategy="margin")
    write([{"id": n, "name": name} for n, name in enumerate("xyz", 1)], "categories.json")
    table = rank(path, images=photos, budget=1, strategy="margin")
    assert table["score"].iloc[0] == pytest.approx(0.9) and chosen(table) == ["a.jpg"]
    np.testing.assert_allclose(seen[-4].every_score, [[0.6, 0.5, 0.1]])
    for scores in ([2, 0, 0], ["x", 0, 0], None, [0.1]):
        entries[1]["scores"] = scores
        write(entries)
        with pytest.raises(DataError, match="class scores"):
            rank(path, images=photos, budget=1, strategy="margin")


@pytest.mark.parametrize("strategy", ["coreset", "typicality"])
def test_what_images_look_like(photos, tmp_path, strategy):
    """Strategies that need no boxes see the pixels: of copies, also of a labeled image, none is
    chosen before all others are; features are kept beside the results."""
    for name, seed in (("a", 0), ("b", 0), ("c", 1), ("d", 2)):
        photo(photos / f"{name}.jpg", seed=seed)
    (photos / "e.jpg").write_bytes((photos / "d.jpg").read_bytes()[:-300])
    given = {"images": photos, "labeled": ["a.jpg"], "strategy": strategy}
    table = rank(table_of(), budget=2, **given, out=tmp_path / "next")
    assert sorted(chosen(table)) == ["c.jpg", "d.jpg"]
    assert table["score"].isna().all() and table["rank"].notna().sum() == 2
    assert table.set_index("id")["left_out"]["e.jpg"] == "image truncated"
    assert list((tmp_path / "next/features").glob("*.parquet"))
    assert chosen(rank(table_of(), budget=3, **given))[-1] == "b.jpg"


def test_what_settings_add_to_a_strategy(photos, capsys):
    """Copies are not both chosen, rare classes come first, several strategies share the batch."""
    for name, seed in (("a", 0), ("b", 1), ("c", 1), ("d", 2)):
        photo(photos / f"{name}.jpg", seed=seed)
    table = table_of({"a.jpg": [0.9], "b.jpg": [0.5], "c.jpg": [0.5] * 2, "d.jpg": [0.9] * 3})

    def with_settings(**overrides: object) -> list[str]:
        return chosen(rank(table, images=photos, budget=2, overrides=overrides))

    assert with_settings() == ["c.jpg", "d.jpg"]
    table.loc[0, "class"] = "rare"
    assert "a.jpg" in with_settings(class_target="even")
    assert "class target not met" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="there is no class 'cow'"):
        with_settings(class_target="cow=3")
    table = table_of({"a.jpg": [0.9], "b.jpg": [0.5], "c.jpg": [0.5] * 2})
    assert with_settings() == ["c.jpg", "b.jpg"]
    assert with_settings(max_similarity=0.99) == ["c.jpg", "a.jpg"]
    mixed = with_settings(strategy="mix", mix="50% entropy, 50% coreset")
    assert len(mixed) == 2 and "c.jpg" in mixed
    with pytest.raises(ConfigError, match="strategy=mix looks into a detector of ours"):
        with_settings(strategy="mix", mix="50% entropy, 50% mi_aod")


def test_budget_in_boxes_and_minutes(photos, write, capsys):
    """Scores sum up to the boxes that are expected; labeled images tell how many boxes that means.
    What an image is worth is its score for its cost."""
    table = table_of({"a.jpg": [0.5] * 4, "b.jpg": [0.5], "c.jpg": [0.5] * 2})
    by_boxes = rank(table, images=photos, budget="2 boxes")
    costs = by_boxes.set_index("id")["cost"].astype(float)
    assert costs.to_dict() == {"a.jpg": 2, "b.jpg": 1, "c.jpg": 1, "d.jpg": 1}
    assert costs[chosen(by_boxes)].sum() <= 2
    assert chosen(by_boxes)[0] == "c.jpg"  # twice the entropy of b.jpg for the same cost
    assert "expected cost: about 2 of 2 boxes" in capsys.readouterr().out
    minutes = rank(table, images=photos, budget="1 minutes", overrides={"box_seconds": 60})
    assert minutes.set_index("id")["cost"]["a.jpg"] == pytest.approx((7.8 + 120) / 60)

    labels = {
        "images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 1, "name": "dog"}],
        "annotations": [{"id": n, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
                        for n in range(6)],
    }  # fmt: skip
    more = rank(table, images=photos, budget="4 boxes", labeled=write(labels, "labels.json"))
    assert more.set_index("id")["cost"]["c.jpg"] == pytest.approx(3)  # 6 / 2 boxes for a score


def test_damaged_images(photos, capsys):
    """What the head of a file tells is seen at once, what lies deeper when the image is chosen:
    then others take its place."""
    content = (photos / "b.jpg").read_bytes()
    (photos / "b.jpg").write_bytes(content[:-300])
    (photos / "c.jpg").write_bytes(b"nothing")
    table = rank(table_of(), images=photos, budget=1)
    assert chosen(table) == ["a.jpg"]
    assert table.set_index("id")["left_out"].to_dict() == {
        "a.jpg": "", "d.jpg": "", "b.jpg": "image truncated", "c.jpg": "image unreadable",
    }  # fmt: skip
    said = capsys.readouterr().out
    assert "left out: 1 x image truncated (b.jpg)" in said


def test_files(photos, tmp_path, write):
    out = tmp_path / "next"
    table = rank(write(entries_of(table_of())), images=photos, budget=2, out=out)
    selection = json.loads((out / "selection.json").read_text())
    assert [row["id"] for row in selection["selected"]] == ["b.jpg", "c.jpg"]
    assert [row["index"] for row in selection["selected"]] == [1, 2]
    assert selection["pool"] == 4 and selection["card"]["name"] == "entropy"
    again = pd.read_csv(out / "ranked.csv", keep_default_na=False)
    assert again["id"].tolist() == table["id"].tolist()
    page = (out / "rank.html").read_text()
    assert page.count("<img") == 4  # the scores, two chosen images, one without boxes
    assert "http" not in page and "2 of 4 images to label next" in page
    with pytest.raises(DataError, match="an earlier ranking would be overwritten"):
        rank(table_of(), images=photos, budget=1, out=out)


def test_tables_in_files(photos, tmp_path):
    table = table_of(SCORES | {"007": [0.5]})
    photo(photos / "007.jpg")
    table["scores"] = [[score] for score in table["score"]]
    table.to_csv(tmp_path / "boxes.csv", index=False)
    pd.testing.assert_frame_equal(
        rank(tmp_path / "boxes.csv", images=photos, budget=1),
        rank(table, images=photos, budget=1),
    )


@pytest.mark.parametrize("name", ["N/A", "None", "nan", "1.0"])
def test_names_in_files_stay_as_they_are(photos, tmp_path, name):
    """torchvision calls the gaps among COCO's categories N/A, which is no missing name."""
    photo(photos / f"{name.replace('/', '')}.jpg")
    table = table_of({name.replace("/", ""): [0.5]}, name)
    table.to_csv(tmp_path / "boxes.csv", index=False)
    ranked = rank(tmp_path / "boxes.csv", images=photos, budget=1)
    assert ranked["classes"].iloc[0] == f"1 {name}" and ranked["boxes"].sum() == 1


def test_boxes_without_a_class(photos, write, capsys):
    entries = entries_of(table_of())
    entries[0]["category_id"] = None
    assert rank(write(entries), images=photos, budget=1)["boxes"].sum() == 3
    assert "1 x box without a class (a.jpg)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("boxes.json", "{}", "it is not a list"),
        ("boxes.json", '[{"image_id": "a"}]', "entry 0 cannot be used: there is no 'category_id'"),
        ("boxes.json", '[{"image_id": 1.5, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]',
         "neither a text nor a whole number"),
        ("boxes.json", '[{"image_id": 1, "category_id": 1, "bbox": [1, 2], "score": 1}]',
         "no list of four numbers"),
        ("boxes.csv", "image,x1\na,1,2,3\n", "the table cannot be read|no column"),
        ("boxes.csv", "", "the table cannot be read"),
        ("boxes.csv", "image;x1;y1\na;1;2\n", "no column 'image': it has image;x1;y1"),
        ("boxes.csv", "image,x1,y1,x2,y2,score,class\n1,1,2,9,9,0.5,dog,\n",
         "rows have more cells than the first line has names"),
        ("boxes.csv", "image,x1,y1,x2,y2,score,class,scores\na,1,2,9,9,0.5,dog,0.5 0.1\n",
         "scores '0.5 0.1' are no list in JSON"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(photos, tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words):
        rank(tmp_path / name, images=photos, budget=1)
    with pytest.raises(DataError):
        rank(Path("nowhere") / name, images=photos, budget=1)


@pytest.mark.parametrize("name", ["boxes.json", "boxes.csv", "done.txt", "labels.json"])
def test_files_that_are_not_there(photos, tmp_path, name):
    """The nearest name is offered, before anything is read."""
    (tmp_path / f"all-{name}").write_text("")
    given = {"labeled": tmp_path / name} if name in ("done.txt", "labels.json") else {}
    boxes = table_of() if given else tmp_path / name
    with pytest.raises(DataError, match="there is no such file") as error:
        rank(boxes, images=photos, budget=1, **given)
    assert f"did you mean {tmp_path}/all-{name}?" in str(error.value.remedy)


def test_a_place_that_is_no_folder_is_refused_at_once(photos, tmp_path):
    (tmp_path / "next").write_text("")
    with pytest.raises(DataError, match="--out is a file, but a folder is written"):
        rank("nowhere.csv", images=photos, budget=1, out=tmp_path / "next")


def test_a_mix_that_the_strategy_does_not_read(photos):
    with pytest.raises(ConfigError, match="mix is set, and strategy=entropy does not mix"):
        rank(table_of(), images=photos, budget=1, overrides={"mix": "50% entropy,50% random"})


@pytest.mark.parametrize("budget", [0.5, "0.5", "2", 2, 2.0, "2 images"])
def test_budgets_as_numbers_and_as_text(photos, budget):
    assert len(chosen(rank(table_of(), images=photos, budget=budget))) == 2
