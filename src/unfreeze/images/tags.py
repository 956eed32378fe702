"""The tags of a TIFF file, read without decoding: what Pillow does not say of files that it refuses, or reads in part.

Nothing here follows more than a fixed number of pointers, whatever the bytes are.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MOST_DIRECTORIES = 64  # of one file that are looked at; a page of a scan needs one, camera RAW up to a dozen
MOST_TAGS = 512  # of one directory
MOST_VALUES = 64  # of one tag
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
MAKE, STRIPS, SAMPLES, TILES, SUB_DIRECTORIES, SAMPLE_FORMAT = 271, 273, 277, 324, 330, 339
DNG_VERSION = 50706
# Bytes of a value and its letter for `struct`, by the number of its type; types that no tag above has are left out.
_TYPES = {1: (1, "B"), 3: (2, "H"), 4: (4, "I"), 7: (1, "B"), 13: (4, "I"), 16: (8, "Q"), 18: (8, "Q")}
_ASCII = 2

Directory = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class _Layout:
    """Byte order, and how wide counts and offsets are: BigTIFF has 64 bits."""

    order: str
    is_big: bool

    def numbers(self, data: bytes, place: int, letters: str) -> tuple[int, ...]:
        """Numbers at a place; empty where the file ends before."""
        form = self.order + letters
        end = place + struct.calcsize(form)
        return struct.unpack(form, data[place:end]) if place >= 0 and end <= len(data) else ()


def directories(data: bytes) -> Iterator[Directory]:
    """The directories of a TIFF file in the order of their chain, each with those below it (SubIFDs) behind it.

    Args:
        data: The whole file, whatever it is.

    Yields:
        Numbers by tag; text is left as empty. At most `MOST_DIRECTORIES`, each once.
    """
    layout, first = _layout(data)
    if layout is None:
        return
    waiting = [first]
    seen: set[int] = set()
    while waiting and len(seen) < MOST_DIRECTORIES:
        place = waiting.pop()
        if place in seen or not 0 < place < len(data):
            continue
        seen.add(place)
        tags, following = _directory(data, place, layout)
        yield tags
        waiting += [following, *reversed(tags.get(SUB_DIRECTORIES, ()))]


def pages(data: bytes, most: int) -> int:
    """Number of pages of a TIFF file, counted along their chain up to `most`; 1 for what is none."""
    layout, place = _layout(data)
    if layout is None:
        return 1
    seen: set[int] = set()
    while 0 < place < len(data) and place not in seen and len(seen) < most:
        seen.add(place)
        place = _following(data, place, layout)
    return max(1, len(seen))


def _layout(data: bytes) -> tuple[_Layout | None, int]:
    """How the file is laid out, and where its first directory is."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return None, 0
    version = _Layout(order, is_big=False).numbers(data, 2, "H")
    layout = _Layout(order, is_big=version == (43,))
    start = layout.numbers(data, 8, "Q") if layout.is_big else layout.numbers(data, 4, "I")
    return (layout, start[0]) if start and version in {(42,), (43,)} else (None, 0)


def _shape(data: bytes, place: int, layout: _Layout) -> tuple[int, int, int]:
    """Number of tags, where the first stands, and the size of each."""
    count = layout.numbers(data, place, "Q" if layout.is_big else "H")
    return (count[0] if count else 0), place + (8 if layout.is_big else 2), 20 if layout.is_big else 12


def _following(data: bytes, place: int, layout: _Layout) -> int:
    count, start, size = _shape(data, place, layout)
    found = layout.numbers(data, start + count * size, "Q" if layout.is_big else "I")
    return found[0] if found else 0


def _directory(data: bytes, place: int, layout: _Layout) -> tuple[Directory, int]:
    count, start, size = _shape(data, place, layout)
    tags: Directory = {}
    for entry in range(start, start + min(count, MOST_TAGS) * size, size):
        head = layout.numbers(data, entry, "HHQ" if layout.is_big else "HHI")
        if head:
            tag, kind, length = head
            tags[tag] = _values(data, entry + (12 if layout.is_big else 8), kind, length, layout)
    return tags, _following(data, place, layout)


def _values(data: bytes, place: int, kind: int, length: int, layout: _Layout) -> tuple[int, ...]:
    """Numbers of one tag: in its place if they fit there, else where it points to."""
    if kind == _ASCII or kind not in _TYPES:
        return ()
    size, letter = _TYPES[kind]
    if size * length > (8 if layout.is_big else 4):
        place = next(iter(layout.numbers(data, place, "Q" if layout.is_big else "I")), -1)
    return layout.numbers(data, place, letter * min(length, MOST_VALUES))
