"""Showing a page to the user."""

import contextlib
import sys
from pathlib import Path

from unfreeze.core.wording import printable


def open_page(page: Path) -> None:
    """Open a page in the user's browser; on a machine without one, say where it lies: that is no mistake.

    Args:
        page: A file.
    """
    import webbrowser

    opened = False
    with contextlib.suppress(webbrowser.Error, OSError):
        opened = webbrowser.open(page.resolve().as_uri())
    if not opened:
        sentence = f"No browser could be opened here. Copy {page} to a machine that has one, or open it by hand."
        print(printable(sentence), file=sys.stderr)
