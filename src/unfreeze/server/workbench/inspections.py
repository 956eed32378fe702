"""What is in a folder of photos, as ``unfreeze inspect`` finds it, and small pictures of them."""

import asyncio
import io
import itertools
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final, final

from PIL import Image

from unfreeze.core.wording import printable
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.geometry import Geometry
from unfreeze.images.pool import DecoderPool
from unfreeze.server.problems import ProblemError, busy, unreadable
from unfreeze.server.workbench.children import Child

PICTURE_TYPE: Final = "image/webp"
_SHOWN: Final = Geometry(size=192, resize=192, interpolation="bilinear")
_QUALITY: Final = 70  # of WebP, 0 to 100
_KEPT: Final = 16  # inspections that are remembered
_LOOK_SECONDS: Final = 0.2


@final
@dataclass(eq=False)
class Inspections:
    """Inspections of folders, one at a time, each in a process of its own."""

    _known: "OrderedDict[Path, bytes]" = field(default_factory=OrderedDict)
    _under_way: Child | None = None

    async def of(self, folder: Path, *, anew: bool, is_gone: Callable[[], Awaitable[bool]]) -> bytes:
        """What is in a folder.

        Args:
            folder: Of photos, with all links resolved.
            anew: Whether to look again at one that was looked at before.
            is_gone: Whether nobody waits for the answer any more.

        Returns:
            An `InspectRecord` as JSON.

        Raises:
            ProblemError: It cannot be used, or another inspection is under way.
        """
        if not anew and folder in self._known:
            return self._known[folder]
        return self._kept(folder, await self._ended(["inspect", str(folder)], is_gone))

    async def cleaned_list(self, folder: Path, *, is_gone: Callable[[], Awaitable[bool]]) -> str:
        """Have ``unfreeze inspect --fix`` write a list without what cannot be used; photos stay as they are.

        Args:
            folder: Of photos, with all links resolved; the list will lie in it.
            is_gone: As for `of`.

        Returns:
            Name of the list, which no file had.

        Raises:
            ProblemError: As for `of`, or the folder cannot be written.
        """
        place = _free(folder)
        self._kept(folder, await self._ended(["inspect", str(folder), "--fix", str(place)], is_gone))
        return place.name

    @property
    def standing(self) -> str:
        """How far the one is that is under way, as a terminal says it; empty without one, and in its first seconds."""
        line = "" if self._under_way is None else self._under_way.last_line
        _, opening, standing = line.partition("inspect: ")
        return printable(standing) if opening else ""

    async def _ended(self, arguments: Sequence[str], is_gone: Callable[[], Awaitable[bool]]) -> Child:
        """The command, once it has ended, or was ended since nobody waits."""
        if self._under_way is not None:
            raise busy()
        child = self._under_way = Child([*arguments, "--json"], keeps_output=True)
        try:
            while not await asyncio.to_thread(child.wait, _LOOK_SECONDS):
                if await is_gone():
                    child.stop()
        finally:
            child.stop()
            self._under_way = None
        return child

    def close(self) -> None:
        """End the one that is under way."""
        if self._under_way is not None:
            self._under_way.stop()

    def _kept(self, folder: Path, child: Child) -> bytes:
        if child.sentence:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "not-to-learn-from", printable(child.sentence))
        if child.exit_code != 0:
            detail = "The inspection was broken off; look at the folder again."
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "broken-off", detail)
        self._known.pop(folder, None)
        self._known[folder] = child.output
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return child.output


def _free(folder: Path) -> Path:
    """Where a cleaned list can lie."""
    names = (f"{folder.name}-cleaned{f'-{number}' if number > 1 else ''}.csv" for number in itertools.count(1))
    return next(folder / name for name in names if not (folder / name).exists())


@final
class Pictures:
    """Small pictures of photos, decoded in a locked-down child as all photos are; used from any thread."""

    def __init__(self) -> None:
        self._pool, self._lock = DecoderPool(workers=1), threading.Lock()

    def of(self, path: Path) -> bytes:
        """The middle of a photo.

        Raises:
            ProblemError: It cannot be read.
        """
        with self._lock:
            (square,) = self._pool.squares([path], _SHOWN)
            self._pool.forget()  # it may change, and the browser keeps what it shows
        if isinstance(square, UnreadableImageError):
            raise unreadable(square.reason)
        stream = io.BytesIO()
        Image.fromarray(square).save(stream, "WEBP", quality=_QUALITY)
        return stream.getvalue()

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._pool.close()
