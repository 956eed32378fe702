"""The way of a request from the parent to a decoder child: a line, and with it the photo, which is open already.

A child that may open nothing itself has to be handed what it reads. Where the system cannot hand over an open file
(Windows), the child opens the path that stands in the line.
"""

import errno
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, Final

from unfreeze.images.decoding import UnreadableImageError

HANDS_OVER: Final = sys.platform != "win32"
_AT_ONCE: Final = 65_536  # bytes
_OPEN_REASONS = {
    errno.ENOENT: "missing",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EISDIR: "not-a-regular-file",
    errno.ENXIO: "not-a-regular-file",
}


Channel = socket.socket | IO[bytes]


def open_photo(path: str | Path) -> int:
    """Open a regular file for reading; never waits on a pipe or a device.

    Args:
        path: A file; symbolic links are followed, since whoever walks a folder has decided about them already.

    Returns:
        A file descriptor, to be closed.

    Raises:
        UnreadableImageError: It is missing, not a regular file, or may not be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise UnreadableImageError(_OPEN_REASONS.get(error.errno or 0, f"cannot-open: {error.strerror}")) from error
    except ValueError as error:  # a NUL in the name
        raise UnreadableImageError("cannot-open: bad name") from error
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise UnreadableImageError("not-a-regular-file")


def handed_over(path: Path) -> tuple[int | None, str]:
    """The photo for a request: open, or why it cannot be; neither where the child opens it itself."""
    if not HANDS_OVER:
        return None, ""
    try:
        return open_photo(path), ""
    except UnreadableImageError as error:
        return None, error.reason


def send(channel: Channel, line: bytes, handle: int | None) -> None:
    """Send one request.

    Args:
        channel: The parent's end; the other end is the child's standard input.
        line: The request.
        handle: Of the photo; stays open here.

    Raises:
        OSError: The child is gone.
    """
    if not isinstance(channel, socket.socket):
        channel.write(line)
        return
    sent = channel.send(line) if handle is None else socket.send_fds(channel, [line], [handle])
    channel.sendall(line[sent:])


def requests(given: BinaryIO) -> Iterator[tuple[bytes, int | None]]:
    """The requests that a child is sent, until its parent is gone.

    Args:
        given: The child's standard input.

    Yields:
        A line, and the photo if one came with it, which the taker closes. (The system never puts two photos into one
        answer, nor bytes that were sent after a photo before it: a line's photo is there before its end is.)
    """
    if not HANDS_OVER:
        yield from ((line, None) for line in given)
        return
    with socket.socket(fileno=os.dup(given.fileno())) as channel:
        buffer, handles = b"", []
        while True:
            data, new, _, _ = socket.recv_fds(channel, _AT_ONCE, 8)
            if not data:
                return
            buffer += data
            handles += new
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                yield line, handles.pop(0) if b'"handed_over": true' in line else None
