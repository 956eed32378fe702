"""The folders that a workbench shows: those below its roots, and no other, wherever links lead."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Final, final

from unfreeze.core.run_folder import RUNS
from unfreeze.core.wording import printable
from unfreeze.data.folders import IMAGE_SUFFIXES
from unfreeze.server.problems import ProblemError

MOST_FOLDERS: Final = 1000  # of a folder that are listed
MOST_COUNTED: Final = 5000  # entries of a folder that are looked at to count its photos


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder, as requests name it.

    Attributes:
        root: Number of the root below which it lies, from 0.
        path: From there, with slashes; empty for the root itself.
    """

    root: int = 0
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class FolderEntry:
    """A folder in a listing.

    Attributes:
        name: For people.
        path: As `Place.path`.
        photos: Files directly in it whose names are those of photos.
        folders: Folders directly in it.
    """

    name: str
    path: str
    photos: int
    folders: int


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is in a folder.

    Attributes:
        roots: Names of all roots.
        root: Number of the one that is shown.
        path: As `Place.path`.
        name: Of the folder.
        photos: As for `FolderEntry`.
        folders: Those in it, by name.
        has_more: Whether it has folders that are not listed, since they are too many.
    """

    roots: tuple[str, ...]
    root: int
    path: str
    name: str
    photos: int
    folders: tuple[FolderEntry, ...]
    has_more: bool


@final
@dataclass(frozen=True)
class Roots:
    """Folders that may be looked into.

    Attributes:
        folders: With all links resolved; at least one.
    """

    folders: tuple[Path, ...]

    def folder(self, place: Place) -> Path:
        """A folder below a root, with all links resolved.

        Raises:
            ProblemError: There is none, or it lies elsewhere.
        """
        found = self._found(place.root, place.path)
        if found is None or not found.is_dir():
            detail = "There is no such folder below the roots of this workbench; choose one that is listed."
            raise ProblemError(HTTPStatus.NOT_FOUND, "no-folder", detail)
        return found

    def photo(self, place: Place, name: str) -> Path:
        """A file in a folder below a root, with all links resolved.

        Raises:
            ProblemError: There is none, or it lies elsewhere.
        """
        found = self._found(place.root, f"{place.path}/{name}" if place.path else name)
        if found is None or not found.is_file():
            detail = "There is no such photo below the roots of this workbench; look at the folder again."
            raise ProblemError(HTTPStatus.NOT_FOUND, "no-photo", detail)
        return found

    def list_in(self, place: Place, name: str) -> Path:
        """A list of photos in a folder below a root, with all links resolved.

        Raises:
            ProblemError: There is none, or it lies elsewhere.
        """
        found = self._found(place.root, f"{place.path}/{name}" if place.path else name)
        if found is None or found.suffix.lower() != ".csv" or not found.is_file():
            detail = "There is no such list below the roots of this workbench; write it again."
            raise ProblemError(HTTPStatus.NOT_FOUND, "no-list", detail)
        return found

    def listing(self, place: Place) -> Listing:
        """What is in a folder: hidden folders, runs and links that lead elsewhere are left out.

        Raises:
            ProblemError: There is no such folder, or it may not be read.
        """
        folder = self.folder(place)
        try:
            names = sorted(_names_of_folders(folder), key=str.casefold)
            entries = tuple(self._entries(place, names[:MOST_FOLDERS]))
            photos, _ = _counts(folder)
        except OSError as error:
            detail = f"This folder cannot be read ({(error.strerror or 'unknown').lower()}); choose another one."
            raise ProblemError(HTTPStatus.FORBIDDEN, "unreadable-folder", detail) from error
        return Listing(
            roots=tuple(map(_shown, self.folders)),
            root=place.root,
            path=place.path,
            name=_shown(folder),
            photos=photos,
            folders=entries,
            has_more=len(names) > MOST_FOLDERS,
        )

    def _found(self, root: int, path: str) -> Path | None:
        """Whatever is there below the root; None if nothing is, or if it lies elsewhere."""
        if not 0 <= root < len(self.folders):
            return None
        top = self.folders[root]
        try:
            found = (top / path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # a NUL; links in a circle, before Python 3.13
            return None
        return found if found.is_relative_to(top) else None

    def _entries(self, place: Place, names: list[str]) -> Iterator[FolderEntry]:
        for name in names:
            path = f"{place.path}/{name}" if place.path else name
            found = self._found(place.root, path)
            if found is None:
                continue
            try:
                photos, folders = _counts(found)
            except OSError:  # which may be listed, but not read
                photos, folders = 0, 0
            yield FolderEntry(name=printable(name), path=path, photos=photos, folders=folders)


def _names_of_folders(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.name != RUNS.name and entry.is_dir() and _is_text(entry.name):
                yield entry.name


def _counts(folder: Path) -> tuple[int, int]:
    """Photos and folders directly in a folder, as far as it is looked at."""
    photos = folders = 0
    with os.scandir(folder) as entries:
        for entry in islice(entries, MOST_COUNTED):
            if entry.name.startswith("."):
                continue
            if Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
                photos += 1
            elif entry.is_dir():
                folders += 1
    return photos, folders


def _is_text(name: str) -> bool:
    """Whether a name can be said in JSON: one that is no UTF-8 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _shown(folder: Path) -> str:
    return printable(folder.name or str(folder))
