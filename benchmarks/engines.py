"""What a precision of the frozen layers costs: accuracy of the softmax on the last codes, by precision.

    python benchmarks/engines.py --panel PANEL --precisions f32,auto,int8

PANEL holds a folder a set with a `list.csv`. The precision that ran in the end is in the row: one whose codes are not
near enough to float32's is not taken. C is chosen on the train part of each. Rows that are there already (same version
of the code) are not run again.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from panel import code_version, is_there, keep

MEASURE = "precision"


def measure(source: Path, precision: str) -> dict[str, Any]:
    """One `unfreeze probe` at the last tap."""
    command = [sys.executable, "-m", "unfreeze", "probe", str(source), "--json", "--tap", "last", "--loss", "softmax"]
    done = subprocess.run([*command, "--precision", precision], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    chosen = [line for line in done.stderr.splitlines() if line.startswith("The frozen layers run with")]
    (point,) = said["depth_curve"]
    return {
        "accuracy": point["accuracy"],
        "test_images": said["test_images"],
        "engine": chosen[0].removeprefix("The frozen layers run with ") if chosen else "as in an earlier run",
    }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="hymenoptera,trashnet,omniglot,magtile,eurosat,cifar10")
    parser.add_argument("--precisions", default="f32,auto")
    asked = parser.parse_args()
    for name in asked.sets.split(","):
        for precision in asked.precisions.split(","):
            key = {"measure": MEASURE, "set": name, "precision": precision, "code": code_version()}
            if is_there(key):
                continue
            keep({**key, **measure(asked.panel / name / "list.csv", precision)})


if __name__ == "__main__":
    main()
