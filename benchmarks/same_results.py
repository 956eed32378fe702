"""Whether two commits measure the same: their documents of `run` or `tune`, with the same settings, side by side.

    python benchmarks/same_results.py BEFORE.json AFTER.json

Images, splits, and the predictions and likelihoods of every strategy are compared on the splits that both have: how
many there are is the clock's business. Where both have as many, so are scores, confirmations, steps and the pick. Times
and wording may differ. It ends with 1 where something else does.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from unfreeze.core.strategies import parse_strategy

IMAGES = ("images", "classes", "train_images", "train_labels", "test_images", "test_labels")
BY_SPLIT = ("predictions", "log_likelihoods")
SCORES = ("accuracy", "interval", "balanced_accuracy", "confirmation", "curve", "tap")
STEP = ("difference", "interval", "splits", "worse", "equivalent", "better", "answer")

Document = dict[str, Any]


def key(name: Any) -> Any:
    """Of a strategy that a document refers to: its key, or, before schema 3, its label."""
    return parse_strategy(name).key if name else name


def outcomes(document: Document) -> dict[str, Document]:
    """What each strategy gave."""
    return {key(one.get("strategy") or one["name"]): one for one in document["strategies"]}


def steps_of(document: Document) -> dict[tuple[str, str], list[Any]]:
    """The numbers of every step, by its two strategies."""
    steps = document.get("comparisons", ())
    return {(key(step["first"]), key(step["second"])): [step[field] for field in STEP] for step in steps}


def on_common_splits(before: Document, after: Document) -> list[tuple[str, Any, Any]]:
    """Names, and what both documents say."""
    found = [(name, before.get(name), after.get(name)) for name in IMAGES]
    common = min(len(document.get("splits", ())) for document in (before, after))
    found.append((f"{common} splits", *(document.get("splits", ())[:common] for document in (before, after))))
    first, second = outcomes(before), outcomes(after)
    found.append(("strategies", sorted(first), sorted(second)))
    for name in first.keys() & second.keys():
        both = min(first[name]["splits"], second[name]["splits"])
        found += [(f"{name}: {field}", first[name][field][:both], second[name][field][:both]) for field in BY_SPLIT]
    return found


def on_all_splits(before: Document, after: Document) -> list[tuple[str, Any, Any]]:
    """The same for what depends on how many splits there are; nothing where they differ."""
    first, second = outcomes(before), outcomes(after)
    if {name: one["splits"] for name, one in first.items()} != {name: one["splits"] for name, one in second.items()}:
        return []
    found = [(f"{name}: {field}", first[name][field], second[name][field]) for name in first for field in SCORES]
    found.append(("steps", steps_of(before), steps_of(after)))
    found.append(("picked", *(key(document.get("picked")) for document in (before, after))))
    winners = [document.get("winner") or {} for document in (before, after)]
    found.append(("winner", *((key(w.get("strategy") or w.get("name")), w.get("corrected")) for w in winners)))
    found.append(("depth curve", before.get("depth_curve"), after.get("depth_curve")))
    return found


def main() -> int:
    """Compare two documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    asked = parser.parse_args()
    before, after = (json.loads(path.read_text()) for path in (asked.before, asked.after))
    common, whole = on_common_splits(before, after), on_all_splits(before, after)
    differ = [(name, first, second) for name, first, second in [*common, *whole] if first != second]
    for name, first, second in differ:
        print(f"differs: {name}: {str(first)[:200]} | {str(second)[:200]}")
    rest = "scores, steps and pick included" if whole else "the clock gave them other numbers of splits"
    print(f"{asked.before.name}: {len(common) + len(whole) - len(differ)} of {len(common) + len(whole)} equal; {rest}")
    return int(bool(differ))


if __name__ == "__main__":
    raise SystemExit(main())
