"""Weights made to harm: nothing in them runs, nothing outside is read, and each gets one sentence."""

import random
from pathlib import Path

import pytest

from faultlab.hostile import files, mutated_header, tried

pytestmark = pytest.mark.lab


def test_nothing_in_weights_runs(tmp_path: Path) -> None:
    """Pickles, archives, headers that lie, pipes and links: read as numbers, or refused; no program, no marker."""
    marker = tmp_path / "marker"

    tries = [tried(name, path, marker) for name, path in files(tmp_path, marker).items()]

    assert len(tries) >= 40
    assert [one for one in tries if one.wrong] == []


def test_damaged_headers_are_no_traceback(tmp_path: Path, seed: int) -> None:
    """Whatever is damaged in the header of a safetensors file, it is read or refused in a sentence."""
    rng, path, wrong = random.Random(seed), tmp_path / "w.safetensors", []
    for _ in range(500):
        path.write_bytes(mutated_header(rng))
        one = tried("header", path, tmp_path / "marker")
        wrong += [one] if one.wrong else []

    assert wrong == []
