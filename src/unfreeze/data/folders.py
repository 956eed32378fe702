"""Folders of class folders: which files may be images, and what their labels are."""

import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import final

from unfreeze.core.errors import ImageSetError
from unfreeze.core.findings import finding
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.wording import count, listed
from unfreeze.data.foreign import CAMERA_RAW, foreign_by_content, foreign_by_name
from unfreeze.data.image_table import ImageTable
from unfreeze.data.listed_files import SPLIT_WORDS, Candidate

# Names that systems and tools leave behind; `unfreeze-runs` is where our own results go by default.
_LITTER = {
    "__macosx",
    "thumbs.db",
    "desktop.ini",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "unfreeze-runs",
}
# Files whose name says clearly that they are something else are not read: a folder may hold gigabytes of them.
# fmt: off
_OTHER_FILES = frozenset((
    ".txt", ".json", ".jsonl", ".csv", ".tsv", ".md", ".rst", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".log", ".html", ".htm", ".css", ".js", ".py", ".pyc", ".ipynb", ".sh", ".bat", ".db", ".sqlite", ".parquet",
    ".arrow", ".npy", ".npz", ".h5", ".hdf5", ".mat", ".pkl", ".pt", ".pth", ".onnx", ".safetensors", ".bin",
    ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar",
    ".mp3", ".wav", ".lock", ".sha256", ".md5",
))
IMAGE_SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".heic",
    ".heif", ".hif", ".avif", ".mpo", ".ppm", ".pgm", ".pbm", ".pnm", ".ico", ".psd", ".svg", ".eps", ".jp2", ".j2k",
    ".jxl", ".tga", ".dds", ".exr", ".fits", ".fit",
))
# fmt: on
NO_IMAGE = "not an image by name and content"


def skipped_as(path: Path, reason: str) -> str:
    """As what a file is passed over that cannot be read: neither its name nor its content claims to be such an image.

    Args:
        path: Of the file.
        reason: Why it cannot be read, as the decoder says it.

    Returns:
        Words for a count of such files; empty for what should have been an image.
    """
    foreign = foreign_by_content(reason)
    if foreign == CAMERA_RAW:
        return foreign
    is_no_image = reason.startswith(("not-an-image", "empty-file", "format-not-allowed"))
    if not is_no_image or path.suffix.lower() in IMAGE_SUFFIXES:
        return ""
    return foreign or NO_IMAGE


