"""Stores of codes in an object store, which several machines share.

Each machine keeps the shards that it has written or needed in a folder, and this is where it finds those of others. A
shard is put there once, under the hash of its content: of several that write at once one is first, and all have written
the same. Nobody is locked out, and whatever comes back is compared with its name.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, final

from unfreeze.core.remote_files import Listed, NotThereError, listed_in, patiently, store_of
from unfreeze.store.manifests import MANIFEST_FILE, Manifest, checked_manifest
from unfreeze.store.shards import DamagedShardError, is_shard_name, keys_of_shard, name_of_shard

AT_ONCE: Final = 16  # shards that are asked for: a store is slow to answer one, and answers many


@final
class SharedShards:
    """The shards of one store.

    Args:
        address: Of the store's folder.
    """

    def __init__(self, address: str) -> None:
        self.where = address
        self._store, self._path = store_of(address)
        self._sizes: dict[str, int] = {}

    def names(self) -> list[str]:
        """Names of the shards that are there now, in a fixed order; whatever else lies there is none.

        Raises:
            ImageSetError: The object store does not answer, or may not be read.
        """
        found = [one for one in _listed(self._store, self._path) if is_shard_name(one.name)]
        self._sizes = {one.name: one.size for one in found}
        return sorted(self._sizes)

    def keys(self, names: Iterable[str]) -> Iterator[list[str]]:
        """The images' sha256 in each of some shards, read without their codes; nothing of one that cannot be read.

        Args:
            names: Of `names`.

        Yields:
            As `store.shards.keys_of_shard`.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(self._keys, names)

    def _keys(self, name: str) -> list[str]:
        place = self._place(name)

        def read(start: int, end: int) -> bytes:
            data: bytes = patiently(lambda: self._store.cat_file(place, start=start, end=end), self._address(name))
            return data

        return keys_of_shard(_Parts(read, self._sizes[name]))

    def fetch(self, name: str) -> bytes:
        """A whole shard.

        Raises:
            DamagedShardError: It is not there any more, or not what was written.
            ImageSetError: The object store does not answer.
        """
        try:
            data: bytes = patiently(lambda: self._store.cat_file(self._place(name)), self._address(name))
        except NotThereError as error:
            msg = "is not there any more"
            raise DamagedShardError(msg) from error
        if name_of_shard(data) != name:
            msg = "its content has changed since it was written"
            raise DamagedShardError(msg)
        return data

    def put(self, name: str, data: bytes) -> bool:
        """Add a shard, unless it is there; what is there under its name and is not whole is replaced.

        Returns:
            Whether it was not there: of several that put it at once, this holds for one.

        Raises:
            OutputError: The object store does not take it.
        """
        if self._created(name, data):
            return True
        try:
            self.fetch(name)
        except DamagedShardError:
            write = partial(self._store.pipe_file, self._place(name), data)
            patiently(write, self._address(name), doing="written")
        return False

    def put_manifest(self, data: bytes) -> None:
        """Add the manifest of the store, unless there is one."""
        self._created(MANIFEST_FILE, data)

    def _created(self, name: str, data: bytes) -> bool:
        """Whether an object could be made where none was; of several attempts at once, one can."""

        def create() -> bool:
            try:
                self._store.pipe_file(self._place(name), data, mode="create")
            except FileExistsError:
                return False
            return True

        return patiently(create, self._address(name), doing="written")

    def _place(self, name: str) -> str:
        return f"{self._path}/{name}"

    def _address(self, name: str) -> str:
        return f"{self.where}/{name}"


def shared_manifests(address: str) -> Iterator[Manifest]:
    """The manifests of all stores.

    Args:
        address: Of the folder of all stores; nothing for none.

    Yields:
        Those that are there and whole.

    Raises:
        ImageSetError: The object store does not answer, or may not be read.
    """
    if not address:
        return
    store, path = store_of(address)
    for one in _listed(store, path):
        if not one.is_folder:
            continue
        place = f"{one.name}/{MANIFEST_FILE}"
        try:
            text = patiently(partial(store.cat_file, f"{path}/{place}"), f"{address}/{place}")
        except NotThereError:
            continue
        manifest = checked_manifest(text, one.name)
        if manifest is not None:
            yield manifest


def _listed(store: Any, path: str) -> list[Listed]:
    """What lies in a folder, which is there once something is put into it."""
    try:
        return listed_in(store, path)
    except NotThereError:
        return []


@final
class _Parts(io.RawIOBase):
    """A file of which only the parts are fetched that are read.

    Args:
        part: Gives the bytes from one place up to another.
        size: Of the file.
    """

    def __init__(self, part: Callable[[int, int], bytes], size: int) -> None:
        super().__init__()
        self._part, self._size, self._at = part, size, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, from the start, from here, or from the end."""
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read what is asked for; less at the end."""
        end = min(self._at + len(buffer), self._size)
        data = self._part(self._at, end) if end > self._at else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
