"""Disks that take no more, and places that two commands want."""

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from unfreeze.cli.places import fresh_folder, new_file
from unfreeze.core.errors import OutputError

# A graph with 2 MB of weights, where no file may have more bytes than what is given: writing fails as on a full disk.
GRAPH = """
import resource, signal, sys
from pathlib import Path
import numpy as np, openvino
import openvino.opset13 as o
from unfreeze.core.errors import DiskFullError
from unfreeze.features.openvino_graphs import is_whole, read_graph, save_graph

given = o.parameter([1, 500], np.float32)
product = o.matmul(given, o.constant(np.ones((500, 1000), np.float32)), False, False)
model, folder = openvino.Model([product], [given], "M"), Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    save_graph(model, folder, {"of": "a test"})
    save_graph(model, folder, {"of": "a test"})  # as a second process that was slower
    read_graph(folder)
    print("whole", is_whole(folder))
except DiskFullError as error:
    print("full", error.exit_code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no sizes of files")
@pytest.mark.parametrize(("limit", "says"), [(100_000_000, "whole True"), (40_000, "full 4")])
def test_a_full_disk_under_a_graph_is_a_full_disk(tmp_path: Path, limit: int, says: str) -> None:
    """OpenVINO writes by itself: where it finds no room, the exit code is that of a full disk, and nothing is left."""
    pytest.importorskip("openvino")
    command = [sys.executable, "-c", GRAPH, str(tmp_path / "cache" / "graph"), str(limit)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == says, done.stderr
    left = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert left == (["graph"] if "whole" in says else [])


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_of_two_with_one_place_one_is_told(tmp_path: Path, kind: str) -> None:
    """The second is told at its start, the first goes on undisturbed, and afterwards the place is free again."""
    out = tmp_path / ("codes.parquet" if kind == "file" else "out")
    photos = tmp_path / "photos"

    def place() -> AbstractContextManager[object]:
        return new_file(out) if kind == "file" else fresh_folder(photos, out)

    with place(), pytest.raises(OutputError, match="Another process writes to"), place():
        pytest.fail("must not get here")
    with place():
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ([] if kind == "file" else ["out"])
