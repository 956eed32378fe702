"""``unfreeze cache``, as a process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unfreeze.store.codes import CodeStore, open_store

pytestmark = pytest.mark.slow

DESCRIPTION = {"network": "resnet\x1b18", "taps": ["low", "last"], "engine": "torch", "precision": "f32"}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ``unfreeze cache`` on a cache of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "UNFREEZE_CACHE": str(tmp_path), "UNFREEZE_CACHE_LIMIT": "7GB"}
        command = [sys.executable, "-m", "unfreeze", "cache", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    return run


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    """A store of three images in two shards, opened 40 days ago, that nobody uses."""
    made = open_store(DESCRIPTION, {"low": 2, "last": 4}, notes={"images_per_second": 70}, cache=tmp_path)
    for names in ("xy", "z"):
        made.write({n: {"low": np.ones(2, np.float32), "last": np.ones(4, np.float32)} for n in names})
    made.close()
    moment = time.time() - 40 * 86400
    os.utime(made.folder / "last-used", (moment, moment))
    return made


def document(done: subprocess.CompletedProcess[str], *, code: int = 0) -> Any:
    """The one JSON document on standard output."""
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_list_says_what_is_there(run: Run, store: CodeStore) -> None:
    """One row a store; a hostile name of a network does not reach the terminal; --json has the notes too."""
    text, found = run("list").stdout, document(run("list", "--json"))

    heading, row = text.splitlines()[2], text.splitlines()[4]
    assert heading.split() == ["network", "taps", "engine", "precision", "images", "size", "last", "used"]
    assert row.startswith("resnet\\u001b18   2: low to last   torch    f32")
    assert "limit 7.0 GB" in text
    (entry,) = found["stores"]
    assert (entry["images"], entry["shards"], entry["in_use"]) == (3, 2, False)
    assert (entry["description"], entry["notes"]) == (DESCRIPTION, {"images_per_second": 70})
    assert (found["limit"], found["size"]) == (7 * 10**9, entry["size"])


def test_an_empty_cache_is_no_error(run: Run) -> None:
    """All four commands say that there is nothing, and make nothing."""
    assert document(run("list", "--json"))["stores"] == []
    assert document(run("verify", "--json"))["shards"] == 0
    assert document(run("repair", "--json"))["removed"] == []
    assert document(run("prune", "--all", "--json"))["freed"] == 0


def test_damage_is_found_and_mended(run: Run, store: CodeStore) -> None:
    """`verify` names the damaged shard and ends with exit code 2; after `repair` it is content."""
    assert run("verify").stdout == "2 shards in 1 store checked, 0 damaged\n"
    shard = next(store.folder.glob("*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    (store.folder / "manifest.json").unlink()

    text, found = run("verify"), document(run("verify", "--json"), code=2)
    done = document(run("repair", "--json"))

    assert text.returncode == 2
    assert f"{shard}: its content has changed since it was written" in text.stdout
    assert text.stderr.endswith(
        "unfreeze: The cache is damaged (1 shard, 1 manifest). "
        "unfreeze cache repair mends it; lost codes are computed again.\n"
    )
    assert [item["shard"] for item in found["damaged"]] == [item["shard"] for item in done["removed"]] == [str(shard)]
    assert found["manifests_lost"] == done["rebuilt"] == [str(store.folder)]
    assert document(run("verify", "--json"))["shards"] == 1
    assert run("repair").stdout == "Nothing was damaged.\n"


def test_prune_says_what_is_gone(run: Run, store: CodeStore) -> None:
    """Nothing goes that is young enough or fits, and what goes is named."""
    for arguments in (("--older-than", "41d"), ("--to", "1MB")):
        assert run("prune", *arguments).stdout == "0 stores removed, 0 bytes freed\n"
    size = document(run("list", "--json"))["size"]

    done = document(run("prune", "--older-than", "39d", "--json"))

    assert [entry["folder"] for entry in done["removed"]] == [str(store.folder)]
    assert done["freed"] == size
    assert not store.folder.exists()


def test_prune_leaves_what_is_in_use(run: Run, store: CodeStore, tmp_path: Path) -> None:
    """A store that a process has open survives even --all, and is named."""
    again = open_store(DESCRIPTION, {"low": 2, "last": 4}, cache=tmp_path)

    done = run("prune", "--all")

    assert done.stdout == "0 stores removed, 0 bytes freed\n1 store kept, being in use\n"
    assert len(again.read("xyz")) == 3
