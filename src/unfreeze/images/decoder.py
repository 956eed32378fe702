"""The decoder child, ``python -m unfreeze.images.decoder HANDLE``: requests on standard input, answers on its output.

A request is one line of JSON: ``{"path": ..., "geometries": [{...}, ...], "inspect": "" | "plainly" | "closely",
"sha256": ..., "offset": ...}``, where the sha256 is that of the bytes that are expected, or empty. An answer is one
line of JSON too; pixels are written to the memory that the child shares with its parent (see `ring`), from the offset
that the request names, as many bytes as the answer says: one square after the other. The first answer, without a
request, says that the child is ready. The child imports nothing but Pillow, numpy and the standard library, and ends
when its input ends. Before the first request it gives up what it does not need: memory and time without limit, and on
Linux every right to open anything (`lockdown`); the parent hands over each photo open.
"""

import base64
import codecs
import contextlib
import hashlib
import io
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from mmap import mmap
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unfreeze.core.interrupts import SIGNALS
from unfreeze.images.camera_raw import SUFFIXES
from unfreeze.images.channel import HANDS_OVER, open_photo, requests
from unfreeze.images.decoding import Decoded, UnreadableImageError, decode, levels_in
from unfreeze.images.geometry import Geometry, square
from unfreeze.images.glance import glance
from unfreeze.images.levels import is_plain_png, used_range
from unfreeze.images.lockdown import lock
from unfreeze.images.shared_memory import open_ring
from unfreeze.images.small_copy import small_copy

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MAX_BYTES = 512 * 1024**2
# A 100-megapixel image with opacity needs about 1.3 GB while it is laid on its background.
MAX_MEMORY = 2 * 1024**3
# The parent kills a child that hangs; this ends one whose parent was killed first.
MAX_CPU_SECONDS = 60
# Of texts in headers: EXIF, PNG, colour profiles.
_CODECS = ("ascii", "utf-8", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "latin-1", "cp437", "cp1252", "mac_roman")


def read_file(handle: int, *, most: int | None = None) -> bytes:
    """The bytes of a file that is open.

    Args:
        handle: Of a regular file.
        most: How many bytes to read, from the start; None for all.

    Returns:
        The bytes.

    Raises:
        UnreadableImageError: It is too large, or cannot be read.
    """
    try:
        size = os.fstat(handle).st_size
        if size > MAX_BYTES:
            raise UnreadableImageError(f"file-too-large {size:,} > {MAX_BYTES:,} bytes")
        os.lseek(handle, 0, os.SEEK_SET)
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(size if most is None else most)
    except OSError as error:
        raise UnreadableImageError(f"read-error: {error.strerror}") from error


def answer(request: dict[str, Any], handle: int | None = None) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
    """Header and pixels for one request.

    Args:
        request: ``path``; ``geometries`` of the squares that are wanted of one decoded image, so that their `at_least`
            `background` and `levels` are the first one's; ``inspect``: how closely to say what it is; ``sha256``: of
            the bytes that are expected: others are not decoded, since their squares would be taken for the expected.
            Without squares and inspection, the question is between which levels a photo of 16 bits lies. ``refused``:
            why there is no open file, if the parent has tried to hand one over.
        handle: Of the open file, which is closed; None to open the path.

    Returns:
        The reply, and the bytes of the squares if any were wanted and could be had. `reason` is empty if the image
        could be read; `sha256` of an inspection is there whenever the file could be.
    """
    header: dict[str, Any] = {"reason": "", "sha256": ""}
    opened = handle
    try:
        suffix = os.path.splitext(request["path"])[1].lower()  # noqa: PTH122 - a million times
        if suffix in SUFFIXES:
            raise UnreadableImageError(f"camera-raw: {suffix}")
        if request["refused"]:
            raise UnreadableImageError(request["refused"])
        opened = open_photo(request["path"]) if handle is None else handle
        return _of_file(opened, request, header)
    except UnreadableImageError as error:
        header["reason"] = error.reason
    except MemoryError:
        header["reason"] = "decoder-memory"
    except Exception as error:  # a mistake of ours must cost one image, not all that wait behind it
        header["reason"] = f"decoder-error: {type(error).__name__}"
    finally:
        if opened is not None:
            os.close(opened)
    return header, None


def _of_file(
    handle: int, request: dict[str, Any], header: dict[str, Any]
) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
    """What `answer` says of a file that is open; the header is filled as far as it goes."""
    geometries = [_geometry(settings) for settings in request["geometries"]]
    asks_for_levels = not geometries and not request["inspect"]
    if asks_for_levels and is_plain_png(read_file(handle, most=32)):
        return header, None
    data = read_file(handle)
    if request["inspect"] or request["sha256"]:
        header["sha256"] = hashlib.sha256(data).hexdigest()
    if request["sha256"] not in {"", header["sha256"]}:
        raise UnreadableImageError("changed")
    if asks_for_levels:
        return header | {"levels": levels_in(data)}, None
    decoded = _decoded(data, geometries)
    if request["inspect"]:
        header |= _description(decoded)
    if request["inspect"] == "closely":
        header |= _close_look(decoded)
    if geometries:
        return header, np.concatenate([square(decoded.image, geometry).reshape(-1) for geometry in geometries])
    return header, None


