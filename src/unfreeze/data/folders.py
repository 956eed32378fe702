"""Folders of class folders: which files may be images, and what their labels are."""

import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from unfreeze.core.errors import ImageSetError
from unfreeze.core.file_names import absolute, as_written, scheme_of
from unfreeze.core.findings import NAMED_IMAGES, Finding, finding
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import SetAside
from unfreeze.core.wording import count, listed
from unfreeze.data.foreign import CAMERA_RAW, foreign_by_content, foreign_by_name
from unfreeze.data.image_table import ImageTable
from unfreeze.data.layout import ClassFolder, Glance, Kind, Layout, layout_of
from unfreeze.data.listed_files import Candidate
from unfreeze.data.system_names import is_left_behind, written_by_unfreeze
from unfreeze.data.trees import DISK, Entry, Tree

# Files whose name says clearly that they are something else are not read: a folder may hold gigabytes of them.
# fmt: off
_OTHER_FILES = frozenset((
    ".txt", ".json", ".jsonl", ".csv", ".tsv", ".md", ".rst", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".log", ".html", ".htm", ".css", ".js", ".py", ".pyc", ".ipynb", ".sh", ".bat", ".db", ".sqlite", ".parquet",
    ".arrow", ".npy", ".npz", ".h5", ".hdf5", ".mat", ".pkl", ".pt", ".pth", ".onnx", ".safetensors", ".bin",
    ".ckpt", ".tflite", ".pb", ".keras", ".weights", ".dvc",
    ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar",
    ".mp3", ".wav", ".lock", ".sha256", ".md5",
))
IMAGE_SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".heic",
    ".heif", ".hif", ".avif", ".mpo", ".ppm", ".pgm", ".pbm", ".pnm", ".ico", ".psd", ".svg", ".eps", ".jp2", ".j2k",
    ".jxl", ".tga", ".dds", ".exr", ".fits", ".fit",
))
# Of these, what a person may have put into a class folder: not what programs leave beside photos.
_NO_WORK = frozenset((
    ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar",
    ".mp3", ".wav",
))
# fmt: on
NO_IMAGE = "not an image by name and content"
NO_IMAGE_BY_NAME = "not an image by name"
BESIDE = "beside the class folders"
LEFT_BEHIND = "hidden or left by a system"
_SHOWN = 5
_LEVELS_OF_CLASSES = 2  # class folders lie in a folder, or in the parts of a split in it


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
    """One walk over a folder: what it has met so far.

    Attributes:
        skipped: Number of files that are not read, by reason.
        of_class: The same of the class that is walked now, in more detail.
        blocked: What could not even be looked at: name, reason and class.
        left_out: Folders and links that are neither parts nor classes, in words.
    """

    def __init__(self, root: Path, *, tree: Tree, follow_links: bool, advance: Advance) -> None:
        self.root = root
        self.tree = tree
        self.advance = advance
        self.follow_links = follow_links
        self.skipped: Counter[str] = Counter()
        self.of_class: Counter[str] = Counter()
        self.blocked: list[tuple[str, str, str]] = []
        self.left_out: list[str] = []
        self.visited: set[tuple[int, int]] = set()
        self._label = ""
        self._glances: dict[str, Glance] = {}
        self._led_to: dict[tuple[int, int], str] = {}

    def name_of(self, path: str) -> str:
        """What a file is called: by its place below the root, or by its address where the root has none."""
        if scheme_of(Path(path)) and not scheme_of(self.root):
            return as_written(Path(path))
        return Path(os.path.relpath(path, self.root)).as_posix()

    def glance(self, folder: str) -> Glance:
        """What lies in a folder; links to folders are followed, since class folders and parts may well be links."""
        if folder not in self._glances:
            photos, folders = 0, []
            try:
                with self.tree.scan(folder) as found:
                    for entry in found:
                        if is_left_behind(entry.name):
                            continue
                        if _is_folder(entry):
                            folders.append(entry)
                        else:
                            photos += _kind_of_file(entry) == "photos"
            except OSError:
                pass  # said when its files are listed
            folders.sort(key=lambda entry: (entry.is_symlink(), entry.name))
            taken = [entry for entry in folders if not (entry.is_symlink() and self._why_no_link(entry))]
            kinds = {
                entry.name: self._kind_of_folder(entry.path) for entry in sorted(taken, key=lambda entry: entry.name)
            }
            self._glances[folder] = Glance(kinds, photos)
        return self._glances[folder]

    def _kind_of_folder(self, folder: str) -> Kind:
        """What a folder holds, links to folders in it aside; one that cannot be opened may hold photos."""
        ours = written_by_unfreeze(folder, self.tree.exists)
        if ours:
            return ours
        kinds: set[Kind] = set()
        waiting = [folder]
        while waiting:
            try:
                with self.tree.scan(waiting.pop()) as found:
                    for entry in found:
                        if is_left_behind(entry.name):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            kinds.add(_kind_of_file(entry))
            except OSError:
                return "photos"
            if "photos" in kinds:
                return "photos"
        return "work" if kinds == {"work"} else "nothing"

    def _why_no_link(self, entry: Entry) -> str:
        """Why a link to a folder is not followed; nothing if it is."""
        target, root = Path(os.path.realpath(entry.path)), Path(os.path.realpath(self.root))
        if root.is_relative_to(target):
            return "link to a folder around it"
        if target.is_relative_to(root) and not any(map(is_left_behind, target.relative_to(root).parts)):
            return "link to a folder that is read anyway"
        status = entry.stat()
        first = self._led_to.setdefault((status.st_dev, status.st_ino), entry.path)
        return "" if first == entry.path else "second link to one folder"

    def entries(self, folder: str, *, links: bool = False) -> Iterator[Entry]:
        """What a folder holds, in any order, without what is left behind and links that are not followed.

        Args:
            folder: The folder.
            links: Whether links to folders are followed in it.
        """
        try:
            with self.tree.scan(folder) as found:
                for entry in found:
                    if self._wanted(entry, links=links or self.follow_links):
                        yield entry
        except OSError as error:
            self.block(folder, error)

    def block(self, folder: str, error: OSError) -> None:
        """Note a folder that cannot be opened."""
        denied = isinstance(error, PermissionError)
        reason = "permission: the folder may not be read" if denied else f"cannot-open: {error.strerror}"
        self.blocked.append((self.name_of(folder) + "/", reason, self._label))

    def _wanted(self, entry: Entry, *, links: bool) -> bool:
        if is_left_behind(entry.name):
            if entry.is_dir(follow_symlinks=False):
                self.skip_folder(entry.path, LEFT_BEHIND, if_photos=True)
            else:
                self.skip(LEFT_BEHIND)
            return False
        if not entry.is_symlink():
            return True
        reason = _why_lost(entry)
        if not reason and entry.is_dir():
            reason = self._why_no_link(entry) if links and not self.follow_links else ""
            reason = reason or ("" if links else "link to a folder below a class folder (not followed)")
        if reason:
            self.skip(reason)
            if links:
                self.left_out.append(f"{self.name_of(entry.path)} ({reason})")
        return not reason

    def skip(self, reason: str, number: int = 1, detail: str = "") -> None:
        """Count files that are not read."""
        if number:
            self.skipped[reason] += number
            self.of_class[reason + detail] += number

    def skip_folder(self, folder: str, reason: str, *, if_photos: bool = False) -> None:
        """Count the files of a folder that is not read, at any depth, and note it.

        Args:
            folder: The folder.
            reason: Why.
            if_photos: Whether to note it only if it holds photos by name.
        """
        suffixes = Counter(Path(name).suffix.lower() for name in self._names_below(folder))
        self.skip(reason, suffixes.total())
        photos = sum(number for suffix, number in suffixes.items() if suffix in IMAGE_SUFFIXES)
        if photos or not if_photos:
            what = count(photos, "image") if photos else count(suffixes.total(), "file") if suffixes else "empty"
            self.left_out.append(f"{self.name_of(folder)}/ ({what}, {reason})")

    def _names_below(self, folder: str) -> Iterator[str]:
        """Names of all files at any depth; links to folders are not followed."""
        waiting = [folder]
        while waiting:
            place = waiting.pop()
            try:
                with self.tree.scan(place) as found:
                    for entry in found:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        elif not _is_folder(entry):
                            yield entry.name
            except OSError as error:
                self.block(place, error)

    def strays(self, folder: str) -> int:
        """Number of files right in a folder that holds class folders; they have no label and are counted as skipped."""
        number = sum(not entry.is_dir() for entry in self.entries(folder, links=True))
        self.skip(BESIDE, number)
        return number

    def files_below(self, folder: str, *, label: str = "", link_levels: int = 0) -> Iterator[Entry]:
        """All candidate files below a folder, at any depth.

        Args:
            folder: The folder.
            label: Its class.
            link_levels: In how many levels links to folders are followed.
        """
        self._label = label
        self.of_class = Counter()
        if self.follow_links:
            status = os.stat(folder)  # noqa: PTH116 - as the entries of a walk give it
            self.visited.add((status.st_dev, status.st_ino))
        waiting = [(folder, link_levels)]
        while waiting:
            place, levels = waiting.pop()
            below = []
            for entry in self.entries(place, links=levels > 0):
                if entry.is_dir():
                    ours = written_by_unfreeze(entry.path, self.tree.exists)
                    if ours:
                        self.skip_folder(entry.path, f"of {ours}")
                    else:
                        below.append(entry)
                elif not entry.is_file():
                    self.skip("not a regular file")
                elif _kind_by_name(entry.name) != "photos":
                    suffix = Path(entry.name).suffix.lower()
                    foreign = foreign_by_name(entry.name)
                    self.skip(foreign or NO_IMAGE_BY_NAME, detail="" if foreign else f" ({suffix})")
                else:
                    self.advance(1)
                    yield entry
            below.sort(key=lambda entry: entry.name)  # of two links to one folder always the same is followed
            waiting += [(entry.path, levels - 1) for entry in below if self.is_new(entry)]
        self._label = ""

    def is_new(self, entry: Entry) -> bool:
        """Whether a folder was not met before: with links followed, a loop would never end."""
        if not self.follow_links:
            return True
        status = entry.stat()
        key = (status.st_dev, status.st_ino)
        if key in self.visited:
            self.skip("folder met before (link loop)")
            return False
        self.visited.add(key)
        return True


