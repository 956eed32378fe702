"""When a camera says that a photo was taken: photos of one burst lie seconds apart."""

import calendar
import re
from typing import Final

from PIL import Image

_EXIF, _ORIGINAL = 0x8769, 0x9003  # the directory of the camera, and DateTimeOriginal in it
_WRITTEN: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)


def capture_time(image: Image.Image) -> int | None:
    """Seconds since 1970 by the camera's own clock, whatever its zone.

    Args:
        image: Opened by Pillow.

    Returns:
        The seconds; None where the file does not say, or says what no clock shows.

    Source:
        Exif 2.32, 4.6.5: ``YYYY:MM:DD HH:MM:SS``. Parsed by hand, since behind the locks nothing can be imported.
    """
    try:
        text = str(image.getexif().get_ifd(_EXIF).get(_ORIGINAL, ""))
        found = _WRITTEN.match(text)
        if found is None:
            return None
        year, month, day, hour, minute, second = map(int, found.groups())
        if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
            return None
        return calendar.timegm((year, month, day, hour, minute, second))
    except Exception:  # a broken EXIF block raises nearly anything, and the pixels are still good
        return None
