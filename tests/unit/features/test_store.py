"""The store of codes: found again by content, damage noticed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from unfreeze.features.store import CodeStore, open_store

WIDTHS = {"low": 3, "last": 5}


def rows(rng: np.random.Generator, *names: str) -> dict[str, dict[str, np.ndarray]]:
    """Random codes."""
    return {n: {tap: rng.normal(size=w).astype(np.float32) for tap, w in WIDTHS.items()} for n in names}


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    """An empty store."""
    return open_store({"weights": "a"}, WIDTHS, cache=tmp_path)


def test_codes_survive_the_store_bit_for_bit(store: CodeStore, rng: np.random.Generator) -> None:
    """What is read is what was written, and only what was asked for."""
    written = rows(rng, "x", "y", "z")
    store.write(written)
    found = store.read(["x", "z", "unknown"])

    assert set(found) == {"x", "z"}
    for name, codes in found.items():
        for tap in WIDTHS:
            np.testing.assert_array_equal(codes[tap], written[name][tap])


def test_other_weights_have_another_store(tmp_path: Path, rng: np.random.Generator) -> None:
    """Nothing stale is found when anything that decides the numbers changes."""
    open_store({"weights": "a"}, WIDTHS, cache=tmp_path).write(rows(rng, "x"))

    assert open_store({"weights": "b"}, WIDTHS, cache=tmp_path).read(["x"]) == {}


def test_one_flipped_bit_costs_its_shard_and_nothing_else(store: CodeStore, rng: np.random.Generator) -> None:
    """A damaged shard is passed over, so its images are computed again; no wrong number comes out."""
    store.write(rows(rng, "x"))
    store.write(good := rows(rng, "y"))
    first = next(p for p in store.folder.glob("*.parquet") if pd.read_parquet(p)["sha256"][0] == "x")
    for position in range(64, first.stat().st_size, 97):
        data = bytearray(first.read_bytes())
        data[position] ^= 4
        first.write_bytes(data)
        found = store.read(["x", "y"])
        data[position] ^= 4
        first.write_bytes(data)
        np.testing.assert_array_equal(found["y"]["last"], good["y"]["last"])
        if "x" in found:  # the flip hit a byte that carries nothing
            np.testing.assert_array_equal(found["x"]["last"], store.read(["x"])["x"]["last"])


def test_other_programs_can_open_a_shard(store: CodeStore, rng: np.random.Generator) -> None:
    """Columns have the names of the taps in pandas too."""
    written = rows(rng, "x")
    store.write(written)
    (shard,) = store.folder.glob("*.parquet")

    np.testing.assert_array_equal(pd.read_parquet(shard)["last"][0], written["x"]["last"])
