"""A list of inspected images without what should not be learned from, which `data.lists` reads again."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from unfreeze.data.image_set import ImageSet
from unfreeze.data.list_columns import COLUMNS

# A spreadsheet takes a cell for a formula that begins with one of these, and a space is lost in front.
_NO_START = ("=", "+", "-", "@", " ")
_Row = tuple[str, ...]


def cleaned_rows(image_set: ImageSet, folder: Path, doubts: Mapping[str, str]) -> Iterator[_Row]:
    """Rows of the cleaned list, its headings first.

    Every file stands in it: what is left out has the reason in the column left_out, and comes back when that cell is
    emptied. The photos themselves stay as they are.

    Args:
        image_set: Inspected.
        folder: That the list will lie in; paths below it are written relative to it.
        doubts: By name of the image, why it should be left out beyond what could not be used.

    Yields:
        Texts in the order of `COLUMNS`. Names are exact, since they are read again.
    """
    yield COLUMNS
    for image in image_set.images:
        place = _path(image_set.root, image.name, folder)
        yield place, image.label, image.split, image.group, doubts.get(image.name, "")
    for one in image_set.set_aside:
        yield _path(image_set.root, one.name, folder), "", "", "", one.reason
    for copy in image_set.duplicates:
        why = f"{copy.why}: as {_path(image_set.root, copy.same_as, folder)}"
        yield _path(image_set.root, copy.name, folder), "", "", "", why


def csv_bytes(rows: Iterator[_Row]) -> bytes:
    """Rows as CSV in UTF-8; a byte of a name that is no text stays what it is."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode("utf-8", "surrogateescape")


def _path(root: Path, name: str, folder: Path) -> str:
    path = root / name
    text = (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()
    return f"./{text}" if text.startswith(_NO_START) else text
