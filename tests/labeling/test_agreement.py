"""What people made of suggested boxes, counted by hand."""

import pytest

from miaod_nb.labeling.agreement import Agreement, compare
from miaod_nb.labeling.exchange import ReturnedBox, Suggestion

A, B = (10.0, 10.0, 30.0, 30.0), (50.0, 50.0, 80.0, 90.0)


def suggested(*boxes):
    return [Suggestion(name, box, 0.5) for name, box in boxes]


def returned(*boxes):
    return [ReturnedBox(name, box) for name, box in boxes]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], Agreement()),
        ([("cat", A)], [("cat", A)], Agreement(accepted=1)),
        ([("cat", A)], [("cat", (10.4, 9.5, 31, 30))], Agreement(accepted=1)),  # rounded
        ([("cat", A)], [("cat", (14, 10, 34, 30))], Agreement(moved=1)),  # IoU 2/3
        ([("cat", A)], [("cat", (20, 10, 40, 30))], Agreement(deleted=1, added=1)),  # IoU 1/3
        ([("cat", A)], [("dog", A)], Agreement(renamed=1)),
        ([("cat", A), ("cat", B)], [("cat", B)], Agreement(accepted=1, deleted=1)),
        ([("cat", A)], [("cat", A), ("cat", B)], Agreement(accepted=1, added=1)),
        ([("cat", A), ("dog", A)], [("dog", A)], Agreement(accepted=1, deleted=1)),
        ([("cat", A)], [], Agreement(deleted=1)),
        ([], [("cat", A)], Agreement(added=1)),
    ],
)
def test_each_change_is_counted_once(before, after, expected):
    assert compare(suggested(*before), returned(*after)) == expected


def test_the_score_is_told_in_words():
    agreement = Agreement(accepted=3, moved=1, renamed=2, deleted=4, added=5)
    assert (agreement.suggested, agreement.right) == (10, 4)
    assert agreement.lines() == [
        "suggested boxes: 3 accepted, 1 moved, 2 renamed, 4 deleted, 5 added",
        "of 10 suggested boxes 4 were right, and of 11 objects they show 4",
    ]
    assert Agreement(added=5).lines() == []
