"""The store of codes: found again by content, damage noticed."""

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from unfreeze.core.errors import InputError
from unfreeze.store.codes import CodeStore, Row, open_store
from unfreeze.store.key_index import key_index
from unfreeze.store.upkeep import repair, stored, verify

WIDTHS = {"low": 3, "last": 5}
DESCRIPTION = {"weights": "a", "taps": ("low", "last")}


def rows(rng: np.random.Generator, *names: str) -> dict[str, Row]:
    """Random codes."""
    return {n: {tap: rng.normal(size=w).astype(np.float32) for tap, w in WIDTHS.items()} for n in names}


def is_same(found: dict[str, Row], written: dict[str, Row], names: Sequence[str]) -> bool:
    """Whether exactly these images were found, with the bits that were written."""
    return set(found) == set(names) and all(
        found[n][tap].tobytes() == written[n][tap].tobytes() for n in names for tap in WIDTHS
    )


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    """An empty store."""
    return open_store(DESCRIPTION, WIDTHS, cache=tmp_path)


def the_shard(store: CodeStore) -> Path:
    """The one shard of a store."""
    (shard,) = store.folder.glob("*.parquet")
    return shard


def test_codes_survive_the_store_bit_for_bit(store: CodeStore, rng: np.random.Generator) -> None:
    """What is read is what was written, and only what was asked for; not-a-number and minus zero too."""
    written = rows(rng, "x", "y", "z")
    written["x"]["low"][:] = np.nan, -0.0, np.inf
    store.write(written)

    assert is_same(store.read(["x", "z", "unknown"]), written, ["x", "z"])


def test_half_precision_is_what_the_description_asks_for(tmp_path: Path) -> None:
    """Codes come back with 11 bits; what is too large becomes the largest number, and damage stays what it is."""
    store = open_store({"values": "float16"}, {"last": 6}, cache=tmp_path)
    store.write({"x": {"last": np.array([1e6, -1e6, np.inf, np.nan, 1 + 2**-12, 0.1], np.float32)}})

    with key_index(store) as index:
        by_column, found, _ = index.read(["x"])

    assert by_column["last"].dtype == np.float16
    assert found.all()
    np.testing.assert_array_equal(by_column["last"][0], np.array([65504, -65504, np.inf, np.nan, 1, 0.1], np.float16))
    assert [check.damaged for check in verify(tmp_path)] == [{}]
    assert store.values == "float16"


