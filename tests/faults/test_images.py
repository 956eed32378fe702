"""Damaged and hostile images: the parent lives, nothing hangs, and each file is read or refused with a reason."""

import io
import os
import random
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from faultlab.mutations import mutated, originals
from unfreeze.images.decoder import MAX_BYTES
from unfreeze.images.decoding import UnreadableImageError, decode
from unfreeze.images.geometry import Geometry
from unfreeze.images.pool import DecoderPool

REASON = re.compile(
    r"empty-file|truncated|corrupt-\w+|\w+-variant.*|bands: .*|camera-raw: .*|not-an-image: .*|"
    r"format-not-allowed: .*|sample-format: .*|too-many-pixels .*|aspect-ratio .*|decoder-\w+.*|heic: .*"
)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=2) as pool:
        yield pool


def test_mutations_are_read_or_refused(pool: DecoderPool, tmp_path: Path) -> None:
    """Whatever bytes change in a file, its decoder answers with pixels or with a reason, and the next file is read."""
    seed = int(os.environ.get("UNFREEZE_FUZZ_SEED", "0"))
    print(f"seed {seed}")
    rng = random.Random(seed)
    sources = originals()
    paths = []
    for number in range(int(os.environ.get("UNFREEZE_FUZZ_COUNT", "5000"))):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(mutated(rng.choice(sources), rng))

    answers = list(pool.squares(paths, Geometry(16, 20)))

    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, UnreadableImageError):
            assert REASON.fullmatch(answer.reason), (seed, path.name, answer.reason)
            # "decoder-error" would be a mistake of ours, a crash one of the decoding library.
            assert not answer.reason.startswith(("decoder-error", "decoder-crash")), (seed, path.name, answer.reason)
        else:
            assert answer.shape == (20, 20, 3)


def test_originals_are_all_read() -> None:
    """None of the files that the damage starts from is refused: a test of refusals alone proves nothing."""
    for data in originals():
        assert decode(data).image.mode == "RGB"


def png_bomb(side: int) -> bytes:
    """A valid PNG of side x side white pixels in a few kilobytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    deflate = zlib.compressobj(9)
    row = b"\0" + b"\xff" * side
    data = b"".join(deflate.compress(row) for _ in range(side)) + deflate.flush()
    return b"\x89PNG\r\n\x1a\n" + b"".join([
        chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), chunk(b"IDAT", data), chunk(b"IEND", b"")
    ])  # fmt: skip


def test_bombs_are_refused(pool: DecoderPool, tmp_path: Path) -> None:
    """A small file that unfolds to more than the budget is refused, and one within the budget is read."""
    (tmp_path / "bomb.png").write_bytes(png_bomb(10_001))
    (tmp_path / "large.png").write_bytes(png_bomb(4_000))

    bomb, large = pool.inspect([tmp_path / "bomb.png", tmp_path / "large.png"])

    assert bomb.reason == "too-many-pixels 100,020,001 > 100,000,000"
    assert (large.reason, large.width) == ("", 4_000)


def test_text_chunk_bombs_are_refused_or_harmless(pool: DecoderPool, tmp_path: Path) -> None:
    """A PNG whose text or colour profile unfolds to 200 MB costs neither memory nor the files after it."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 40)).save(stream, "PNG")
    good = stream.getvalue()
    big = zlib.compress(b"\0" * 200_000_000, 9)
    paths = [tmp_path / "text.png", tmp_path / "profile.png", tmp_path / "good.png"]
    for path, name, body in zip(paths, (b"zTXt", b"iCCP"), (b"a\0\0" + big, b"a\0\0" + big), strict=False):
        chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        path.write_bytes(good[:33] + chunk + good[33:])
    paths[2].write_bytes(good)

    answers = list(pool.inspect(paths))

    assert all(not seen.reason or REASON.fullmatch(seen.reason) for seen in answers)
    assert answers[2].reason == ""


def test_huge_files_are_refused_unread(pool: DecoderPool, tmp_path: Path) -> None:
    """A file above the limit is refused by its size alone, before its bytes are read."""
    path = tmp_path / "huge.tif"
    with path.open("wb") as file:
        file.write(b"II*\0")
        file.truncate(MAX_BYTES + 1)

    assert next(iter(pool.inspect([path]))).reason == f"file-too-large {MAX_BYTES + 1:,} > {MAX_BYTES:,} bytes"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the limit")
def test_memory_is_bounded(pool: DecoderPool, tmp_path: Path) -> None:
    """A child may use two gigabytes more than it starts with, not all there is."""
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40)).save(path)
    list(pool.inspect([path]))
    limits = Path(f"/proc/{pool._children[0].process.pid}/limits").read_text()

    limit = int(re.search(r"Max address space\s+(\d+)", limits)[1])
    assert 2 * 1024**3 < limit < 5 * 1024**3


@pytest.mark.slow
def test_largest_picture_with_opacity_fits(tmp_path: Path) -> None:
    """An image of nearly the whole pixel budget with an opacity channel is read within the memory limit."""
    path = tmp_path / "large.png"
    Image.new("LA", (9_990, 9_990), (128, 128)).save(path, compress_level=1)

    with DecoderPool(workers=1, timeout=120) as pool:
        (seen,) = pool.inspect([path])

    assert (seen.reason, seen.mode, seen.width) == ("", "LA", 9_990)


def test_polyglots_show_their_picture(pool: DecoderPool, tmp_path: Path) -> None:
    """Bytes after the end of a JPEG (an archive, a thumbnail, a script) change nothing."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 40), (10, 90, 200)).save(stream, "JPEG")
    (tmp_path / "plain.jpg").write_bytes(stream.getvalue())
    (tmp_path / "more.jpg").write_bytes(stream.getvalue() + b"PK\x03\x04" + b"<script>" * 1000)

    plain, more = pool.inspect([tmp_path / "plain.jpg", tmp_path / "more.jpg"])

    assert plain.pixels_sha256 == more.pixels_sha256
    assert plain.sha256 != more.sha256