@final
class _Walk:
    """One walk over a folder: what it has met so far."""

    def __init__(self, root: Path, *, follow_links: bool, advance: Advance) -> None:
        self.root = root
        self.advance = advance
        self.follow_links = follow_links
        self.skipped: Counter[str] = Counter()
        self.blocked: list[tuple[str, str]] = []
        self.visited: set[tuple[int, int]] = set()

    def name_of(self, path: str) -> str:
        return Path(os.path.relpath(path, self.root)).as_posix()

    def entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """What a folder holds, without hidden things, litter, and links that are not to be followed; in any order."""
        try:
            with os.scandir(folder) as found:
                yield from filter(self._wanted, found)
        except OSError as error:
            reason = "permission" if isinstance(error, PermissionError) else f"cannot-open: {error.strerror}"
            self.blocked.append((self.name_of(folder) + "/", reason))

    def _wanted(self, entry: os.DirEntry[str]) -> bool:
        reason = ""
        if entry.name.startswith(".") or entry.name.lower() in _LITTER:
            reason = "hidden or left by a system"
        elif entry.is_symlink():
            if not Path(entry.path).exists():
                reason = "dangling link"
            elif not self.follow_links:
                reason = "symbolic link (not followed)"
        if reason:
            self.skipped[reason] += 1
        return not reason

    def files_below(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """All candidate files below a folder, at any depth."""
        waiting = [folder]
        while waiting:
            below = []
            for entry in self.entries(waiting.pop()):
                if entry.is_dir():
                    below.append(entry)
                elif not entry.is_file():
                    self.skipped["not a regular file"] += 1
                elif other := _other_by_name(entry.name):
                    self.skipped[other] += 1
                else:
                    self.advance(1)
                    yield entry
            below.sort(key=lambda entry: entry.name)  # of two links to one folder always the same is followed
            waiting += [entry.path for entry in below if self.is_new(entry)]

    def is_new(self, entry: os.DirEntry[str]) -> bool:
        """Whether a folder was not met before: with links followed, a loop would never end."""
        if not self.follow_links:
            return True
        status = entry.stat()
        key = (status.st_dev, status.st_ino)
        if key in self.visited:
            self.skipped["folder met before (link loop)"] += 1
            return False
        self.visited.add(key)
        return True


def _other_by_name(name: str) -> str:
    """What a file is that is not read, by its name; empty if it may be an image."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a million times
    return foreign_by_name(suffix) or ("not an image by name" if suffix in _OTHER_FILES else "")


def list_folder(table: ImageTable, *, follow_links: bool, advance: Advance = ignore) -> None:
    """Walk a folder of class folders, or one of ``train``, ``test`` (and ``val``) folders of class folders.

    Args:
        table: Gets every file below its root that may be an image, labelled by the class folder that it lies in at any
            depth, and what else is there.
        follow_links: Whether to follow symbolic links below the root.
        advance: Reports progress per file that may be an image.

    Raises:
        ImageSetError: There are no class folders, or two folders mean the same split.
    """
    root = table.root
    walk = _Walk(root, follow_links=follow_links, advance=advance)
    folders, strays = _folders_and_strays(walk, str(root))
    splits = _split_folders(folders)
    if splits:
        beside = len(folders) - len(splits)
        if beside:
            walk.skipped["folder beside the split folders"] += beside
        for split, entry in splits.items():
            _walk_split(walk, split, entry.path, table)
    else:
        _walk_classes(walk, folders, "", table)
    if not len(table) and not table.empty_labels:
        found_instead = _what_was_there(strays, walk)
        msg = (
            f"{root} has no class folders with images{found_instead}. "
            "Put the images of each class into a folder of its own."
        )
        raise ImageSetError(msg)
    table.skipped.update(walk.skipped)
    table.block(walk.blocked)


def add_test_folder(
    table: ImageTable,
    folder: Path,
    *,
    follow_links: bool,
    to_exclude: Collection[str] = (),
    advance: Advance = ignore,
) -> None:
    """Make the images of a folder the test part of what is listed, and everything else its train part.

    Args:
        table: Of candidates; none of them in a test part.
        folder: Of class folders, beside what the table lists.
        follow_links: Whether to follow symbolic links below the folder.
        to_exclude: Classes that will be taken out of the table, so that only the folder may have them.
        advance: Reports progress per file that may be an image.

    Raises:
        ImageSetError: The folder is not there, lies inside the source or around it, has no class folders or other
            classes than the source, or the source has a test part.
    """
    place = Path(folder).expanduser().resolve()
    _check_test_folder(table, folder, place)
    walk = _Walk(table.root, follow_links=follow_links, advance=advance)
    folders, _ = _folders_and_strays(walk, str(place))
    if not folders:
        msg = f"{folder} has no class folders. Put the test images of each class into a folder of its own."
        raise ImageSetError(msg)
    known = table.labels()
    strange = sorted({entry.name for entry in folders} - known - set(to_exclude))
    if strange:
        msg = (
            f"The classes of the test folder must be those of {table.source}, but {listed(list(map(repr, strange)))} "
            f"{'is' if len(strange) == 1 else 'are'} in {folder} alone. The classes to learn are "
            f"{listed(list(map(repr, sorted(known))))}: rename or remove what differs."
        )
        raise ImageSetError(msg)
    table.mark_as_train()
    try:
        _walk_classes(walk, folders, "test", table)
    except sqlite3.IntegrityError as error:  # a name that is there already
        msg = f"{table.source} lists images of {folder}, too. An image either trains or tests: leave them out of one."
        raise ImageSetError(msg) from error
    if "test" not in table.given_splits():
        msg = f"There is no image in the class folders of {folder} to test on. Put some there, or leave out --test."
        raise ImageSetError(msg)
    table.skipped.update(walk.skipped)
    table.block(walk.blocked)


def _check_test_folder(table: ImageTable, given: Path, place: Path) -> None:
    if not place.is_dir():
        msg = f"There is no folder {given} to test on. Check the spelling of --test."
        raise ImageSetError(msg)
    if table.source.is_dir() and (place.is_relative_to(table.source) or table.source.is_relative_to(place)):
        msg = f"The test folder {given} and {table.source} must lie beside each other, not inside. Move one of them."
        raise ImageSetError(msg)
    if "test" in table.given_splits():
        msg = f"{table.source} has a test part of its own, so --test {given} would be a second one. Leave out either."
        raise ImageSetError(msg)


def files_below(folder: Path, *, advance: Advance = ignore) -> tuple[list[Path], Counter[str]]:
    """Files at any depth of a folder that may be images, whether or not they lie in class folders.

    Args:
        folder: Is walked as a folder of class folders is: without hidden files, litter and symbolic links.
        advance: Reports progress per file that may be an image.

    Returns:
        The files, by name, and how many others there are, by reason; a folder that cannot be opened is one of them.
    """
    walk = _Walk(folder, follow_links=False, advance=advance)
    files = sorted(Path(entry.path) for entry in walk.files_below(str(folder)))
    walk.skipped.update(f"folder that cannot be opened ({reason})" for _, reason in walk.blocked)
    return files, walk.skipped


def _folders_and_strays(walk: _Walk, folder: str) -> tuple[list[os.DirEntry[str]], int]:
    """Folders in a folder, and the number of files beside them, which have no label and are counted as skipped."""
    entries = sorted(walk.entries(folder), key=lambda entry: entry.name)
    folders = [entry for entry in entries if entry.is_dir() and walk.is_new(entry)]
    strays = sum(not entry.is_dir() for entry in entries)
    if strays:
        walk.skipped["beside the class folders"] += strays
    return folders, strays


def _split_folders(folders: list[os.DirEntry[str]]) -> dict[str, os.DirEntry[str]]:
    """Folders of splits; empty if these are class folders (a class may well be called "train")."""
    splits: dict[str, os.DirEntry[str]] = {}
    for entry in folders:
        split = SPLIT_WORDS.get(entry.name.lower())
        if split in splits:
            parent = Path(entry.path).parent
            msg = f"Both {splits[split].name}/ and {entry.name}/ in {parent} mean the {split} part. Keep one of them."
            raise ImageSetError(msg)
        if split:
            splits[split] = entry
    alone = len(splits) == len(folders)
    return splits if "train" in splits and (len(splits) > 1 or alone) else {}


def _walk_split(walk: _Walk, split: str, folder: str, table: ImageTable) -> None:
    folders, strays = _folders_and_strays(walk, folder)
    if not folders and split == "train":
        msg = f"{folder} has no class folders. Put the training images of each class into a folder of its own."
        raise ImageSetError(msg)
    if not folders and strays:
        sentence = (
            f"{count(strays, 'file')} in {folder} lie beside the class folders and have no label: they were not used."
        )
        table.findings.append(finding("UF107", sentence, "Put them into the folder of their class."))
    _walk_classes(walk, folders, split, table)


def _walk_classes(walk: _Walk, folders: list[os.DirEntry[str]], split: str, table: ImageTable) -> None:
    for folder in folders:
        if not table.add(_candidates(walk, folder, split)):
            table.empty_labels.append(folder.name)


def _candidates(walk: _Walk, folder: os.DirEntry[str], split: str) -> Iterator[Candidate]:
    for entry in walk.files_below(folder.path):
        path = Path(os.path.realpath(entry.path)) if walk.follow_links else Path(entry.path)
        yield Candidate(path=path, name=walk.name_of(entry.path), label=folder.name, split=split)


def _what_was_there(strays: int, walk: _Walk) -> str:
    """Half a sentence on what was found instead of class folders."""
    parts = [f"{strays} file(s) beside"] if strays else []
    parts += [f"{number} skipped: {reason}" for reason, number in walk.skipped.items() if "link" in reason]
    return f" ({', '.join(parts)})" if parts else ""