def _kind_by_name(name: str) -> Kind:
    """Whether a file may be an image (photos), is one of programs (work), or something else (nothing)."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a million times
    if foreign_by_name(name) or suffix in _NO_WORK:
        return "nothing"
    return "work" if suffix in _OTHER_FILES else "photos"


def _why_lost(link: Entry) -> str:
    """Why there is nothing at the end of a link; nothing if there is something."""
    try:
        link.stat()
    except FileNotFoundError:
        return "dangling link"
    except OSError as error:  # links in a circle, folders that may not be entered, names that are too long
        return f"link that cannot be followed: {(error.strerror or 'unknown').lower()}"
    return ""


def _is_folder(entry: Entry) -> bool:
    """Whether it is a folder or a link to one; `is_dir` raises for links that cannot be followed."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and not _why_lost(entry) and entry.is_dir())


def _kind_of_file(entry: Entry) -> Kind:
    is_file = entry.is_file(follow_symlinks=False) or (entry.is_symlink() and not _why_lost(entry) and entry.is_file())
    return _kind_by_name(entry.name) if is_file else "nothing"


def list_folder(
    table: ImageTable, *, tree: Tree, follow_links: bool, advance: Advance = ignore, labelled: bool = True
) -> None:
    """Walk a folder of class folders, or one of ``train``, ``test`` (and ``val``) folders of class folders.

    Args:
        table: Gets every file below its root that may be an image, labelled by the class folder that it lies in at any
            depth, and what else is there.
        tree: Where its root lies.
        follow_links: Whether to follow links to folders below the class folders, too.
        advance: Reports progress per file that may be an image.
        labelled: Whether there must be class folders; without them all photos have an empty label otherwise.

    Raises:
        ImageSetError: There are no class folders, or two folders mean the same split.
    """
    walk = _Walk(table.root, tree=tree, follow_links=follow_links, advance=advance)
    _check_readable(walk, table.root)
    layout = layout_of(str(table.root), walk.glance)
    if not labelled and not layout.classes:
        layout = Layout(classes=[ClassFolder(str(table.root), "")])
    strays = _take(table, walk, layout)
    for split, place in layout.bare:
        if split == "train":
            _check_readable(walk, Path(place))
            msg = (
                f"{as_written(Path(place))} has no class folders. Put the training images of each class into a folder "
                "of its own."
            )
            raise ImageSetError(msg)
    if not len(table) and not table.empty_labels:
        found_instead = _what_was_there(strays, walk)
        msg = (
            f"{table.where} has no class folders with images{found_instead}. "
            "Put the images of each class into a folder of its own."
        )
        raise ImageSetError(msg)


