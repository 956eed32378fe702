"""All stores together: what is in use stays, what was not used for longest goes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from unfreeze.store.codes import CodeStore, open_store
from unfreeze.store.eviction import DEFAULT_LIMIT, LOOKS, LimitKeeper, evict, size_limit
from unfreeze.store.places import kept_beside
from unfreeze.store.upkeep import prune, repair, stored, verify

DAY = 86400.0
HOLDER = """
import sys
from pathlib import Path
from unfreeze.store.codes import open_store
open_store({"weights": sys.argv[2]}, {"last": 4}, cache=Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def filled(cache: Path, weights: str, *, days: float, images: int = 10) -> CodeStore:
    """A store that nobody uses, opened last so many days ago."""
    store = open_store({"weights": weights}, {"last": 4}, cache=cache)
    if images:
        store.write({f"{weights}{n}": {"last": np.full(4, n, np.float32)} for n in range(images)})
    store.close()
    moment = time.time() - days * DAY
    os.utime(store.folder / "last-used", (moment, moment))
    return store


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store of the weights "old" open."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path), "old"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def weights_in(cache: Path) -> list[str]:
    """Weights of the stores that are there, the one used last first."""
    return [info.manifest["description"]["weights"] for info in stored(cache) if info.manifest is not None]


def test_opening_is_using(tmp_path: Path) -> None:
    """A store is in use from its opening to its closing, and its last use is the time of opening."""
    filled(tmp_path, "a", days=3)
    before = time.time()
    store = open_store({"weights": "a"}, {"last": 4}, cache=tmp_path)
    (used,) = stored(tmp_path)
    store.close()
    store.close()
    (closed,) = stored(tmp_path)

    assert (used.in_use, closed.in_use) == (True, False)
    assert used.last_used >= before - 1


def test_a_store_stays_in_use_without_its_object(tmp_path: Path) -> None:
    """What this process opened is in use until the process ends, also when nothing refers to the store any more."""
    open_store({"weights": "a"}, {"last": 4}, cache=tmp_path)

    assert [info.in_use for info in stored(tmp_path)] == [True]


def test_closing_one_of_two_leaves_the_other(tmp_path: Path) -> None:
    """A store that is open twice is in use until both are closed."""
    first, second = (open_store({"weights": "a"}, {"last": 4}, cache=tmp_path) for _ in range(2))
    in_use = []
    for store in (second, first):
        in_use.append(stored(tmp_path)[0].in_use)
        store.close()

    assert [*in_use, stored(tmp_path)[0].in_use] == [True, True, False]


def test_the_oldest_goes_first_when_the_limit_is_exceeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that exceeds the limit removes whole stores by their last use, only as many as needed, never its own."""
    for days, weights in enumerate("abcd", start=1):
        filled(tmp_path, weights, days=days)
    sizes = [info.size for info in stored(tmp_path)]
    monkeypatch.setenv("UNFREEZE_CACHE_LIMIT", str(sum(sizes) - 1))
    filled(tmp_path, "new", days=0)

    assert weights_in(tmp_path) == ["new", "a", "b"]
    monkeypatch.setenv("UNFREEZE_CACHE_LIMIT", "1")
    filled(tmp_path, "newer", days=0)
    assert weights_in(tmp_path) == ["newer"]


def test_sizes_are_looked_at_when_a_hundredth_of_the_limit_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first write, then not until so much more was written; all stores together are above the limit."""
    monkeypatch.setenv("UNFREEZE_CACHE_LIMIT", "500")
    own, keeper = filled(tmp_path, "own", days=0), LimitKeeper()
    there = []
    for number in (1, 1, 500 // LOOKS - 2, 1):
        filled(tmp_path, "old", days=9, images=0)
        keeper.wrote(own.folder, number)
        there.append(weights_in(tmp_path))

    assert there == [["own"], ["own", "old"], ["own", "old"], ["own"]]


def test_what_another_process_uses_stays(tmp_path: Path, held: subprocess.Popen[str]) -> None:
    """Neither the limit nor prune takes a store that another process has open; when that is killed, they do."""
    old = filled(tmp_path, "old", days=300)
    filled(tmp_path, "young", days=2)

    assert evict(old.folder.parent, 0, keep=None) != []
    assert weights_in(tmp_path) == ["old"]
    done = prune(tmp_path, older_than=DAY, limit=0)
    assert ([info.folder for info in done.kept], done.removed) == ([old.folder], ())
    held.kill()
    held.wait()
    done = prune(tmp_path, limit=0)
    assert ([info.folder for info in done.removed], done.kept) == ([old.folder], ())


def test_prune_takes_what_is_older(tmp_path: Path) -> None:
    """Only stores whose last use is longer ago than said are removed."""
    for days, weights in ((1, "a"), (29, "b"), (31, "c")):
        filled(tmp_path, weights, days=days)

    done = prune(tmp_path, older_than=30 * DAY)

    assert [info.manifest["description"]["weights"] for info in done.removed if info.manifest] == ["c"]
    assert weights_in(tmp_path) == ["a", "b"]


def test_prune_to_a_size_keeps_what_fits(tmp_path: Path) -> None:
    """The least recently used go until the rest fits, and what was freed is what is gone from the disk."""
    for days, weights in ((1, "a"), (2, "b"), (3, "c")):
        filled(tmp_path, weights, days=days)
    before = {info.folder: info.size for info in stored(tmp_path)}
    limit = sum(before.values()) - 1

    done = prune(tmp_path, limit=limit)

    assert weights_in(tmp_path) == ["a", "b"]
    left = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert sum(info.size for info in done.removed) == sum(before.values()) - left


def test_prune_of_all_takes_what_lies_beside_the_codes(tmp_path: Path) -> None:
    """Converted networks and choices of training go with everything, and stay with less."""
    filled(tmp_path, "a", days=3)
    for kind in ("prefixes", "networks", "training"):
        kept_beside(kind, tmp_path).mkdir()

    prune(tmp_path, older_than=DAY)
    assert kept_beside("prefixes", tmp_path).exists()
    prune(tmp_path, limit=0)

    assert not any(kept_beside(kind, tmp_path).exists() for kind in ("prefixes", "networks", "training"))


def test_a_store_that_was_removed_can_be_opened_again(tmp_path: Path) -> None:
    """After a removal the same store begins empty."""
    filled(tmp_path, "a", days=1)
    prune(tmp_path, limit=0)
    store = open_store({"weights": "a"}, {"last": 4}, cache=tmp_path)

    assert store.keys().tolist() == []
    assert verify(tmp_path)[0].manifest_lost is False


def test_a_cache_that_was_emptied_by_hand_is_filled_again(tmp_path: Path) -> None:
    """A run goes on when somebody removes the cache below it, and the manifest comes back."""
    store = open_store({"weights": "a"}, {"last": 4}, cache=tmp_path)
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    store.write({"x": {"last": np.ones(4, np.float32)}})

    assert list(store.read(["x"])) == ["x"]
    assert repair(tmp_path).rebuilt == (store.folder,)


def test_leftovers_go_unless_somebody_may_be_writing_them(tmp_path: Path, held: subprocess.Popen[str]) -> None:
    """Temporary files of a store in use stay; those of a killed process and half-removed stores are removed."""
    used, unused = filled(tmp_path, "old", days=1), filled(tmp_path, "a", days=1)
    mine, theirs = (store.folder / ".unfreeze-tmp-123456789abc" for store in (unused, used))
    half = used.folder.parent / ".unfreeze-tmp-abcdef123456"
    half.mkdir()
    for path in (mine, theirs, half / "x.parquet"):
        path.write_bytes(b"half a shard")

    found = {check.folder: check.leftovers for check in verify(tmp_path)}
    done = repair(tmp_path)

    assert found == {unused.folder: (mine.name,), used.folder: ()}
    assert set(done.leftovers) == {mine, half}
    assert [path.exists() for path in (mine, theirs, half)] == [False, True, False]


def test_what_is_no_store_any_more_is_removed(tmp_path: Path) -> None:
    """A store without shards and manifest is removed by repair; one that is only empty stays."""
    gone, empty = filled(tmp_path, "a", days=1), filled(tmp_path, "b", days=1, images=0)
    for path in gone.folder.iterdir():
        path.unlink()

    assert repair(tmp_path).emptied == (gone.folder,)
    assert [info.folder for info in stored(tmp_path)] == [empty.folder]


def test_verify_changes_nothing(tmp_path: Path) -> None:
    """Names, bytes and times of all files are the same before and after, also where something is damaged."""
    store = filled(tmp_path, "a", days=1)
    (store.folder / "manifest.json").unlink()
    shard = next(store.folder.glob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-1])

    def state() -> dict[Path, tuple[float, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*")}

    before = state()
    (check,) = verify(tmp_path)

    assert (len(check.damaged), check.manifest_lost) == (1, True)
    assert state() == before


def test_the_limit_is_the_smaller_of_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable it is 20 GB or a tenth of the disk; with it, what it says."""
    monkeypatch.delenv("UNFREEZE_CACHE_LIMIT", raising=False)
    disk = os.statvfs(tmp_path)

    assert size_limit(tmp_path) == min(DEFAULT_LIMIT, disk.f_frsize * disk.f_blocks // 10)
    monkeypatch.setenv("UNFREEZE_CACHE_LIMIT", "3 GB")
    assert size_limit(tmp_path) == 3_000_000_000


USER = """
import sys, time, numpy as np
from pathlib import Path
from unfreeze.store.codes import open_store
for number in range(60):
    store = open_store({"weights": "a"}, {"last": 4}, cache=Path(sys.argv[1]))
    key = f"{sys.argv[2]}-{number}"
    store.write({key: {"last": np.full(4, number, np.float32)}})
    assert list(store.read([key])) == [key], key
    store.close()
    time.sleep(0.01 * (number % 3))
"""


@pytest.mark.slow
def test_nothing_vanishes_between_opening_and_closing(tmp_path: Path) -> None:
    """While two processes open, write, read and close one store, a third removes it whenever it can, and none fails."""
    users = [subprocess.Popen([sys.executable, "-c", USER, str(tmp_path), name]) for name in "ab"]
    removed = 0
    while any(user.poll() is None for user in users):
        removed += len(prune(tmp_path, limit=0).removed)
        repair(tmp_path)

    assert [user.returncode for user in users] == [0, 0]
    assert removed > 0
