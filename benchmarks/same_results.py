"""Whether two commits measure the same: their documents of `run` or `tune`, with the same settings, side by side.

``python benchmarks/same_results.py BEFORE.json AFTER.json`` compares splits, images, the predictions and likelihoods of
every strategy, confirmations, steps and the pick; times and wording may differ. It ends with 1 where something does.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from unfreeze.core.strategies import parse_strategy

FIELDS = ("splits", "accuracy", "interval", "predictions", "log_likelihoods", "confirmation", "curve", "tap")


def strategy_of(outcome: dict[str, Any]) -> str:
    """Its key; documents before schema 3 name it by its label."""
    return parse_strategy(outcome.get("strategy") or outcome["name"]).key


def key(name: Any) -> Any:
    """Of a strategy that a document refers to."""
    return parse_strategy(name).key if name else name


def measured(document: dict[str, Any]) -> dict[str, Any]:
    """What must be equal, by name."""
    found: dict[str, Any] = {
        name: document.get(name)
        for name in ("images", "classes", "train_images", "train_labels", "test_images", "test_labels", "splits")
    }
    for outcome in document["strategies"]:
        for field in FIELDS:
            found[f"{strategy_of(outcome)}: {field}"] = outcome[field]
    for step in document.get("comparisons", ()):
        numbers = [step[field] for field in ("difference", "interval", "splits", "worse", "better", "answer")]
        found[f"{key(step['first'])} to {key(step['second'])}"] = numbers
    found["picked"] = key(document.get("picked"))
    found["depth curve"] = document.get("depth_curve")
    winner = document.get("winner") or {}
    found["winner"] = [key(winner.get("strategy") or winner.get("name")), winner.get("corrected")]
    return found


def main() -> int:
    """Compare two documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    arguments = parser.parse_args()
    before, after = (measured(json.loads(path.read_text())) for path in (arguments.before, arguments.after))
    differ = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name in differ:
        print(f"differs: {name}: {str(before.get(name))[:200]} | {str(after.get(name))[:200]}")
    print(f"{arguments.before.name}: {len(before) - len(differ)} of {len(before)} the same")
    return int(bool(differ))


if __name__ == "__main__":
    raise SystemExit(main())
