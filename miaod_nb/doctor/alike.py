"""Images of the newest batch that look alike to the detector, without being copies."""

from miaod_nb.doctor.examined import Examined
from miaod_nb.doctor.finding import Example, Finding, Severity
from miaod_nb.errors import MiaodError
from miaod_nb.inspection.features import ALIKE, look_alikes

LATER = "looked for in each batch, once a cycle is trained: a network's features tell them"


def alike_findings(examined: Examined) -> tuple[list[Finding], str]:
    """Pairs of the newest batch by the features of the detector that chose it, which are computed
    if the board did not; and what is to be said of the search."""
    run = examined.run
    cycle = run.record.last_selection if run and examined.refusal is None else None
    if run is None or cycle is None or cycle not in run.record.trained:
        return [], LATER
    try:
        pairs = look_alikes(run, cycle, run.record.selected(cycle))
    except MiaodError as error:
        return [], f"not looked for: {error.what}"
    examples = [
        Example(one, run.image(one), f"cosine {similarity:.2f}", twin=run.image(other))
        for one, other, similarity in pairs
    ]
    what = f"pair of images of the batch of cycle {cycle} that look alike to the detector"
    remedy = f"skip one of each (miaod review {run.folder.root}), if they show one scene"
    found = [Finding(Severity.NOTE, what, len(pairs), remedy, examples)] if pairs else []
    return found, f"looked for in the batch of cycle {cycle}, from a cosine of {ALIKE:g} on"