def test_shards_need_no_pandas(tmp_path: Path) -> None:
    """Writing and reading codes does not import pandas, which takes as long as the codes of a hundred images."""
    script = """
import pathlib, sys, numpy as np
from unfreeze.store.codes import open_store
store = open_store({}, {"last": 5}, cache=pathlib.Path(sys.argv[1]))
store.write({"x": {"last": np.arange(5, dtype=np.float32)}})
print(store.read(["x"])["x"]["last"].tolist(), "pandas" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)

    assert result.stdout == "[0.0, 1.0, 2.0, 3.0, 4.0] False\n"


def test_other_weights_have_another_store(tmp_path: Path, rng: np.random.Generator) -> None:
    """Nothing stale is found when anything that decides the numbers changes."""
    open_store({"weights": "a"}, WIDTHS, cache=tmp_path).write(rows(rng, "x"))

    assert open_store({"weights": "b"}, WIDTHS, cache=tmp_path).read(["x"]) == {}


def test_keys_are_sorted_and_come_once(store: CodeStore, rng: np.random.Generator) -> None:
    """`keys` names every stored image once, as bytes of fixed width; an empty store has none."""
    assert store.keys().tolist() == []
    store.write(rows(rng, "y", "x"))
    store.write(rows(rng, "x", "a"))

    assert (store.keys().tolist(), store.keys().dtype) == ([b"a", b"x", b"y"], np.dtype("S64"))


@pytest.mark.parametrize("wanted", [1, 400])
def test_reading_takes_the_memory_of_the_result(wanted: int, tmp_path: Path, rng: np.random.Generator) -> None:
    """However many shards there are, no more than the wanted rows and a few times one shard are in memory."""
    width, shard_rows, shards = 500, 20, 40
    store = open_store(DESCRIPTION, {"last": width}, cache=tmp_path)
    for shard in range(shards):
        codes = rng.normal(size=(shard_rows, width)).astype(np.float32)
        store.write({f"{shard}-{row}": {"last": codes[row]} for row in range(shard_rows)})
    names = [f"{n % shards}-{n // shards}" for n in range(wanted)]
    store.read(names[:1])
    tracemalloc.start()
    found = store.read(names)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    row = 4 * width
    assert len(found) == wanted
    assert kept < 1.5 * wanted * row + 20_000  # the numbers, and Python's objects around them
    assert peak < kept + 3 * shard_rows * row + 50_000


@pytest.mark.parametrize("lost", ["removed", "cut", "changed"])
def test_a_lost_manifest_is_rebuilt_from_a_shard(lost: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Opening the store writes manifest.json anew, with the notes of whoever made the store."""
    first = open_store(DESCRIPTION, WIDTHS, notes={"seconds": 1.5}, cache=tmp_path)
    first.write(rows(rng, "x"))
    manifest = first.folder / "manifest.json"
    original = manifest.read_bytes()
    if lost == "removed":
        manifest.unlink()
    else:
        manifest.write_bytes(original[:40] if lost == "cut" else original.replace(b"1.5", b"1.7"))

    second = open_store(DESCRIPTION, WIDTHS, notes={"seconds": 9}, cache=tmp_path)

    assert second.manifest == first.manifest
    assert manifest.read_bytes() == original


def test_notes_do_not_decide_which_store_it_is(tmp_path: Path) -> None:
    """The store that is there is found whatever the notes, and keeps its own."""
    first = open_store(DESCRIPTION, WIDTHS, notes={"images_per_second": 70}, cache=tmp_path)
    second = open_store(DESCRIPTION, WIDTHS, notes={"images_per_second": 80}, cache=tmp_path)

    assert second.folder == first.folder
    assert second.manifest["notes"] == {"images_per_second": 70}
    assert second.manifest["description"] == {"weights": "a", "taps": ["low", "last"]}


