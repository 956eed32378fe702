"""Which columns of a list hold the path, the class, the part and the group of each image, as people call them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unfreeze.core.errors import ImageSetError
from unfreeze.core.findings import Finding, finding
from unfreeze.core.wording import listed

LEFT_OUT = "left_out"  # a column of cleaned lists: why a row is not to be read; empty for all others
COLUMNS = ("path", "label", "split", "group", LEFT_OUT)
PATH_COLUMNS = (
    *("path", "file", "file_name", "filename", "image", "file_path", "filepath", "image_path", "imagepath"),
    *("img_path", "image_name", "img_name", "image_file", "img", "photo"),
)
# A column of groups has to be called so: that photos of one patient, say, must stay together is for people to decide.
_CALLED: Mapping[str, tuple[str, ...]] = {
    "path": PATH_COLUMNS,
    "label": ("label", "class", "class_name", "classname", "class_label", "label_name", "target", "category", "y"),
    "split": ("split", "set", "subset", "partition"),
    "group": ("group",),
    LEFT_OUT: (LEFT_OUT,),
}
KNOWN_NAMES = frozenset(name for names in _CALLED.values() for name in names)
_SHOWN = 5


@dataclass(frozen=True)
class Columns:
    """What the columns of a list are.

    Attributes:
        names: As the list calls it, by what it means: one of `COLUMNS`.
        unread: The others.
    """

    names: Mapping[str, str]
    unread: tuple[str, ...]

    def findings(self) -> Iterable[Finding]:
        """What the user should know of it."""
        others = [f"{name} as {meaning}" for meaning, name in self.names.items() if folded_name(name) != meaning]
        if others:
            sentence = f"Columns of the list were read by the meaning of their names: {listed(others)}."
            yield finding("UF112", sentence)
        if self.unread and not {"split", "group"} <= self.names.keys():
            more = [f"{len(self.unread) - _SHOWN:,} more"] if len(self.unread) > _SHOWN else []
            what = "The column" if len(self.unread) == 1 else "Columns"
            was = "was" if len(self.unread) == 1 else "were"
            sentence = f"{what} {listed([*self.unread[:_SHOWN], *more])} of the list {was} not read."
            advice = (
                "If one says which images belong together (of one patient, say), call it group; if one says what to "
                "test on, call it split."
            )
            yield finding("UF112", sentence, advice)


def folded_name(name: str) -> str:
    """The name of a column as names are compared: in small letters, with underscores for spaces and hyphens."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def columns_of(names: Sequence[str], source: Path) -> Columns:
    """What the columns of a list mean.

    A column that is called as `COLUMNS` are is taken; else the only one that is called by another word for it.

    Args:
        names: Of all columns.
        source: The list, for errors.

    Returns:
        The columns; not all of them need be there.

    Raises:
        ImageSetError: Two columns may be meant.
    """
    found: dict[str, str] = {}
    for meaning, words in _CALLED.items():
        fitting = [name for name in names if folded_name(name) in words]
        exact = [name for name in fitting if folded_name(name) == meaning]
        chosen = exact or fitting
        same = {folded_name(name) for name in chosen}
        if len(chosen) > 1 and len(same) == 1:
            msg = f"{source} has {len(chosen)} columns called {same.pop()}. Keep one of them, or rename the others."
            raise ImageSetError(msg)
        if len(chosen) > 1:
            msg = f"{source} has the columns {listed(chosen)}, and any may be the {meaning}. Call that one {meaning}."
            raise ImageSetError(msg)
        if chosen:
            found[meaning] = chosen[0]
    unread = (name for name in names if name not in found.values() and not _is_index(name))
    return Columns(found, tuple(dict.fromkeys(unread)))


def _is_index(name: str) -> bool:
    """Whether a column only numbers the rows, as pandas and R write it."""
    return folded_name(name) in {"", "index", "level_0", "rownames"} or folded_name(name).startswith("unnamed:")


def one_for_each_class(columns: Columns, row: Mapping[str, str]) -> str:
    """What to do about a list without labels that has a column for each class, 1 where it is that class.

    Args:
        columns: Of the list.
        row: Its first row, by the names of the columns.

    Returns:
        A sentence, after a space; nothing for other lists.
    """
    marks = [name for name in columns.unread if row.get(name, "").strip() in {"0", "1", "0.0", "1.0", "True", "False"}]
    if "label" in columns.names or len(marks) < 2:
        return ""
    more = [f"{len(marks) - _SHOWN:,} more"] if len(marks) > _SHOWN else []
    return (
        f" The columns {listed([*marks[:_SHOWN], *more])} seem to stand for a class each: write the name of each "
        "image's class into one column label."
    )
