"""Images as texts that a view's script can show."""

import base64
import io

from PIL import Image

from miaod_nb.data.records import ImageRecord
from miaod_nb.show.views import pixels

THUMBNAIL = 320  # pixels of the longest side
LARGE = 1200


def data_url(record: ImageRecord, longest: int = THUMBNAIL) -> str:
    """The image as a JPEG in a data URL, made smaller if its longest side is over `longest` pixels.

    Raises DataError if its file cannot be read any more.
    """
    image = Image.fromarray(pixels(record))
    image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