def test_every_flipped_bit_is_seen(store: CodeStore, rng: np.random.Generator) -> None:
    """One bit anywhere in a shard costs that shard and nothing else: no wrong number comes out, and verify names it."""
    store.write(damaged := rows(rng, "x", "y"))
    shard = the_shard(store)
    store.write(good := rows(rng, "z"))
    data = shard.read_bytes()
    for place in sorted({0, len(data) - 1, *rng.integers(0, len(data), 150).tolist()}):
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        shard.write_bytes(changed)

        assert is_same(store.read(["x", "y", "z"]), good, ["z"]), place
        with key_index(store) as index:
            assert index.read(["x", "z"])[1].tolist() == [False, True], place
            assert index.missing(["x", "z"]) == ["x"], place
        assert list(verify(store.folder.parents[1])[0].damaged) == [shard.name], place
    shard.write_bytes(data)
    assert is_same(store.read(["x", "y"]), damaged, ["x", "y"])


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "swap"])
def test_repair_removes_exactly_what_is_damaged(damage: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """After a repair verify finds nothing, the other shards are as they were, and the lost images can be written."""
    store, other = (open_store({"weights": w}, WIDTHS, cache=tmp_path) for w in "ab")
    store.write(lost := rows(rng, "x"))
    shard = the_shard(store)
    store.write(good := rows(rng, "y"))
    other.write(rows(rng, "x"))
    data = bytearray(shard.read_bytes())
    data[int(rng.integers(len(data)))] ^= 16
    foreign = the_shard(other)
    content = {"flip": bytes(data), "cut": shard.read_bytes()[:-9], "empty": b"", "swap": foreign.read_bytes()}[damage]
    if damage == "swap":  # a whole shard of another store, under its own name
        shard.unlink()
        shard = store.folder / foreign.name
    shard.write_bytes(content)

    assert store.read(["x"]) == {}
    done = repair(tmp_path)

    assert list(done.removed) == [shard]
    assert [check.damaged for check in verify(tmp_path)] == [{}, {}]
    store.write(lost)
    assert is_same(store.read(["x", "y"]), {**lost, **good}, ["x", "y"])


def test_other_programs_can_open_a_shard(store: CodeStore, rng: np.random.Generator) -> None:
    """Columns have the names of the taps in pandas, checksums are there, and the metadata say what the codes are."""
    written = rows(rng, "x", "y")
    store.write(written)
    table = pd.read_parquet(the_shard(store))
    by_pyarrow = pq.read_table(the_shard(store), page_checksum_verification=True)

    assert list(table.columns) == ["sha256", *WIDTHS] == by_pyarrow.column_names
    assert table["sha256"].tolist() == ["x", "y"]
    np.testing.assert_array_equal(np.stack(table["last"].tolist()), np.stack([written[n]["last"] for n in "xy"]))
    assert json.loads(by_pyarrow.schema.metadata[b"unfreeze.manifest"]) == store.manifest


def test_the_list_counts_what_pandas_counts(store: CodeStore, rng: np.random.Generator) -> None:
    """Images, shards and bytes of the list are those of the files, also when the manifest is lost."""
    store.write(rows(rng, "x", "y"))
    store.write(rows(rng, "z"))
    (store.folder / "manifest.json").unlink()
    files = list(store.folder.iterdir())

    (info,) = stored(store.folder.parents[1])

    assert info.images == sum(len(pd.read_parquet(path)) for path in files if path.suffix == ".parquet") == 3
    assert (info.shards, info.size) == (2, sum(path.stat().st_size for path in files))
    assert info.manifest == store.manifest


def test_the_list_passes_over_damage(store: CodeStore, rng: np.random.Generator) -> None:
    """A shard that is no file of Parquet, and a folder that is no store, are listed with what can be told of them."""
    store.write(rows(rng, "x"))
    the_shard(store).write_bytes(b"PAR1")
    (store.folder / "manifest.json").write_bytes(b"\xff{")
    (store.folder.parent / "strange").mkdir()

    found = {info.folder.name: info for info in stored(store.folder.parents[1])}

    assert [(info.shards, info.images, info.manifest) for info in found.values()] in (
        [(1, 0, None), (0, 0, None)],
        [(0, 0, None), (1, 0, None)],
    )


WRITER = """
import sys, numpy as np
from pathlib import Path
from unfreeze.store.codes import open_store
store = open_store({"weights": "a"}, {"last": 4}, cache=Path(sys.argv[1]))
for number in range(8):
    store.write({f"{number}-{row}": {"last": np.full(4, number, np.float32)} for row in range(50)})
"""


@pytest.mark.slow
def test_two_processes_write_one_store(tmp_path: Path) -> None:
    """Two that compute the same codes at once agree: nothing is damaged, and no image is stored twice."""
    command: list[Any] = [sys.executable, "-c", WRITER, tmp_path]
    running = [subprocess.Popen(command) for _ in range(2)]

    assert [process.wait() for process in running] == [0, 0]
    (check,), (info,) = verify(tmp_path), stored(tmp_path)
    assert (check.damaged, check.manifest_lost, info.images) == ({}, False, 400)


def test_a_limit_that_is_no_size_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the variable and what would do, before anything is computed."""
    monkeypatch.setenv("UNFREEZE_CACHE_LIMIT", "plenty")

    with pytest.raises(InputError, match=r"UNFREEZE_CACHE_LIMIT must be a size such as 20GB, .*; got 'plenty'\."):
        open_store(DESCRIPTION, WIDTHS, cache=tmp_path)