def _decoded(data: bytes, geometries: list[Geometry]) -> Decoded:
    if not geometries:
        return decode(data)
    first = geometries[0]
    return decode(data, background=first.background, at_least=first.at_least, levels=first.levels)


def _description(decoded: Decoded) -> dict[str, Any]:
    """What an image is."""
    return {
        "pixels_sha256": decoded.pixels_sha256,
        "width": decoded.width,
        "height": decoded.height,
        "mode": decoded.mode,
        "notes": decoded.notes,
        "levels": None if decoded.levels is None else used_range(decoded.levels),
        "taken": decoded.taken,
    }


def _close_look(decoded: Decoded) -> dict[str, str]:
    """What near copies and shortcuts are found by."""
    return {
        "small_copy": small_copy(decoded.image).hex(),
        "glance": base64.b64encode(glance(decoded.image).packed()).decode("ascii"),
    }


def _geometry(settings: dict[str, Any]) -> Geometry:
    colours = {key: tuple(value) for key, value in settings.items() if isinstance(value, list)}
    return Geometry(**settings | colours)


Look = Literal["", "plainly", "closely"]


@dataclass(frozen=True)
class Wanted:
    """One request.

    Attributes:
        path: What to read; a name that is not UTF-8 survives as surrogates.
        geometries: The squares that are wanted, if any are.
        inspect: How closely to look at the image and say what it is; empty for not at all.
        offset: Where the pixels go in the shared memory, in bytes.
        sha256: Of the bytes that are expected; empty for any.
    """

    path: Path
    geometries: tuple[Geometry, ...]
    inspect: Look
    offset: int
    sha256: str = ""

    def line(self, *, handed_over: bool, refused: str) -> bytes:
        """The request, encoded in ASCII.

        Args:
            handed_over: Whether the open file goes with it.
            refused: Why it does not, if it cannot be opened.
        """
        document: dict[str, Any] = {
            "path": str(self.path),
            "geometries": _settings(self.geometries),
            "inspect": self.inspect,
        }
        document |= {"offset": self.offset, "sha256": self.sha256, "refused": refused, "handed_over": handed_over}
        return json.dumps(document).encode("ascii") + b"\n"


@lru_cache(maxsize=4)
def _settings(geometries: tuple[Geometry, ...]) -> list[dict[str, Any]]:
    return [asdict(geometry) for geometry in geometries]


def _reply(ring: mmap, line: bytes, handle: int | None) -> dict[str, Any]:
    """Do what one request asks."""
    request = json.loads(line)
    header, pixels = answer(request, handle)
    if pixels is None:
        return header | {"offset": 0, "pixels": 0}
    np.frombuffer(ring, np.uint8, pixels.size, request["offset"])[:] = pixels
    return header | {"offset": request["offset"], "pixels": pixels.size}


def _send(stream: BinaryIO, header: dict[str, Any]) -> None:
    stream.write(json.dumps(header).encode("ascii") + b"\n")
    stream.flush()


def _private_output() -> BinaryIO:
    """Move the reply pipe off standard output: what a C library prints there must not end up among the replies."""
    replies = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return replies


def _limit_memory() -> None:
    if resource is None:
        return
    with contextlib.suppress(OSError, ValueError):
        now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + MAX_MEMORY, hard))


def _limit_time() -> None:
    if resource is None:
        return
    with contextlib.suppress(OSError, ValueError):
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + MAX_CPU_SECONDS, hard))


def _load_what_is_loaded_late() -> None:
    """Import what Python and Pillow import at first use: behind the locks nothing can be imported."""
    for name in _CODECS:
        codecs.lookup(name)
    photo = Image.new("RGB", (8, 8))
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "PPM"):
        stream = io.BytesIO()
        photo.save(stream, kind)
        decode(stream.getvalue())
    for broken in (b"", b"x", b"II*\0\x08\0\0\0\0\0", b"\0\0\0\x18ftypheic", b"\xff\xd8\xff"):
        with contextlib.suppress(UnreadableImageError):
            decode(broken)


def main() -> None:
    """Answer requests until the input ends."""
    for each in SIGNALS:  # they reach the whole group; the parent decides
        signal.signal(each, signal.SIG_IGN)
    replies = _private_output()
    ring = open_ring(sys.argv[1])
    _limit_memory()
    _load_what_is_loaded_late()
    locks = lock() if HANDS_OVER else ()
    _send(replies, {"ready": True, "locks": locks, "offset": 0, "pixels": 0})
    with contextlib.suppress(BrokenPipeError):
        for line, handle in requests(sys.stdin.buffer):
            _limit_time()
            _send(replies, _reply(ring, line, handle))
    os._exit(0)  # nothing is left to flush, and a parent that went away must not delay the end


if __name__ == "__main__":
    main()
