"""Classes that the user wants left out."""

import difflib
from collections.abc import Sequence

from unfreeze.core.errors import ImageSetError
from unfreeze.core.wording import listed
from unfreeze.data.image_table import ImageTable

NAMED = 20  # classes in an error


def exclude_classes(table: ImageTable, names: Sequence[str]) -> None:
    """Take classes out of what is listed; their files are counted as skipped.

    Args:
        table: Of candidates.
        names: Of the classes, exactly as their folders or labels are called.

    Raises:
        ImageSetError: There is no such class; similar names are proposed.
    """
    if not names:
        return
    known = sorted(table.labels())
    for name in names:
        if name not in known and name not in table.no_classes:
            msg = f"There is no class {name!r} to leave out. {_proposal(name, known)}"
            raise ImageSetError(msg)
    gone = table.remove_classes(names)
    if gone:
        table.skipped["of a class that was left out"] += gone


def _proposal(name: str, known: Sequence[str]) -> str:
    folded = {label.casefold(): label for label in known}
    near = [folded[close] for close in difflib.get_close_matches(name.casefold(), list(folded), n=3)]
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    shown = [repr(label) for label in known[:NAMED]]
    return f"The classes are {listed(shown) if not more else ', '.join(shown) + more}."
