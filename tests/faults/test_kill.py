"""A process that computes codes is killed: at most one shard is lost, and the result is the same to the last bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from unfreeze.store.upkeep import repair, stored, verify

IMAGES = 1100  # more than one portion
OPTIONS = ("--size", "32", "--engine", "torch", "--json")


@pytest.fixture
def photos(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Two classes of small images of noise."""
    for number in range(IMAGES):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"{number:04}.png")
    return tmp_path / "photos"


def start(photos: Path, out: Path, cache: Path) -> subprocess.Popen[str]:
    """Start `unfreeze codes` on the images."""
    environment = {**os.environ, "UNFREEZE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "unfreeze", "codes", str(photos), "--out", str(out), *OPTIONS]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the document of a process."""
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    document: dict[str, Any] = json.loads(output)
    return document


def killed_after_first_shard(process: subprocess.Popen[str], cache: Path) -> None:
    """Wait until a shard is in the cache, and kill the process."""
    while not list(cache.glob("codes/*/*.parquet")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_killed_process_loses_one_shard_and_no_bit(photos: Path, tmp_path: Path) -> None:
    """After a SIGKILL the whole first shard is reused, and the codes are those of a run that nobody disturbed."""
    killed_after_first_shard(start(photos, tmp_path / "killed.parquet", tmp_path / "first"), tmp_path / "first")
    assert not (tmp_path / "killed.parquet").exists()
    kept = sum(info.images for info in stored(tmp_path / "first"))
    assert [check.damaged for check in verify(tmp_path / "first")] == [{}]

    resumed = finished(start(photos, tmp_path / "resumed.parquet", tmp_path / "first"))
    undisturbed = finished(start(photos, tmp_path / "undisturbed.parquet", tmp_path / "second"))

    assert resumed["reused"] == kept >= 256
    assert (resumed["computed"], undisturbed["computed"]) == (IMAGES - kept, IMAGES)
    first, second = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("resumed", "undisturbed"))
    assert first.column_names == second.column_names
    for name in first.column_names:
        assert bits(first[name]) == bits(second[name]), name
    repair(tmp_path / "first")
    assert list((tmp_path / "first").rglob(".unfreeze-tmp-*")) == []


def bits(column: pa.ChunkedArray) -> Any:
    """A column's bytes if it holds codes, so that -0.0 is not 0.0; its values otherwise."""
    if pa.types.is_fixed_size_list(column.type):
        return column.combine_chunks().flatten().to_numpy().tobytes()
    return column.to_pylist()