def _check_readable(walk: _Walk, folder: Path) -> None:
    try:
        with walk.tree.scan(str(folder)):
            pass
    except OSError as error:
        reason = "permission" if isinstance(error, PermissionError) else error.strerror
        msg = f"{folder} may not be read ({reason}). Wanted a folder of class folders that can be opened."
        raise ImageSetError(msg) from error


def _take(table: ImageTable, walk: _Walk, layout: Layout, split: str = "") -> int:
    """Add the candidates of all class folders, in one part if one is named; the number of files without a label."""
    strays = {place: walk.strays(place) for place in layout.opened}
    for place, reason in layout.beside:
        walk.skip_folder(place, reason)
    for folder in layout.classes:
        if not table.add(_candidates(walk, folder, split or folder.split)):
            table.empty_labels.append(folder.label)
        table.skipped_of[folder.label].update(walk.of_class)
    table.findings += layout.findings
    for _, place in layout.bare:
        if strays[place]:
            sentence = (
                f"{count(strays[place], 'file')} in {as_written(Path(place))} lie beside the class folders and have no "
                "label: they were not used."
            )
            table.findings.append(finding("UF107", sentence, "Put them into the folder of their class."))
    if walk.left_out:
        table.findings.append(_left_out(walk.left_out))
    table.no_classes.update(Path(place).name for place, _ in layout.beside)
    table.skipped.update(walk.skipped)
    table.block(walk.blocked)
    return sum(strays.values())


