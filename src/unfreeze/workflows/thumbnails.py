"""Small pictures of the photos that a report shows, so small that a page holds hundreds of them."""

import base64
import io
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from unfreeze.core.file_names import as_written, lies_in_shard, scheme_of
from unfreeze.core.wording import count
from unfreeze.images.decoding import UnreadableImageError, decode
from unfreeze.report.gallery import Pictures

SIDE: Final = 96  # pixels
QUALITY: Final = 60  # of WebP, 0 to 100
MOST_BYTES: Final = 4_500_000  # of all pictures in a page, each as often as it is shown
MOST_SECONDS: Final = 8.0


def thumbnails(source: Path, names: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> Pictures:
    """The pictures of some photos.

    Args:
        source: Folder or list that the names are relative to, as a run was given it.
        names: Of the images, what matters most first; one that is shown twice stands here twice.
        clock: Seconds.

    Returns:
        Those that can be read and have room, and a sentence on the others.
    """
    root, uris, lacking, begun, room = folder_of(source), {}, 0, clock(), MOST_BYTES
    packed = False
    shown = Counter(names)
    for name, times in shown.items():
        uri = _uri(root / name) if room > 0 and clock() - begun < MOST_SECONDS else ""
        if uri is None:
            lacking += 1
            packed |= bool(scheme_of(source)) or lies_in_shard(name)
        elif uri and times * len(uri) <= room:
            uris[name] = uri
            room -= times * len(uri)
    if packed:
        note = f"There are only names of photos that lie in {as_written(source)}: a report does not open such files."
        return Pictures(uris, note)
    return Pictures(uris, _note(len(shown), len(uris), lacking, root))


def folder_of(source: Path) -> Path:
    """What the names of images are relative to, as in `data.image_table`: a folder, or the folder of a list."""
    return source if source.is_dir() else source.parent


def webp(image: Image.Image, quality: int) -> bytes:
    """A picture as WebP; `quality` from 0 to 100."""
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=quality, method=4)
    return stream.getvalue()


def webp_uri(image: Image.Image, quality: int) -> str:
    """A picture as a ``data:`` URI; `quality` from 0 to 100."""
    return f"data:image/webp;base64,{base64.b64encode(webp(image, quality)).decode()}"


def _uri(path: Path) -> str | None:
    """A picture as a ``data:`` URI; None where the file is not there or is no photo any more."""
    try:
        image = decode(path.read_bytes(), at_least=SIDE).image
    except (OSError, ValueError, UnreadableImageError):  # ValueError: a name that no file can have
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return webp_uri(image, QUALITY)


def _note(wanted: int, made: int, lacking: int, root: Path) -> str:
    if lacking:
        return (
            f"{count(lacking, 'photo')} of {wanted:,} could not be read below {root}: they have moved or changed since "
            "the run, or the report was written from another folder. Names stand in their place."
        )
    if made < wanted:
        return f"Of {wanted - made:,} of {count(wanted, 'photo')} there are only names, for lack of room."
    return ""
