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
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, final

from unfreeze.core.errors import ImageSetError, OutputError, UnfreezeError
from unfreeze.core.file_names import WEB, scheme_of

SECONDS_TO_ANSWER: Final = 20.0
PAUSES: Final = (0.5, 1.0, 2.0, 4.0)  # seconds before another attempt; the one behind the last pause is the last
_BUFFER = 2**20  # bytes
_BLOCK = 2**23  # bytes that a store is asked for at a time
_SKIPPED = 2**20  # bytes that are rather read than asked for anew from behind them
_PASSING = frozenset({408, 425, 429})  # answers of the web below 500 that another attempt may mend
# Answers of S3, and errors of the libraries of S3 and of Google, by their names: no need to import these.
_ELSEWHERE = frozenset(
    {"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_WITHOUT_CREDENTIALS = frozenset({
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
    "TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError", "DefaultCredentialsError", "RefreshError",
})  # fmt: skip
_MISTAKES = frozenset({"ParamValidationError", "InvalidEndpointError", "InvalidRegionError"})

_Found = TypeVar("_Found")
Wait = Callable[[float], None]
Doing = Literal["read", "written"]


class NotGivenError(ImageSetError):
    """A file is not there, or may not be read.

    Args:
        text: Of the error.
        reason: Why, as of a photo that is set aside.
    """

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class NotThereError(NotGivenError):
    """There is no such file or folder."""


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


def patiently(attempt: Callable[[], _Found], where: str, wait: Wait = time.sleep, *, doing: Doing = "read") -> _Found:
    """Do something again where a connection has failed, a little later each time.

    Args:
        attempt: What is to be done.
        where: What is asked, as people write it.
        wait: Seconds before another attempt.
        doing: What is attempted, in a word for the error.

    Returns:
        What it gives.

    Raises:
        ImageSetError: There is nothing at that place, it may not be read, or no attempt has succeeded.
        OutputError: The same of what is written.
    """
    for pause in (*PAUSES, None):
        try:
            return attempt()
        except UnfreezeError:
            raise
        except Exception as error:  # each store raises its own
            refusal = _refusal(error, where, doing)
            if refusal is not None or pause is None:
                refusal = refusal or _unanswered(error, where, doing)
                raise (refusal if doing == "read" else OutputError(str(refusal))) from error
        wait(pause)
    raise AssertionError  # the last attempt returns or raises


def _refusal(error: Exception, where: str, doing: Doing = "read") -> ImageSetError | None:
    """The error that no other attempt would mend; None for one that may pass."""
    code, reason = _code(error), _reason(error)
    refusal = _refusal_of_store(error, where, doing)
    if refusal is not None:
        return refusal
    if isinstance(error, (FileNotFoundError, NotADirectoryError)) or code in {404, 410}:
        return NotThereError(f"There is nothing at {where}. Check the spelling.", "missing: not in the store any more")
    if isinstance(error, PermissionError) or code in {401, 403}:
        msg = f"{where} may not be {doing} ({reason}). Check your rights there."
        return NotGivenError(msg, f"permission: the store does not give it ({reason})")
    if isinstance(error, ImportError):
        return ImageSetError(f'{where} takes another library: {reason}. pip install "unfreeze[remote]"')
    is_refused = isinstance(code, int) and code < 500 and code not in _PASSING
    return _unanswered(error, where, doing) if is_refused or type(error).__name__ in _MISTAKES else None


def _refusal_of_store(error: Exception, where: str, doing: Doing) -> ImageSetError | None:
    """As `_refusal`, of what only stores have: buckets, regions and credentials."""
    code, reason = _code(error), _reason(error)
    if code == "NoSuchBucket":
        return ImageSetError(f"There is no bucket {where.split('/')[2]}, which {where} names. Check the spelling.")
    if code in _ELSEWHERE:
        return ImageSetError(
            f"{where} lies in another region, or behind another endpoint, than was asked ({reason}). Set "
            "AWS_DEFAULT_REGION, or AWS_ENDPOINT_URL_S3, to its own."
        )
    if type(error).__name__ in _WITHOUT_CREDENTIALS:
        return ImageSetError(
            f"{where} cannot be {doing} without credentials, and none were found ({reason}). Log in with the tools of "
            "the store, or set AWS_PROFILE or GOOGLE_APPLICATION_CREDENTIALS."
        )
    return None


