"""What the folders of a source are: parts of a split, classes, or neither. Nothing is counted or listed here yet."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

from unfreeze.core.errors import ImageSetError
from unfreeze.core.file_names import as_written
from unfreeze.core.findings import Finding, finding
from unfreeze.core.wording import count, listed
from unfreeze.data.split_names import (
    Part,
    TwoForOnePartError,
    are_numbered_parts,
    folded,
    means_a_part,
    parts_of,
)

Kind = Literal["photos", "work", "nothing", "a run of unfreeze", "a model"]
_SHOWN = 5
# Sets made for segmentation have a mask beside each photo, in folders of these names.
_PICTURES = frozenset(("images", "image", "imgs", "img", "photos", "pictures", "jpegimages"))
_MASKS = frozenset(("masks", "mask", "ground_truth", "groundtruth", "gt", "labels", "annotations", "segmentations"))


@dataclass(frozen=True)
class Glance:
    """What lies in a folder, at a glance.

    Attributes:
        folders: Names of the folders in it, sorted, by what each holds: ``photos`` for files that may be some, at any
            depth, ``work`` for files of programs alone, ``nothing`` for anything else.
        photos: Number of files right in it that may be images.
    """

    folders: Mapping[str, Kind]
    photos: int

    def named(self, *kinds: Kind) -> list[str]:
        """Folders of these kinds."""
        return [name for name, kind in self.folders.items() if kind in kinds]


@dataclass(frozen=True)
class ClassFolder:
    """A folder whose files, at any depth, are of one class.

    Attributes:
        place: Absolute.
        label: The class.
        split: ``train``, ``val``, ``test`` or empty.
    """

    place: str
    label: str
    split: str = ""


@final
@dataclass
class Layout:
    """What the folders of a source are.

    Attributes:
        classes: Class folders; a class may have several, one in each part.
        opened: Folders that hold them; files right in one of these have no label.
        beside: Folders that are neither, each with a reason.
        bare: Folders of parts without class folders, each with its part.
        findings: What the user should know of it.
    """

    classes: list[ClassFolder] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    beside: list[tuple[str, str]] = field(default_factory=list)
    bare: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def layout_of(root: str, glance: Callable[[str], Glance]) -> Layout:
    """Decide what the folders of a source are.

    Args:
        root: The source, absolute.
        glance: What lies in a folder.

    Returns:
        Its class folders, and everything else.

    Raises:
        ImageSetError: The folders say two things at once.
    """
    return _Reading(root, glance).read()


@final
class _Reading:
    def __init__(self, root: str, glance: Callable[[str], Glance]) -> None:
        self.root = root
        self.glance = glance
        self.found = Layout()

    def read(self) -> Layout:
        place = self._unwrapped(self.root)
        here = self.glance(place)
        names = here.named("photos")
        parts = self._parts(place)
        self.found.opened.append(place)
        if parts:
            self._take_parts(place, parts)
            return self.found
        inner = self._divided(place, names)
        if inner:
            self._take_inner_parts(place, inner)
        elif are_numbered_parts(names, lambda name: self._holds(place, name)):
            msg = (
                f"{_folders(names)} in {_shown(place)} look like numbered parts of one set, since each holds the same "
                "class folders. Put the images of each class into one folder, or give a list with a column split."
            )
            raise ImageSetError(msg)
        else:
            self._say_what_lies_below(place, names)
            self._say_which_sound_like_parts(names)
            self._take_classes(place, "")
        return self.found

    def _holds(self, place: str, name: str) -> list[str]:
        return self.glance(_in(place, name)).named("photos")

    def _holds_deeper(self, place: str, name: str) -> list[str]:
        """The same of the first folder below that holds more than one."""
        inside = _in(place, name)
        while not (here := self.glance(inside)).photos and len(here.named("photos")) == 1:
            inside = _in(inside, here.named("photos")[0])
        return here.named("photos")

    def _parts(self, place: str) -> Mapping[str, Part]:
        return self._parts_called(place, self.glance(place).named("photos"))

    def _parts_called(self, place: str, names: Sequence[str]) -> Mapping[str, Part]:
        try:
            return parts_of(names, lambda name: self._holds_deeper(place, name))
        except TwoForOnePartError as error:
            one, other, split = error.args
            msg = f"Both {one}/ and {other}/ in {_shown(place)} mean the {split} part. Keep one of them."
            raise ImageSetError(msg) from error

    def _unwrapped(self, place: str, elsewhere: Iterable[str] = ()) -> str:
        """The folder itself, or the one below in which the folders begin: some archives unpack into folders in folders.

        Args:
            place: The folder.
            elsewhere: Class folders of other parts: what is called like one of these is a class, too.
        """
        below, passed = place, []
        while True:
            here = self.glance(below)
            names = self._pictures_in(below) or here.named("photos")
            if here.photos or len(names) != 1 or folded(names[0]) in elsewhere:
                break
            inside = _in(below, names[0])
            if below == self.root and means_a_part(names[0]) and not self._parts(inside):
                break
            passed.append(below)
            below = inside
        here = self.glance(below)
        if below == place or here.photos or len(here.named("photos")) < 2:
            return place
        self.found.opened += passed
        for folder in passed:
            self._leave_rest(folder, self._pictures_in(folder) or self.glance(folder).named("photos"))
        sentence = f"The class folders lie deeper than was expected: they were read in {self._name(below)}/."
        self.found.findings.append(finding("UF109", sentence))
        return below

    def _take_parts(self, place: str, parts: Mapping[str, Part]) -> None:
        self._leave_rest(place, parts)
        if any(name.lower() != part.split for name, part in parts.items()):
            read = [
                f"{name}/ as {part.split}" + (f" of class {part.label!r}" if part.label else "")
                for name, part in parts.items()
            ]
            sentence = f"Folders were read as parts of a split: {_short(read)}."
            self.found.findings.append(finding("UF109", sentence, "If they are classes, rename them."))
        holds = {name: {folded(below) for below in self._holds(place, name)} for name in parts}
        for name, part in parts.items():
            inside = _in(place, name)
            if part.label:
                self.found.classes.append(ClassFolder(inside, part.label, part.split))
                continue
            others = [some for other, some in holds.items() if other != name and len(some) > 1]
            inside = self._unwrapped(inside, set().union(*others))
            self.found.opened.append(inside)
            if not self._take_classes(inside, part.split):
                self.found.bare.append((part.split, inside))

    def _pictures_in(self, place: str) -> list[str]:
        """The folder of photos where all others hold their masks; nothing elsewhere."""
        here = self.glance(place)
        names = here.named("photos")
        pictures = [name for name in names if folded(name) in _PICTURES]
        others = [name for name in names if folded(name) not in _PICTURES]
        are_masks = bool(others) and all(folded(name) in _MASKS for name in others)
        return pictures if are_masks and len(pictures) == 1 and not here.photos else []

    def _take_class(self, place: str, name: str, split: str) -> None:
        """Note a class folder; the masks of its photos are none of its photos."""
        folder = _in(place, name)
        pictures = self._pictures_in(folder)
        if pictures:
            self.found.opened.append(folder)
            self._leave_rest(folder, pictures)
            folder = _in(folder, pictures[0])
        self.found.classes.append(ClassFolder(folder, name, split))

    def _take_classes(self, place: str, split: str) -> bool:
        names = self.glance(place).named("photos", "nothing")
        for name in names:
            self._take_class(place, name, split)
        self._leave_rest(place, names)
        return bool(names)

    def _leave_rest(self, place: str, taken: Iterable[str]) -> None:
        """Note the folders that are neither parts nor classes."""
        known = set(taken)
        for name, kind in self.glance(place).folders.items():
            if name not in known:
                reason = {
                    "photos": "beside the folders that were read",
                    "nothing": "beside the folders that were read",
                    "work": "in a folder without photos",
                }.get(kind, f"of {kind}")
                self.found.beside.append((_in(place, name), reason))

    def _divided(self, place: str, names: Sequence[str]) -> Mapping[str, Mapping[str, Part]]:
        """Parts below the class folders (cats/train, cats/test), by class; empty where these are plain classes."""
        inner = {name: self._inner_parts(_in(place, name)) for name in names}
        whole = [name for name, parts in inner.items() if not parts]
        mixed = [each for each, parts in inner.items() if parts and self._has_more(_in(place, each), parts)]
        if not (whole or mixed):
            return inner
        example = next((name for name, parts in inner.items() if len(parts) > 1), None)
        if example is not None and whole:
            parts = [f"{name}/" for name in sorted(inner[example])]
            msg = (
                f"{example}/ in {_shown(place)} is divided into {listed(parts)}, but {_folders(whole)} {_is(whole)} "
                "not. Divide every class folder, or none."
            )
            raise ImageSetError(msg)
        if example is not None:
            return inner
        splits = {part.split for parts in inner.values() for part in parts.values()}
        if not whole and "train" not in splits:
            one = next(iter(inner[mixed[0]]))
            msg = (
                f"Each class folder in {_shown(place)} holds a folder such as {mixed[0]}/{one}/, which looks like a "
                f"part of a split, beside other images. Put those into {mixed[0]}/train/ and so on, or rename {one}/ "
                "if it is none."
            )
            raise ImageSetError(msg)
        return {}  # a class folder may well hold one that is called "test"

    def _inner_parts(self, place: str) -> Mapping[str, Part]:
        names = [name for name in self.glance(place).named("photos") if means_a_part(name)]
        return self._parts_called(place, names) if names else {}

    def _has_more(self, place: str, parts: Mapping[str, Part]) -> bool:
        here = self.glance(place)
        return bool(here.photos or set(here.named("photos")) - set(parts))

    def _take_inner_parts(self, place: str, inner: Mapping[str, Mapping[str, Part]]) -> None:
        self._leave_rest(place, inner)
        name, parts = next(iter(inner.items()))
        example = ", ".join(f"{name}/{part}/" for part in parts)
        sentence = f"The folders below the class folders ({example} and so on) were read as parts of a split."
        self.found.findings.append(finding("UF109", sentence, "If they are none, rename them."))
        for name, parts in inner.items():
            folder = _in(place, name)
            self.found.opened.append(folder)
            self._leave_rest(folder, parts)
            places = [(_in(folder, below), part.split) for below, part in parts.items()]
            self.found.classes += [ClassFolder(below, name, split) for below, split in places]

    def _say_what_lies_below(self, place: str, names: Sequence[str]) -> None:
        """That folders below the class folders are not told apart, where nothing else lies in these."""
        below = [self._pictures_in(_in(place, name)) or self._holds(place, name) for name in names]
        if any(self.glance(_in(place, name)).photos for name in names) or sum(map(len, below)) <= len(names):
            return
        inside = list(dict.fromkeys(name for some in below for name in some))
        sentence = (
            f"The classes are {_folders(names)}. The {count(sum(map(len, below)), 'folder')} in them "
            f"({_short(inside)}) are not told apart."
        )
        advice = "If those are the classes, move them one level up, or name the class of each image in a list."
        self.found.findings.append(finding("UF110", sentence, advice))

    def _say_which_sound_like_parts(self, names: Sequence[str]) -> None:
        """That a class is called like a part of a split: cats, dogs, test."""
        like_parts = [name for name in names if means_a_part(name)]
        if like_parts:
            what = "a class" if len(like_parts) == 1 else "classes"
            sentence = f"{_folders(like_parts)} {_is(like_parts)} taken for {what}."
            advice = "If it is a part of a split, put the class folders into train/, test/ and so on."
            self.found.findings.append(finding("UF109", sentence, advice))

    def _name(self, place: str) -> str:
        return Path(os.path.relpath(place, self.root)).as_posix()


def _in(place: str, name: str) -> str:
    return str(Path(place) / name)


def _shown(place: str) -> str:
    return as_written(Path(place))


def _short(names: Sequence[str]) -> str:
    more = [f"{len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return listed([*names[:_SHOWN], *more])


def _folders(names: Sequence[str]) -> str:
    more = [f"{len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return listed([*(f"{name}/" for name in names[:_SHOWN]), *more])


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
