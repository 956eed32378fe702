"""Folders for photos that are no files yet: where TMPDIR says, for this user alone, and gone when the process ends."""

import os
import re
import shutil
import tempfile
import weakref
from functools import cached_property
from pathlib import Path
from typing import final

from unfreeze.core.files import disk_errors_explained

_PLAIN = re.compile(r"\.[a-z0-9]{1,8}", re.IGNORECASE)


@final
class _TemporaryFolder:
    """A folder of this process, made when it is first asked for."""

    @cached_property
    def path(self) -> Path:
        made = Path(tempfile.mkdtemp(prefix="unfreeze-photos-"))
        weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        return made


_OF_THIS_PROCESS = _TemporaryFolder()


def new_private_folder() -> Path:
    """An empty folder.

    Returns:
        Absolute.

    Raises:
        DiskFullError: There is no room.
        OutputError: Nothing can be written where TMPDIR says.
    """
    with disk_errors_explained(Path(tempfile.gettempdir())):
        return Path(tempfile.mkdtemp(dir=_OF_THIS_PROCESS.path))


def plain_suffix(name: str) -> str:
    """The suffix of a foreign name, if it may well be that of a file in a private folder.

    Example:
        >>> plain_suffix("cat.JPG"), plain_suffix("cat.of a name")
        ('.JPG', '')
    """
    suffix = os.path.splitext(name)[1]  # noqa: PTH122 - a million times
    return suffix if _PLAIN.fullmatch(suffix) else ""
