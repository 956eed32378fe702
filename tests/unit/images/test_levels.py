"""Photos of 16 bits: levels, the range that a set uses, and what becomes of them at 8 bits."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tiff_files import tiff
from unfreeze.images.decoding import decode, levels_in
from unfreeze.images.levels import TOP, WHOLE, common_range, eight_bit, used_range

RNG = np.random.default_rng(0)
NARROW = RNG.integers(30_000, 30_400, (40, 48, 3)).astype(np.uint16)


def png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, grey, RGB or RGBA, which Pillow cannot write in colour."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = values.shape[:2]
    kind = {2: 0, 3: 2}[values.ndim] if values.ndim == 2 or values.shape[2] == 3 else 6
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (png(NARROW), NARROW),
        (png(NARROW[..., 0]), NARROW[..., 0]),
        (png(np.dstack([NARROW, NARROW[..., 0]])), NARROW),
        (tiff(NARROW), NARROW),
        (tiff(NARROW[..., 0]), NARROW[..., 0]),
    ],
    ids=["colour", "grey", "opacity", "tiff in colour", "grey tiff"],
)
def test_every_bit_is_had(data: bytes, wanted: np.ndarray) -> None:
    """Levels are those that were written, though Pillow keeps eight bits of a colour."""
    seen = decode(data)

    assert seen.levels is not None
    np.testing.assert_array_equal(seen.levels, wanted)
    assert levels_in(data) == used_range(wanted)


def test_photos_of_eight_bits_have_no_levels() -> None:
    """Nothing is measured of a photo that has nothing to scale."""
    for kind in ("PNG", "TIFF", "JPEG"):
        stream = io.BytesIO()
        Image.fromarray(NARROW.astype(np.uint8)).save(stream, kind)
        assert decode(stream.getvalue()).levels is None
        assert levels_in(stream.getvalue()) is None


@pytest.mark.parametrize("values", [NARROW, NARROW[..., 0]], ids=["colour", "grey"])
def test_a_narrow_band_is_a_picture(values: np.ndarray) -> None:
    """Scaled by its range the band goes from black to white, where division by 257 leaves two levels."""
    flat, seen = decode(png(values)), decode(png(values), levels=(30_000, 30_400))

    assert len(np.unique(np.asarray(flat.image))) <= 2
    wanted = (values - 30_000.0) * 255 / 400
    shown = np.asarray(seen.image) if values.ndim == 3 else np.asarray(seen.image)[..., 0]
    np.testing.assert_allclose(shown, wanted, atol=0.501)


def test_copies_are_compared_on_their_own_pixels() -> None:
    """Two photos that look alike at 8 bits are two; the same photo as PNG and TIFF is one, and so is one of 8 bits."""
    other = NARROW[::-1].copy()
    eight = RNG.integers(0, 256, (40, 48), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(eight).save(stream, "PNG")

    assert decode(png(NARROW)).pixels_sha256 != decode(png(other)).pixels_sha256
    assert decode(png(NARROW)).pixels_sha256 == decode(tiff(NARROW)).pixels_sha256
    assert decode(png(eight.astype(np.uint16) * 257)).pixels_sha256 == decode(stream.getvalue()).pixels_sha256


def test_the_whole_range_is_division_by_257() -> None:
    """A set that uses its range is scaled as ever: by 257, rounded."""
    levels = np.arange(TOP + 1, dtype=np.uint16)

    np.testing.assert_array_equal(eight_bit(levels, WHOLE), np.rint(levels / 257.0).astype(np.uint8))


def test_dead_pixels_do_not_set_the_range() -> None:
    """One pixel of two thousand at either end is left out of what a photo uses."""
    values = RNG.integers(500, 4096, (100, 200)).astype(np.uint16)
    clean = used_range(values)
    values[0, :10], values[1, :10] = 0, TOP

    assert used_range(values) == pytest.approx(clean, abs=5)
    assert used_range(np.full((5, 5), 9, np.uint16)) == (9, 9)


@pytest.mark.parametrize(("ranges", "wanted"), [
    ([], WHOLE),
    ([(0, 40_000)], WHOLE),
    ([(10, 4_000), (0, 3_000)], (0, 4_000)),
    ([(7, 7)], (0, 64)),
    ([(TOP, TOP)], (TOP - 64, TOP)),
])  # fmt: skip
def test_the_range_of_a_set(ranges: list[tuple[int, int]], wanted: tuple[int, int]) -> None:
    """It holds all photos; half of everything is everything, and a flat photo gets a range of its own."""
    assert common_range(ranges) == wanted
