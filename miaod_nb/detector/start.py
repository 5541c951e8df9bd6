"""What a whole detector begins with where its weights are another's."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor


class Start(NamedTuple):
    """The weights of a trained detector, as far as they mean the same in ours.

    name: whose they are, in words. arrays: by our names. places: which output of a classifier a
    class has, by its name; outputs: how many there are, a background among them. settings: those
    without which the weights mean something else. anew: beginnings of our names of arrays that it
    does not give, and why in words.
    """

    name: str
    arrays: Mapping[str, Tensor]
    places: Mapping[str, int]
    outputs: int
    settings: Mapping[str, Any]
    anew: Mapping[str, str]
