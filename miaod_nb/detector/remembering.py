"""A detector that looks at the images of a batch once, however often it is asked."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from torch import Tensor

from miaod_nb.detector.head import TOWERS, Predictions
from miaod_nb.detector.model import OUTPUT_NAMES, DetectionModel

Found = TypeVar("Found")


class Remembering:
    """A detector and a batch of images: features, boxes and scores of these cost one pass. It has
    the attributes of the detector and answers as that does; other images it does not remember."""

    def __init__(self, model: DetectionModel, images: Tensor) -> None:
        self._model, self._images = model, images
        self._features: list[Tensor] | None = None
        self._said: Predictions | None = None
        self._derived: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def features(self, images: Tensor) -> list[Tensor]:
        """As `DetectionModel.features`."""
        if images is not self._images:
            return self._model.features(images)
        if self._features is None:
            self._features = self._model.features(images)
        return self._features

    def __call__(self, images: Tensor, towers: Sequence[str] = TOWERS) -> Predictions:
        """As `DetectionModel.forward`; what was asked for before is there as well."""
        if images is not self._images:
            return self._model(images, towers)
        new = [t for t in towers if getattr(self._said, OUTPUT_NAMES[t], None) is None]
        if new:
            with self._model.autocasting():
                said = self._model.predict(self.features(images), new)
            found = {OUTPUT_NAMES[t]: getattr(said, OUTPUT_NAMES[t]) for t in new}
            self._said = replace(self._said, **found) if self._said else said
        assert self._said is not None
        return self._said

    def once(self, name: str, images: Tensor, derive: Callable[[], Found]) -> Found:
        """What somebody derives from it for these images under a name, derived once."""
        if images is not self._images:
            return derive()
        if name not in self._derived:
            self._derived[name] = derive()
        return cast(Found, self._derived[name])


def remembering(model: DetectionModel, images: Tensor) -> DetectionModel:
    """The detector for these images; one that computes in a way of its own, or is compiled, as it
    is."""
    own = getattr(type(model), "forward", None) is not DetectionModel.forward
    if own or model.is_compiled:
        return model
    return cast(DetectionModel, Remembering(model, images))
