"""Photos as people see them: what their EXIF entry says of how a camera was held."""

from pathlib import Path

from PIL import ExifTags, Image

Transpose = Image.Transpose
TURNS = {  # what makes the picture upright, by EXIF's orientation; 1: nothing has to be done
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}  # fmt: skip
Box = tuple[float, float, float, float]


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation of an image that was loaded, from 1 (upright) to 8."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # the entry is damaged, in whichever way
        return 1
    return orientation if orientation in TURNS else 1


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of the upright image in a file."""
    with Image.open(path) as image:
        image.load()  # a PNG may tell its orientation last
        lies = orientation_of(image) >= 5  # on its side
        return image.size[::-1] if lies else image.size


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as its orientation says."""
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def upright_box(box: Box, orientation: int, size: tuple[int, int]) -> Box:
    """The box of a picture that lies on its side (orientation 5 to 8), turned with it.

    box: xyxy in the picture as it is stored, whose width and height are `size`.
    """
    (x1, y1, x2, y2), (width, height) = box, size
    if orientation in (7, 8):
        x1, x2 = width - x2, width - x1
    if orientation in (6, 7):
        y1, y2 = height - y2, height - y1
    return y1, x1, y2, x2
