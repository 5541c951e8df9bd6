"""Names in any script: drawn in a font of this machine that has their letters, else as numbers."""

from functools import cache

import matplotlib.pyplot as plt
from matplotlib.font_manager import fontManager, get_font

from miaod_nb.progress import say

FIRST, OF_ALL = "DejaVu Sans", "Last Resort"  # the style's font, and one of mere boxes
SAID: list[str] = []  # letters that the user was told of


def drawable(text: str) -> str:
    """The text as figures can show it: a letter that no font of this machine has as its number.

    Fonts of the letters that the style's own lacks join the style in use, so this comes before the
    text is drawn.
    """
    families = {letter: _family_with(letter) for letter in text if letter.isprintable()}
    used = plt.rcParams["font.family"]
    others = [one for one in dict.fromkeys(families.values()) if one not in ("", FIRST, *used)]
    plt.rcParams["font.family"] = [*used, *others]
    lacking = "".join(letter for letter, family in families.items() if not family)
    if lacking:
        _say_once(lacking)
    return "".join(
        f"[{ord(letter):X}]" if families.get(letter) == "" else letter for letter in text
    )


@cache
def _family_with(letter: str) -> str:
    """A family of fonts that has the letter, upright and of usual weight if possible; "": none."""
    fonts = [font for font in fontManager.ttflist if not font.name.startswith(OF_ALL)]
    fonts.sort(key=lambda one: (one.name != FIRST, one.style != "normal", one.weight != 400))
    return next((one.name for one in fonts if ord(letter) in _letters_of(one.fname)), "")


@cache
def _letters_of(file: str) -> frozenset[int]:
    return frozenset(get_font(file).get_charmap())


def _say_once(letters: str) -> None:
    """Tells, the first time, what pictures cannot show."""
    if not SAID:
        SAID.append(letters)
        say(f"no font of this machine has {letters[0]} and others: figures show their numbers, "
            f"[{ord(letters[0]):X}]; install a font that has them, such as Noto")  # fmt: skip
