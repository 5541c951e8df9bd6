"""Every figure as a function: arrays and tables in, Axes out.

Each function draws on the Axes that it is given and returns them; `use_style` comes first.

letters: names in any script: drawn in a font of this machine that has their letters, else as
numbers
look: how things look: one role, one color, line and marker in every figure, and labels at the line
bars: how many, which share, how the scores spread, and the hand-computed example
checks: how far a detector's scores can be trusted, and what the labels were of
effects: what a gain is worth: differences with their intervals, and the curves they come from
lines: curves: losses over steps, discrepancy over stages, mAP over labeled images
outlook: a learning curve and how it probably goes on
pictures: boxes, anchors and heat maps on images. Boxes are xyxy in pixels of the image
"""

from miaod_nb.plots.bars import (
    batch_costs,
    class_counts,
    instance_bars,
    score_histogram,
    share_bars,
    true_positive_counts,
)
from miaod_nb.plots.checks import calibration, class_mix
from miaod_nb.plots.effects import differences, forest, two_by_two
from miaod_nb.plots.letters import drawable
from miaod_nb.plots.lines import (
    PUBLISHED,
    learning_curves,
    per_class_curves,
    published_curve,
    stage_values,
    training_curves,
)
from miaod_nb.plots.look import style, use_style
from miaod_nb.plots.outlook import continued_curve
from miaod_nb.plots.pictures import (
    add_boxes,
    anchors_on_image,
    boxes_on_image,
    heat_map,
    heat_map_row,
)

__all__ = [
    "PUBLISHED",
    "add_boxes",
    "anchors_on_image",
    "batch_costs",
    "boxes_on_image",
    "calibration",
    "class_counts",
    "class_mix",
    "continued_curve",
    "differences",
    "drawable",
    "forest",
    "heat_map",
    "heat_map_row",
    "instance_bars",
    "learning_curves",
    "per_class_curves",
    "published_curve",
    "score_histogram",
    "share_bars",
    "stage_values",
    "style",
    "training_curves",
    "true_positive_counts",
    "two_by_two",
    "use_style",
]
