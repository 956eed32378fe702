"""TIFF files written by hand, for what Pillow cannot write."""

import struct

import numpy as np

_LETTERS = {1: "B", 3: "H", 4: "I"}


def directory(rows: list[tuple[int, int, list[int]]], start: int, following: int = 0) -> bytes:
    """A directory that stands at `start`, with what does not fit into it behind it; type 1, 3 or 4."""
    rows = sorted(rows)
    behind = start + 2 + 12 * len(rows) + 4
    out, more = struct.pack("<H", len(rows)), b""
    for tag, kind, values in rows:
        field = struct.pack(f"<{len(values)}{_LETTERS[kind]}", *values)
        if len(field) > 4:
            place, more = behind + len(more), more + field
            field = struct.pack("<I", place)
        out += struct.pack("<HHI", tag, kind, len(values)) + field.ljust(4, b"\0")
    return out + struct.pack("<I", following) + more


def tiff(values: np.ndarray, *, kind: int = 1, photometric: int | None = None, more: tuple[int, ...] = ()) -> bytes:
    """An uncompressed TIFF of shape [height, width] or [height, width, band].

    Args:
        values: Of 8, 16 or 32 bits.
        kind: TIFF's sample format: 1 unsigned, 2 signed, 3 float.
        photometric: 1 grey, 2 RGB; by the number of bands if None.
        more: Values of the tag ExtraSamples.
    """
    height, width = values.shape[:2]
    bands = values.shape[2] if values.ndim == 3 else 1
    colour = photometric or (1 if bands < 3 else 2)
    extra = list(more) or [0] * (bands - (1 if colour == 1 else 3))
    data = np.ascontiguousarray(values).tobytes()
    rows = [(256, 4, [width]), (257, 4, [height]), (258, 3, [values.dtype.itemsize * 8] * bands), (259, 3, [1])]
    rows += [(262, 3, [colour]), (273, 4, [8]), (277, 3, [bands]), (278, 4, [height]), (279, 4, [len(data)])]
    rows += [(339, 3, [kind] * bands), *([(338, 3, extra)] if extra else [])]
    start = 8 + len(data) + len(data) % 2
    return b"II*\0" + struct.pack("<I", start) + data.ljust(start - 8, b"\0") + directory(rows, start)


def preview_with(rows: list[tuple[int, int, list[int]]], below: list[tuple[int, int, list[int]]]) -> bytes:
    """A grey preview whose directory has more tags, and another directory below it, as camera RAW has."""
    data = bytes(range(64))
    tags = [(256, 4, [8]), (257, 4, [8]), (258, 3, [8]), (259, 3, [1]), (262, 3, [1]), (273, 4, [8]), (277, 3, [1])]
    tags += [(278, 4, [8]), (279, 4, [64]), *rows]
    if not below:
        return b"II*\0" + struct.pack("<I", 72) + data + directory(tags, 72)
    inner = directory(below, 72)
    start = 72 + len(inner)
    return b"II*\0" + struct.pack("<I", start) + data + inner + directory([*tags, (330, 4, [72])], start)
