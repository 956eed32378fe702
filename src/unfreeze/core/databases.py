"""Tables that do not fit in memory: a private SQLite database in a temporary file."""

import contextlib
import sqlite3
from collections.abc import Iterator

from unfreeze.core.errors import DiskFailedError, DiskFullError

CACHE_KIB = 4096  # of pages in memory; what is more goes to the file


@contextlib.contextmanager
def temporary_database(schema: str) -> Iterator[sqlite3.Connection]:
    """A database of this process alone, gone with the process however it ends.

    SQLite makes the file in its folder for temporary files (SQLITE_TMPDIR, TMPDIR, else /var/tmp or /tmp; on Windows
    the user's), only once `CACHE_KIB` are exceeded, and without a name where the system allows that.

    Args:
        schema: Statements that make its tables.

    Yields:
        The connection. Nothing needs to be committed, since nobody else ever reads it.

    Raises:
        DiskFullError: There is no room for the file.
        DiskFailedError: Its disk does not work.
    """
    connection = sqlite3.connect("")
    try:
        # Neither survives a crash, so neither is asked for: no journal, no synchronising.
        connection.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB};"
            f"PRAGMA temp_store = FILE; {schema}"
        )
        yield connection
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
            msg = (
                f"The disk with the folder for temporary files does not work ({error}). "
                "Check it, or set TMPDIR to a folder on another one."
            )
            raise DiskFailedError(msg) from error
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        msg = (
            "The disk with the folder for temporary files is full. Free some space there, or set TMPDIR to another one."
        )
        raise DiskFullError(msg) from error
    finally:
        connection.close()
