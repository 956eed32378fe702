"""Where codes lie in a store, found without reading what is not asked for."""

from pathlib import Path

import numpy as np
import pytest

from unfreeze.store import codes as module
from unfreeze.store.codes import CodeStore, Row, open_store
from unfreeze.store.key_index import key_index
from unfreeze.store.shards import read_shard

WIDTHS = {"low": 3, "last": 5}


def rows(rng: np.random.Generator, *names: str) -> dict[str, Row]:
    """Random codes."""
    return {n: {tap: rng.normal(size=w).astype(np.float32) for tap, w in WIDTHS.items()} for n in names}


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    """An empty store."""
    return open_store({"weights": "a"}, WIDTHS, cache=tmp_path)


def test_arrays_are_filled_in_the_order_that_was_asked_for(store: CodeStore, rng: np.random.Generator) -> None:
    """There is a row per key, also for one that comes twice or is stored twice, and zeros for unknown ones."""
    written = rows(rng, "x", "y", "z")
    store.write({n: written[n] for n in ("x", "y")})
    store.write({n: written[n] for n in ("z", "y")})
    asked = ["z", "unknown", "x", "y", "z"]

    with key_index(store) as index:
        by_tap, found, new = index.read(asked)

    assert found.tolist() == [True, False, True, True, True]
    assert not new.any()
    for tap, width in WIDTHS.items():
        expected = [written[n][tap] if n in written else np.zeros(width, np.float32) for n in asked]
        np.testing.assert_array_equal(by_tap[tap], np.stack(expected))


def test_what_is_written_through_the_index_is_new(store: CodeStore, rng: np.random.Generator) -> None:
    """Codes that were there before are told from those of this process, and both are found by the next one."""
    store.write(rows(rng, "x"))
    with key_index(store) as index:
        assert index.missing(["y", "x", "y", "z"]) == ["y", "z"]
        index.write(rows(rng, "y", "z"))
        _, found, new = index.read(["x", "y", "z"])
        assert index.missing(["x", "y", "z"]) == []

    assert found.all()
    assert new.tolist() == [False, True, True]
    with key_index(store) as later:
        assert later.read(["x", "y"])[2].tolist() == [False, False]


def test_what_others_write_meanwhile_is_taken_up_as_new(store: CodeStore, rng: np.random.Generator) -> None:
    """Shards of processes that work for this one are found, and count as computed."""
    store.write(rows(rng, "x"))
    with key_index(store) as index:
        store.write(rows(rng, "y"))
        index.take_up()
        index.take_up()
        _, found, new = index.read(["x", "y"])

    assert found.tolist() == [True, True]
    assert new.tolist() == [False, True]


def test_shards_without_a_wanted_image_are_not_read(
    store: CodeStore, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three shards only the one with the wanted image is read, and only once."""
    shards = [store.write(rows(rng, name)) for name in "xyz"]
    opened: list[Path] = []

    def counted(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
        opened.append(path)
        return read_shard(path)

    monkeypatch.setattr(module, "read_shard", counted)
    with key_index(store) as index:
        index.read(["y", "unknown", "y"])

    assert opened == [shards[1]]


def test_an_image_of_a_damaged_shard_is_missing_and_can_be_written_again(
    store: CodeStore, rng: np.random.Generator
) -> None:
    """The damaged shard leaves the index, so that what is computed anew takes its place."""
    shard = store.write(rows(rng, "x"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    again = rows(rng, "x")

    with key_index(store) as index:
        assert index.missing(["x"]) == ["x"]
        index.write(again)
        by_tap, found, _ = index.read(["x"])

    assert found.all()
    np.testing.assert_array_equal(by_tap["last"][0], again["x"]["last"])


def test_what_a_damaged_shard_has_is_found_in_another(store: CodeStore, rng: np.random.Generator) -> None:
    """Or it would be computed in every run, since the damaged one comes first."""
    written = rows(rng, "x", "y")
    shards = [store.write(written), store.write({"x": written["x"]})]
    first = min(shards)
    first.write_bytes(first.read_bytes()[:-1] + b"?")

    with key_index(store) as index:
        missing = index.missing(["x", "y"])
        by_tap, found, _ = index.read(["x", "y"])

    assert missing == (["y"] if first == shards[0] else [])
    assert found.tolist() == [True, not missing]
    np.testing.assert_array_equal(by_tap["last"][0], written["x"]["last"])
