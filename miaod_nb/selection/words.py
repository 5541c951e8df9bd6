"""What people are told of a selection that is smaller than it could be."""

from collections.abc import Mapping
from typing import Any

ASIDE = {"skip": "skipped", "defer": "deferred"}  # images, by what people decided of them


def counted(selection: Mapping[str, Any]) -> list[str]:
    """How many images to choose from were set aside, in words: 2 skipped, 1 deferred."""
    aside = selection.get("set_aside", {})
    return [f"{aside[word]} {word}" for word in ASIDE.values() if word in aside]


def why_empty(selection: Mapping[str, Any]) -> str:
    """Why a selection has no image, in words; "" if it has some."""
    if selection["selected"]:
        return ""
    if parts := counted(selection):
        return f"all images to choose from are set aside ({', '.join(parts)}; see decisions.jsonl)"
    return "the pool is empty"


def shortage(selection: Mapping[str, Any]) -> str:
    """What to say of a selection that is smaller than the budget; "" if it is not."""
    count, budget = len(selection["selected"]), selection["budget"]
    if count == budget:
        return ""
    besides = "".join(f", {part}" for part in counted(selection))
    return f"cut short: {count} images are left{besides}, the budget is {budget}"
