"""Memory and time of a linear classifier on codes that are larger than memory should be.

    python benchmarks/large_probe.py --rows 1000000 --width 2048

Codes are made up: class centres and unit noise in single precision, written as `unfreeze codes` writes arrays, with
their names; a fifth of the rows tests. Then `unfreeze probe codes.npy --loss softmax` runs in a process of its own,
whose memory is looked at as in `memory.py`: `peak_mib` is the largest as the system counts it, files of libraries
included. `best` is the accuracy of whoever knows the centres. Rows that are there already (same version of the code)
are not measured again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from memory import MIB, watched
from panel import code_version, is_there, keep

MEASURE = "large probe"
BLOCK = 8192
DISTANCE = 0.05  # of a centre from 0 along each code, in standard deviations of the noise


def write_codes(place: Path, *, rows: int, width: int, classes: int) -> float:
    """Write the arrays and names of made-up codes.

    Returns:
        Share of the rows whose nearest centre is their own.
    """
    rng = np.random.default_rng(0)
    centres = DISTANCE * rng.standard_normal((classes, width), np.float32)
    right = 0
    with place.open("wb") as file, place.with_suffix(".csv").open("w") as names:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
        np.lib.format.write_array_header_1_0(file, header)
        names.write("path,label,split\n")
        for first in range(0, rows, BLOCK):
            labels = rng.integers(0, classes, min(BLOCK, rows - first))
            codes = rng.standard_normal((len(labels), width), np.float32) + centres[labels]
            nearest = (codes @ centres.T - 0.5 * np.square(centres).sum(axis=1)).argmax(axis=1)
            right += int((nearest == labels).sum())
            file.write(codes.tobytes())
            parts = ["test" if (first + row) % 5 == 0 else "train" for row in range(len(labels))]
            lines = zip(range(first, first + len(labels)), labels, parts, strict=True)
            names.writelines(f"{number}.jpg,class {label},{part}\n" for number, label, part in lines)
    return right / rows


def measure(place: Path) -> dict[str, Any]:
    """One `unfreeze probe`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "unfreeze", "probe", str(place), "--loss", "softmax", "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(place.parent)},
    )
    said, used, peaks = watched(process)
    (point,) = said["depth_curve"]
    return {
        "accuracy": point["accuracy"],
        "C": point["C"],
        "peak_mib": round(used.ru_maxrss * 1024 / MIB, 1),
        "anonymous_mib": round(peaks["anonymous"] / MIB, 1),
        "seconds": said["phases"]["whole"],
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
    }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--work", type=Path, help="a folder for the codes, instead of one for temporary files")
    asked = parser.parse_args()
    sizes = {"rows": asked.rows, "width": asked.width, "classes": asked.classes}
    key = {"measure": MEASURE, **sizes, "code": code_version(), "cores": len(os.sched_getaffinity(0))}
    if is_there(key):
        return
    with tempfile.TemporaryDirectory(dir=asked.work) as folder:
        place = Path(folder) / "codes.npy"
        best = write_codes(place, **sizes)
        keep({**key, "gib": round(place.stat().st_size / 2**30, 2), "best": round(best, 4), **measure(place)})


if __name__ == "__main__":
    main()
