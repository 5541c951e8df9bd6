"""What the views hand to their scripts has the keys that the contract names."""

from typing import Any, get_args, get_type_hints, is_typeddict

import pytest

from miaod_nb import views
from miaod_nb.views import contract


def check_keys(value: Any, kind: Any) -> None:
    """Asserts that a value, and all that it holds, has the keys of a type."""
    if is_typeddict(kind):
        assert kind.__required_keys__ <= set(value) <= set(get_type_hints(kind)), kind
        for key, inner in get_type_hints(kind).items():
            if value.get(key) is not None:
                check_keys(value[key], inner)
        return
    for inner in get_args(kind):
        if isinstance(value, list):
            for one in value:
                check_keys(one, inner)
        elif isinstance(value, dict) and is_typeddict(inner):
            check_keys(value, inner)


@pytest.fixture
def given(copied):
    """What the views of a run give to their scripts, with its type."""
    board, viewer = views.board(copied), views.uncertainty_viewer(copied)
    annotator = views.annotator(copied)
    first = annotator.tasks[0]
    drawn = {"name": "disc", "box": [1, 2, 9, 9], "score": None, "origin": "drawn"}
    stroke = {"id": first["id"], "n": 1, "state": "done", "boxes": [drawn], "note": "",
              "seconds": 1.5}  # fmt: skip
    annotator.events = [stroke]
    space, what_if = views.selection_space(copied), views.what_if(copied)
    board.events = [{"id": board.cards[0]["id"], "action": "skip", "note": "", "n": 1}]
    board.apply += 1
    what_if.settings = what_if.settings | {"strategy": "entropy"}
    space.wanted = space.points[0]["id"]
    space.lasso_ids = [space.points[0]["id"]]
    space.wish = {"n": 1, "action": "undo"}
    labeled = next(image["id"] for image in viewer.index if image["labeled"])
    result = dict(what_if.result)
    assert result.pop("settings") == what_if.settings
    return [
        (board.cards, list[contract.Card]),
        (board.mix, list[contract.Mix]),
        (list(board.decisions.values()), list[contract.Decided]),
        (list(board.aside.values()), list[contract.Aside]),
        (board.events, list[contract.Event]),
        (annotator.tasks, list[contract.ToLabel]),
        (annotator.events, list[contract.Stroke]),
        (list(annotator.drawings.values()), list[contract.Made]),
        (annotator.picture, contract.Shown),
        (viewer.index, list[contract.Listed]),
        (viewer.payload, contract.Payload),
        (viewer.payload_of(labeled), contract.Payload),
        (space.points, list[contract.Point]),
        (space.thumbnail, contract.Picture),
        (space.gallery, list[contract.Picture]),
        (space.wish, contract.Wish),
        (what_if.options, contract.Options),
        (result, contract.Replayed),
    ]


def test_what_the_scripts_are_given_has_the_keys_of_its_type(given):
    for value, kind in given:
        assert value
        check_keys(value, kind)


def test_a_key_that_the_contract_does_not_name_is_found():
    with pytest.raises(AssertionError):
        check_keys([{"id": "a", "source": "", "size": 3}], list[contract.Picture])
