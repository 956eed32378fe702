"""Files on the web and in stores that fsspec reaches, read as if they lay here.

A connection that drops is made anew, and reading goes on behind the last byte that came. No file is held in memory.
"""

import contextlib
import io
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar, final

from unfreeze.core.errors import ImageSetError, UnfreezeError

SECONDS_TO_ANSWER: Final = 20.0
PAUSES: Final = (0.5, 1.0, 2.0, 4.0)  # seconds before another attempt; the one behind the last pause is the last
_BUFFER = 2**20  # bytes
_BLOCK = 2**23  # bytes that a store is asked for at a time
_SKIPPED = 2**20  # bytes that are rather read than asked for anew from behind them
_WEB = ("http://", "https://")
_PASSING = frozenset({408, 425, 429})  # answers of the web below 500 that another attempt may mend

_Found = TypeVar("_Found")
Wait = Callable[[float], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Connection:
    """What is read through until it drops.

    Attributes:
        stream: Gives the bytes of the file.
        begins: Place of its first byte in the file: 0 where the server gives no part of a file.
        size: Of the whole file; None where that is not said.
        version: What is another one once the file has changed; empty where nothing says so.
    """

    stream: Any
    begins: int
    size: int | None
    version: str


Connect = Callable[[int], Connection]


@final
class RemoteFile(io.RawIOBase):
    """A file that lies elsewhere.

    Args:
        where: As people write it.
        connect: Begins to read at a place, or before it.
        wait: Seconds before another attempt.
    """

    def __init__(self, where: str, connect: Connect, *, wait: Wait = time.sleep) -> None:
        super().__init__()
        self._where, self._connect, self._wait = where, connect, wait
        self._connection: Connection | None = None
        self._known: Connection | None = None  # the first, which says what the file is
        self._at = self._reached = 0  # what is read next, and how far the connection is

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always; where the server gives no part of a file, by reading what comes before."""
        return True

    def tell(self) -> int:
        """Place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, from the start, from here, or from the end."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence)
        self._at = (self._size() if origin is None else origin) + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; none at the end."""
        data = patiently(lambda: self._read(len(buffer)), self._where, self._wait)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """End the connection."""
        self._drop()
        super().close()

    def _size(self) -> int:
        known = self._known or patiently(self._begun, self._where, self._wait)
        if known.size is None:
            msg = (
                f"{self._where} cannot be read from its end: its server does not say how long it is. Download it first."
            )
            raise ImageSetError(msg)
        return known.size

    def _read(self, most: int) -> bytes:
        if self._known is not None and self._known.size is not None and self._at >= self._known.size:
            return b""
        try:
            connection = self._begun()
            while self._reached < self._at:
                self._reached += len(_some(connection, min(_SKIPPED, self._at - self._reached)))
            data: bytes = connection.stream.read(most)
            if not data and connection.size not in {None, self._at}:
                raise ConnectionError("the connection dropped")
        except BaseException:
            self._drop()
            raise
        self._reached += len(data)
        return data

    def _begun(self) -> Connection:
        """The connection, or a new one where there is none that leads on from here."""
        if self._connection is not None and not 0 <= self._at - self._reached <= _SKIPPED:
            self._drop()
        if self._connection is None:
            self._connection = self._connect(self._at)
            self._reached = self._connection.begins
            self._known = self._known or self._connection
            if self._known.version != self._connection.version:
                msg = f"{self._where} has changed while it was read. Run again once nobody writes to it."
                raise ImageSetError(msg)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):  # each store raises its own
                self._connection.stream.close()
            self._connection = None


def _some(connection: Connection, most: int) -> bytes:
    data: bytes = connection.stream.read(most)
    if not data:
        raise ConnectionError("the connection dropped")
    return data


def patiently(attempt: Callable[[], _Found], where: str, wait: Wait = time.sleep) -> _Found:
    """Do something again where a connection has failed, a little later each time.

    Args:
        attempt: What is to be done.
        where: What is asked, as people write it.
        wait: Seconds before another attempt.

    Returns:
        What it gives.

    Raises:
        ImageSetError: There is nothing at that place, it may not be read, or no attempt has succeeded.
    """
    for pause in (*PAUSES, None):
        try:
            return attempt()
        except UnfreezeError:
            raise
        except Exception as error:  # each store raises its own
            refusal = _refusal(error, where)
            if refusal is not None or pause is None:
                raise (refusal or _unanswered(error, where)) from error
        wait(pause)
    raise AssertionError  # the last attempt returns or raises


def _refusal(error: Exception, where: str) -> ImageSetError | None:
    """The error that no other attempt would mend; None for one that may pass."""
    code = error.code if isinstance(error, urllib.error.HTTPError) else None
    if isinstance(error, FileNotFoundError) or code in {404, 410}:
        return ImageSetError(f"There is nothing at {where}. Check the spelling.")
    if isinstance(error, PermissionError) or code in {401, 403}:
        return ImageSetError(f"{where} may not be read ({_reason(error)}). Check your rights there.")
    if isinstance(error, ImportError):
        return ImageSetError(f'{where} takes another library: {_reason(error)}. pip install "unfreeze[remote]"')
    if code is not None and code < 500 and code not in _PASSING:
        return _unanswered(error, where)
    return None


def _unanswered(error: Exception, where: str) -> ImageSetError:
    return ImageSetError(f"{where} cannot be read ({_reason(error)}). Check the address and the connection.")


def _reason(error: Exception) -> str:
    plain = error.reason if isinstance(error, urllib.error.URLError) else error
    return (str(plain).strip() or type(error).__name__).splitlines()[0][:160].rstrip(".")


def open_remote(address: str) -> io.BufferedReader:
    """A file at an address, for reading.

    Args:
        address: ``https://…``, ``http://…`` or one that fsspec knows, such as ``s3://…`` and ``gs://…``.

    Returns:
        The file, which asks for nothing before it is read. Its errors are `ImageSetError`.
    """
    connect = _on_the_web(address) if address.startswith(_WEB) else _in_a_store(address)
    return io.BufferedReader(RemoteFile(address.partition("?")[0], connect), _BUFFER)


def _on_the_web(address: str) -> Connect:
    def connect(at: int) -> Connection:
        request = urllib.request.Request(address, headers={"Range": f"bytes={at}-"} if at else {})  # noqa: S310
        # An opener of its own: the usual one keeps the proxies of the first call in this process.
        answer = urllib.request.build_opener().open(request, timeout=SECONDS_TO_ANSWER)
        begins = at if answer.status == 206 else 0
        left = answer.headers.get("Content-Length")
        return Connection(
            stream=answer,
            begins=begins,
            size=None if left is None else begins + int(left),
            version=answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "",
        )

    return connect


def _in_a_store(address: str) -> Connect:
    def connect(at: int) -> Connection:
        store, path = _store(address)
        store.invalidate_cache()  # which would hide that the file has changed
        about = store.info(path)
        stream = store.open(path, "rb", block_size=_BLOCK)
        stream.seek(at)
        marks = [str(about[mark]) for mark in ("ETag", "etag", "generation", "mtime") if about.get(mark)]
        return Connection(stream=stream, begins=at, size=about.get("size"), version=" ".join(marks))

    return connect


def _store(address: str) -> tuple[Any, str]:
    import fsspec

    try:
        store, path = fsspec.core.url_to_fs(address)
    except ValueError as error:
        msg = f"{address} cannot be read: fsspec knows no such address. Give https://…, s3://… or gs://…."
        raise ImageSetError(msg) from error
    return store, str(path)


def files_at(address: str, suffixes: tuple[str, ...]) -> list[str]:
    """Addresses of the files that an address stands for.

    Args:
        address: Of a file; of a pattern or a folder in a store, since the web has neither.
        suffixes: Of the files that are meant, each with its dot.

    Returns:
        By name; the address itself where it has one of the suffixes and is no pattern.

    Raises:
        ImageSetError: The place does not answer.
    """
    name = PurePosixPath(address.partition("?")[0])
    if address.startswith(_WEB) or (name.suffix.lower() in suffixes and not any(mark in address for mark in "*?[")):
        return [address]

    def look() -> list[str]:
        store, path = _store(address)
        found = store.glob(path) if any(mark in path for mark in "*?[") else store.ls(path, detail=False)
        return sorted(store.unstrip_protocol(each) for each in found if each.lower().endswith(suffixes))

    return patiently(look, address)
