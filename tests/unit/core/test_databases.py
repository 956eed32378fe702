"""Tables on disk."""

import pytest

from unfreeze.core.databases import temporary_database
from unfreeze.core.errors import DiskFullError


def test_more_than_the_cache_is_read_back() -> None:
    """Twenty megabytes, five times what is held in memory, come back as they were written."""
    with temporary_database("CREATE TABLE t (number INTEGER PRIMARY KEY, content BLOB)") as database:
        database.executemany("INSERT INTO t VALUES (?, ?)", ((n, bytes([n % 256]) * 1000) for n in range(20_000)))

        wrong = [n for n, content in database.execute("SELECT number, content FROM t") if set(content) != {n % 256}]
        assert wrong == []


def test_a_full_disk_is_said() -> None:
    """A file that cannot grow is the error of a full disk, with its own exit code."""
    with (
        pytest.raises(DiskFullError, match="folder for temporary files is full"),
        temporary_database("PRAGMA max_page_count = 8; CREATE TABLE t (content BLOB)") as database,
    ):
        database.executemany("INSERT INTO t VALUES (?)", ((bytes(4000),) for _ in range(20)))