def _left_out(what: Sequence[str]) -> Finding:
    more = [f"{len(what) - NAMED_IMAGES:,} more"] if len(what) > NAMED_IMAGES else []
    sentence = f"Left out, since it is neither a class nor a part of a split: {listed([*what[:NAMED_IMAGES], *more])}."
    return finding("UF111", sentence)


def add_test_folder(
    table: ImageTable,
    folder: Path,
    *,
    tree: Tree,
    follow_links: bool,
    to_exclude: Collection[str] = (),
    advance: Advance = ignore,
) -> None:
    """Make the images of a folder the test part of what is listed, and everything else its train part.

    Args:
        table: Of candidates; none of them in a test part.
        folder: Of class folders, beside what the table lists.
        tree: Where it lies.
        follow_links: As for `list_folder`.
        to_exclude: Classes that will be taken out of the table, so that only the folder may have them.
        advance: Reports progress per file that may be an image.

    Raises:
        ImageSetError: The folder is not there, lies inside the source or around it, has no class folders or other
            classes than the source, or the source has a test part.
    """
    place, given = absolute(folder), as_written(folder)
    _check_test_folder(table, given, place)
    walk = _Walk(place, tree=tree, follow_links=follow_links, advance=advance)
    _check_readable(walk, place)
    layout = layout_of(str(place), walk.glance)
    walk.root = table.root  # names are relative to the source from here on
    _check_one_part(layout, given)
    if not layout.classes:
        msg = f"{given} has no class folders. Put the test images of each class into a folder of its own."
        raise ImageSetError(msg)
    known, source = table.labels(), as_written(table.source)
    strange = sorted({each.label for each in layout.classes} - known - set(to_exclude))
    if strange:
        msg = (
            f"The classes of the test folder must be those of {source}, but {listed(list(map(repr, strange)))} "
            f"{'is' if len(strange) == 1 else 'are'} in {given} alone. The classes to learn are "
            f"{listed(list(map(repr, sorted(known))))}: rename or remove what differs."
        )
        raise ImageSetError(msg)
    table.mark_as_train()
    try:
        _take(table, walk, layout, "test")
    except sqlite3.IntegrityError as error:  # a name that is there already
        msg = f"{source} lists images of {given}, too. An image either trains or tests: leave them out of one."
        raise ImageSetError(msg) from error
    if "test" not in table.given_splits():
        msg = f"There is no image in the class folders of {given} to test on. Put some there, or leave out --test."
        raise ImageSetError(msg)


