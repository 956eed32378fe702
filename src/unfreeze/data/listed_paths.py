"""Which file a path in a list means, however it was written, and why there is none."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import final
from urllib.request import url2pathname

from unfreeze.data.list_text import as_western

LEFT_OUT_BY_LIST = "left out by the list"
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_LOOKED_IN = 50  # folders beside a list, for a file that is not where its path says
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True)
class ListedPath:
    """A path in a list.

    Attributes:
        text: As it stands there.
        place: Where it stands, in words.
        fault: What is wrong with its line; nothing with most.
        left_out: Whether the list says that it is not to be read.
    """

    text: str
    place: str
    fault: str = ""
    left_out: bool = False


@final
class PathFinder:
    """Finds the files that a list names.

    A path is relative to the folder of the list. Where the first that can be found lies below the folder in which the
    command was given instead, all are relative to that.

    Args:
        root: Folder of the list, absolute.
        here: Folder in which the command was given, absolute.

    Attributes:
        base: What paths are relative to; None until one was found.
    """

    def __init__(self, root: Path, here: Path) -> None:
        self.root = root
        self.here = here
        self.base: Path | None = None

    @property
    def searched(self) -> tuple[Path, ...]:
        """Folders in which relative paths are looked for."""
        return tuple(dict.fromkeys([self.root, self.here] if self.base is None else [self.base]))

    def find(self, path: str) -> Path | None:
        """The file that a path means.

        Args:
            path: As it stands in the list: with slashes or backslashes, in any encoding of accents, UTF-8 or
                Windows-1252.

        Returns:
            Absolute; None if there is none.
        """
        return self._first(path, _as_spelled) or (None if path.isascii() else self._first(path, _as_composed))

    def _first(self, path: str, look: Callable[[Path, str], Path | None]) -> Path | None:
        for base in self.searched:
            for spelling in _spellings(path):
                found = look(base, spelling)
                if found is not None:
                    if not os.path.isabs(spelling):  # noqa: PTH117 - of text
                        self.base = base
                    return found
        return None

    def _moved(self, path: str) -> str:
        """Where the file of a path is that begins with folders of another place, or lacks one; nothing if nowhere."""
        parts = PurePosixPath(path.replace("\\", "/")).parts
        for base in self.searched:
            for first in range(1, len(parts)):
                if _as_spelled(base, rest := "/".join(parts[first:])):
                    return rest
            for folder in () if path.startswith("/") or not parts else _folders_in(base):
                if _as_spelled(base, below := "/".join((folder, *parts))):
                    return below
        return ""

    def fault(self, path: str) -> str:
        """Why a path means no file.

        Args:
            path: For which `find` gives None.

        Returns:
            Half a sentence that names the path.
        """
        moved = self._moved(path)
        if moved:
            return f"{path!r} is not there, but {moved!r} is: write that"
        if _ADDRESS.match(path):
            return f"{path!r} is an address; images have to be files on this machine"
        if _DRIVE.match(path) and os.name != "nt":
            return f"{path!r} is a path of Windows, which means nothing on this machine; write it relative to the list"
        for base in self.searched:
            for spelling in _spellings(path):
                said = _what_is_there(base / spelling)
                if said:
                    return f"{path!r} {said}"
        return f"there is no file {path!r}"


def _spellings(path: str) -> Iterator[str]:
    """What a path may be meant to be: first as it stands."""
    seen = [path, path.strip(), as_western(path.strip())]
    if path.startswith("file:///"):
        seen.append(url2pathname(path.removeprefix("file://")))
    if os.name != "nt":
        seen += [text.replace("\\", "/") for text in seen]
    seen += [os.path.expanduser(text) for text in seen if text.startswith("~")]  # noqa: PTH111 - of text
    yield from dict.fromkeys(seen)


def _as_spelled(base: Path, path: str) -> Path | None:
    whole = os.path.normpath(os.path.join(base, path))  # noqa: PTH118 - a million times
    return Path(whole) if os.path.isfile(whole) else None  # noqa: PTH113 - a million times


def _as_composed(base: Path, path: str) -> Path | None:
    """The file whose name differs at most in how accents are encoded, in any folder on the way."""
    place = Path(os.path.normpath(base / path))
    found = Path(place.anchor)
    for part in place.parts[1:]:
        found /= part if (found / part).exists() else _names_in(found).get(unicodedata.normalize("NFC", part), part)
    return found if found.is_file() else None


@lru_cache(maxsize=64)
def _names_in(folder: Path) -> dict[str, str]:
    try:
        return {unicodedata.normalize("NFC", name): name for name in os.listdir(folder)}  # noqa: PTH208 - names alone
    except OSError:
        return {}


@lru_cache(maxsize=64)
def _folders_in(folder: Path) -> tuple[str, ...]:
    """The first folders in a folder, by name."""
    try:
        with os.scandir(folder) as found:
            return tuple(sorted(entry.name for entry in found if entry.is_dir(follow_symlinks=False)))[:_LOOKED_IN]
    except OSError:
        return ()


def _what_is_there(place: Path) -> str:
    """What is there in place of a file; nothing if that helps nobody."""
    try:
        if place.is_dir():
            return "is a folder, and not a file"
        place.stat()
    except PermissionError:
        return "may not be read (permission)"
    except (OSError, ValueError):
        pass
    else:
        return "is not a regular file"
    return _what_is_like(place)


def _what_is_like(place: Path) -> str:
    """A file beside the place of a missing one whose name is nearly the same; nothing if there is none."""
    for name in sorted(_names_in(place.parent).values()):
        if name.casefold() == place.name.casefold():
            return f"is not there, but {name!r} is, whose name differs in capital letters"
        if Path(name).stem == place.name:
            return f"is not there, but {name!r} is: add the ending"
    return ""
