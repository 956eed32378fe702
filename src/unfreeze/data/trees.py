"""Trees of folders in which photos are looked for: that of this machine, or one that a store has listed."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol, final, runtime_checkable


@runtime_checkable
class Entry(Protocol):
    """What a folder holds, as `os.DirEntry` says it."""

    @property
    def name(self) -> str:
        """Without the folders around it."""
        ...

    @property
    def path(self) -> str:
        """With them."""
        ...

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a folder, or a link to one."""
        ...

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a plain file, or a link to one."""
        ...

    def is_symlink(self) -> bool:
        """Whether it is a link."""
        ...

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """What tells it from all others."""
        ...


@runtime_checkable
class Tree(Protocol):
    """Folders and files."""

    def scan(self, folder: str) -> AbstractContextManager[Iterator[Entry]]:
        """What lies right in a folder, in any order.

        Raises:
            OSError: It cannot be opened.
        """
        ...

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        ...

    def file_of(self, entry: Entry) -> Path:
        """Where the bytes of a photo lie on this machine, or will once they are fetched."""
        ...


@final
class Disk:
    """The folders of this machine."""

    def scan(self, folder: str) -> AbstractContextManager[Iterator[Entry]]:
        """See `Tree`."""
        return os.scandir(folder)

    def exists(self, path: str) -> bool:
        """See `Tree`."""
        return os.path.exists(path)  # noqa: PTH110 - never raises

    def file_of(self, entry: Entry) -> Path:
        """See `Tree`."""
        return Path(entry.path)


DISK: Final = Disk()
