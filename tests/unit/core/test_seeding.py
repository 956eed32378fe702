"""Streams of random numbers."""

import hashlib
import subprocess
import sys

import pytest

from unfreeze.core.seeding import derive_seed, generator


def test_a_seed_is_fixed_for_good() -> None:
    """Results of earlier versions can be repeated only as long as a name stands for the same number."""
    digest = hashlib.sha256(b"7/full/fold/2").digest()

    assert derive_seed(7, "full", "fold", 2) == int.from_bytes(digest[:8], "little") // 2


@pytest.mark.parametrize("other", [(1, "split", 0), (0, "split", 1), (0, "fold", 0), (0, "split")])
def test_other_names_and_seeds_give_other_streams(other: tuple[int, ...]) -> None:
    """The run's seed and every part of the name count."""
    assert derive_seed(*other) != derive_seed(0, "split", 0)


def test_every_seed_is_one_that_libraries_take() -> None:
    """Numpy and torch take whole numbers from 0 to below 2 to the 63."""
    seeds = [derive_seed(run, "augment", number) for run in (0, -1, 2**70) for number in range(300)]

    assert min(seeds) >= 0
    assert max(seeds) < 2**63
    assert len(set(seeds)) == len(seeds)


def test_streams_do_not_depend_on_the_process() -> None:
    """Another interpreter, whose hashes of text are salted otherwise, draws the same numbers."""
    code = "from unfreeze.core.seeding import generator; print(*generator(3, 'split', 4).integers(2**40, size=5))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert [int(number) for number in seen.split()] == generator(3, "split", 4).integers(2**40, size=5).tolist()
