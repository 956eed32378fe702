"""Memory that a decoder child shares with its parent. It has no name that could outlive them.

`multiprocessing.shared_memory` names its blocks, and one whose programs were killed stays until the next start of the
machine; what is mapped here goes with the last process that has it open.
"""

import mmap
import os
import secrets
import sys
import tempfile

# Address space, not memory: only what squares were written to takes memory. One square of 4729 pixels.
RING_BYTES = 64 * 1024**2


def new_ring() -> tuple[mmap.mmap, int | str]:
    """Shared memory of `RING_BYTES`.

    Returns:
        The memory, and its handle for `open_ring` in a child: a file descriptor that the child must inherit and that
        the caller closes, or, on Windows, a name.
    """
    if sys.platform == "win32":
        name = f"unfreeze-{secrets.token_hex(16)}"
        return mmap.mmap(-1, RING_BYTES, tagname=name), name
    handle = _nameless_file()
    os.ftruncate(handle, RING_BYTES)
    return mmap.mmap(handle, RING_BYTES), handle


def open_ring(handle: str) -> mmap.mmap:
    """The parent's memory, in a child.

    Args:
        handle: The parent's, as text.

    Returns:
        The same memory.
    """
    if sys.platform == "win32":
        return mmap.mmap(-1, RING_BYTES, tagname=handle)
    ring = mmap.mmap(int(handle), RING_BYTES)
    os.close(int(handle))
    return ring


def _nameless_file() -> int:
    """A file in memory where there is such a thing (Linux), else one on disk that is deleted already."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("unfreeze")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
