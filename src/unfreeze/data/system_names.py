"""Names that systems, tools and unfreeze itself leave among photos: what is neither a class nor a photo."""

import os
import unicodedata
from collections.abc import Callable
from typing import Literal

from unfreeze.core.run_folder import PLAN
from unfreeze.core.run_record import RUN_FILE

# `unfreeze-runs` is where our own results go by default.
_LEFT_BEHIND = frozenset((
    # Windows
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin", "recycler", "recycled"),
    *("system volume information", "$winreagent", "found.000", "found.001", "found.002"),
    # macOS
    *("__macosx", "network trash folder", "temporary items", "icon\r"),
    # Linux, Android, network disks
    *("lost+found", "lost.dir", "@eadir", "@recycle", "@recently-snapshot", "@tmp", "@sharebin", "#recycle"),
    *("#snapshot", "~snapshot"),
    # programs
    *("__pycache__", "node_modules", "picasa.ini", "zbthumbnail.info", "unfreeze-runs"),
))  # fmt: skip


def is_left_behind(name: str) -> bool:
    """Whether a file or folder is hidden, or one that systems and programs leave behind.

    Args:
        name: Of the file or folder, without those around it.

    Returns:
        True for what is no class and no photo, whatever it holds.

    Example:
        >>> [is_left_behind(name) for name in (".Trash-1000", "#recycle", "Thumbs.db", "recycle")]
        [True, True, True, False]
    """
    folded = unicodedata.normalize("NFC", name).lower()
    return folded.startswith((".", "@syno")) or folded in _LEFT_BEHIND


def written_by_unfreeze(
    folder: str, exists: Callable[[str], bool] = os.path.exists
) -> Literal["a run of unfreeze", "a model", ""]:
    """What a folder is, if unfreeze wrote it.

    Args:
        folder: Absolute.
        exists: Whether there is a file.

    Returns:
        ``a run of unfreeze``, ``a model``, or nothing for any other folder.
    """
    names = (RUN_FILE, PLAN, "config.json", "model.safetensors")
    there = {name for name in names if exists(os.path.join(folder, name))}  # noqa: PTH118 - never raises
    if there & {RUN_FILE, PLAN}:
        return "a run of unfreeze"
    return "a model" if len(there) == 2 else ""