def _check_one_part(layout: Layout, given: str) -> None:
    splits = {each.split for each in layout.classes} | {split for split, _ in layout.bare}
    if len(splits) > 1:
        parts = listed(sorted(splits))
        msg = f"{given} has parts of its own ({parts}), but all of it is to test on. Give one of them with --test."
        raise ImageSetError(msg)


def _check_test_folder(table: ImageTable, given: str, place: Path) -> None:
    source = as_written(table.source)
    if not scheme_of(place) and not place.is_dir():
        msg = f"There is no folder {given} to test on. Check the spelling of --test."
        raise ImageSetError(msg)
    if place == table.source:
        msg = f"{given} is given twice, to learn from and to test on. Give another folder with --test, or none."
        raise ImageSetError(msg)
    if table.is_folder and (place.is_relative_to(table.source) or table.source.is_relative_to(place)):
        msg = f"The test folder {given} and {source} must lie beside each other, not inside. Move one of them."
        raise ImageSetError(msg)
    if "test" in table.given_splits():
        msg = f"{source} has a test part of its own, so --test {given} would be a second one. Leave out either."
        raise ImageSetError(msg)


@dataclass(frozen=True)
class FilesBelow:
    """What may be images at any depth of a folder.

    Attributes:
        paths: Of files that may be some, by name.
        names: Where each lies, as people write it.
        skipped: Number of other files, by reason.
        blocked: Folders that cannot be opened.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    skipped: Mapping[str, int]
    blocked: tuple[SetAside, ...]


def files_below(folder: Path, *, tree: Tree = DISK, advance: Advance = ignore) -> FilesBelow:
    """Files at any depth of a folder that may be images, whether or not they lie in class folders.

    Args:
        folder: Is walked as a folder of class folders is: without what is hidden or left by a system; links to folders
            are followed where class folders may be.
        tree: Where it lies.
        advance: Reports progress per file that may be an image.

    Returns:
        The files, and what else there is.
    """
    walk = _Walk(folder, tree=tree, follow_links=False, advance=advance)
    walked = walk.files_below(str(folder), link_levels=_LEVELS_OF_CLASSES)
    found = sorted((Path(entry.path), tree.file_of(entry)) for entry in walked)
    return FilesBelow(
        paths=tuple(file for _, file in found),
        names=tuple(as_written(place) for place, _ in found),
        skipped=walk.skipped,
        blocked=tuple(
            SetAside(name=f"{as_written(folder / name)}/", reason=reason) for name, reason, _ in walk.blocked
        ),
    )


def _candidates(walk: _Walk, folder: ClassFolder, split: str) -> Iterator[Candidate]:
    for entry in walk.files_below(folder.place, label=folder.label):
        path = Path(os.path.realpath(entry.path)) if walk.follow_links else walk.tree.file_of(entry)
        yield Candidate(path=path, name=walk.name_of(entry.path), label=folder.label, split=split)


def _what_was_there(strays: int, walk: _Walk) -> str:
    """Half a sentence on what was found instead of class folders."""
    parts = [f"{strays} file(s) beside"] if strays else []
    parts += walk.left_out[:_SHOWN] or [
        f"{number} skipped: {reason}" for reason, number in walk.skipped.items() if reason != BESIDE
    ]
    return f" ({', '.join(parts)})" if parts else ""
