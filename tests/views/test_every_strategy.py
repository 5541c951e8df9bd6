"""Every view opens on a run of any strategy, and says what it can."""

import pytest

from miaod_nb.views import annotator, board, selection_space, uncertainty_viewer, what_if

VIEWS = (annotator, board, selection_space, uncertainty_viewer, what_if)


@pytest.mark.parametrize("strategy", ["coreset", "margin"])
def test_every_view_opens(finished, strategy):
    run = finished.vary(strategy=strategy, cycles=1, seed=2)
    run.run()
    chosen = run.record.selected(0)
    said = {view.__name__: view(run, 0).message for view in VIEWS}
    assert said == dict.fromkeys(said, "")
    shown = board(run, 0)
    assert [card["id"] for card in shown.cards] == chosen
    assert shown.cards[0]["reason"].startswith(run.card.reason)
    assert what_if(run, 0).result["ids"] == chosen
    assert {one["id"] for one in uncertainty_viewer(run, 0).index} >= set(chosen)