def _code(error: Exception) -> int | str | None:
    """What a server answers: of the web and of Google a number, of S3 a word."""
    answer = getattr(error.__cause__, "response", None)
    if isinstance(answer, dict):  # of botocore, behind what s3fs makes of it
        return str(answer.get("Error", {}).get("Code"))
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else None


def _unanswered(error: Exception, where: str, doing: Doing) -> ImageSetError:
    return ImageSetError(f"{where} cannot be {doing} ({_reason(error)}). Check the address and the connection.")


def _reason(error: Exception) -> str:
    plain = error.reason if isinstance(error, urllib.error.URLError) else getattr(error, "strerror", None) or error
    return (str(plain).strip() or type(error).__name__).splitlines()[0][:160].rstrip(".")


def open_remote(address: str) -> io.BufferedReader:
    """A file at an address, for reading.

    Args:
        address: ``https://…``, ``http://…`` or one that fsspec knows, such as ``s3://…`` and ``gs://…``.

    Returns:
        The file, which asks for nothing before it is read. Its errors are `ImageSetError`.
    """
    connect = _on_the_web(address) if scheme_of(Path(address)) in WEB else _in_a_store(address)
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
        store, path = store_of(address)
        about = store.info(path)
        stream = store.open(path, "rb", block_size=_BLOCK)
        stream.seek(at)
        marks = [str(about[mark]) for mark in ("ETag", "etag", "generation", "mtime") if about.get(mark)]
        return Connection(stream=stream, begins=at, size=about.get("size"), version=" ".join(marks))

    return connect


def store_of(address: str) -> tuple[Any, str]:
    """The store that an address lies in.

    Args:
        address: One that fsspec knows, such as ``s3://…`` and ``gs://…``.

    Returns:
        fsspec's file system, which keeps no listings: they would hide that a file has changed, and are large. And the
        path in it.

    Raises:
        ImageSetError: fsspec does not know it, or lacks its library.
    """
    import fsspec

    try:
        store, path = fsspec.core.url_to_fs(address, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        known = "fsspec knows no such address. Give https://…, s3://… or gs://…"
        raise _refusal(error, address) or ImageSetError(f"{address} cannot be read: {known}.") from error
    return store, str(path)


@dataclass(frozen=True, slots=True)
class Listed:
    """What lies right in a folder of a store; its name is empty if it is the very file that was asked for."""

    name: str
    is_folder: bool
    size: int


def listed_in(store: Any, path: str) -> list[Listed]:
    """What lies right in a folder of a store.

    Args:
        store: fsspec's file system.
        path: Of the folder in it.

    Returns:
        Files and folders, in any order. Where the path is that of a file, this alone.

    Raises:
        ImageSetError: There is nothing, or the store does not answer.
    """
    where = str(store.unstrip_protocol(path))
    found = patiently(lambda: store.ls(path, detail=True), where)
    if not found:
        msg = f"There is nothing at {where}. Check the spelling."
        raise NotThereError(msg)
    markers = {(f"{path}/", "file")}  # of no size, with which programs make folders that are empty
    return [_listed(each, path) for each in found if (each["name"], each["type"]) not in markers]


def _listed(each: dict[str, Any], path: str) -> Listed:
    is_folder = each["type"] == "directory"
    name = each["name"][len(path) :].removeprefix("/")
    return Listed(name.rstrip("/") if is_folder else name, is_folder, each.get("size") or 0)


def files_matching(address: str) -> list[str]:
    """Addresses of the files that a pattern in a store stands for.

    Args:
        address: With ``*``, ``?`` or ``[`` in it.

    Returns:
        By name.

    Raises:
        ImageSetError: The store does not answer.
    """

    def look() -> list[str]:
        store, path = store_of(address)
        return sorted(map(store.unstrip_protocol, store.glob(path)))

    return patiently(look, address)


def is_file(address: str) -> bool:
    """Whether what lies at an address in a store is a file, and no folder.

    Raises:
        ImageSetError: There is nothing, or the store does not answer.
    """
    store, path = store_of(address)
    return patiently(lambda: bool(store.info(path)["type"] == "file"), address)
