"""Whether a disk has room for what will be written, asked before the work that would be lost."""

import shutil
from pathlib import Path

from unfreeze.core.errors import DiskFullError
from unfreeze.core.wording import storage

REPORT_BYTES = 4 * 2**20  # record, report with its photos, tables, model card


def model_bytes(parameters: int) -> int:
    """What a delivered model takes on disk: its weights in float32, twice, since its program holds them too."""
    return 2 * 4 * parameters


def check_room(folder: Path, needed: int, what: str, *, option: str = "--out") -> None:
    """Make sure that there is room; where the system does not say how much there is, there is.

    Args:
        folder: That is written into; it, or a folder above it, is there.
        needed: Bytes.
        what: Is to be written, in the plural.
        option: Which names the folder.

    Raises:
        DiskFullError: There is not.
    """
    there = next((each for each in (folder, *folder.absolute().parents) if each.is_dir()), folder)
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        return
    if free < needed:
        msg = (
            f"The disk is nearly full: {what} need about {storage(needed)}, and {folder} has "
            f"{storage(free) if free else 'nothing'} free. "
            f"Make room, or choose a place on another disk with {option}."
        )
        raise DiskFullError(msg)
