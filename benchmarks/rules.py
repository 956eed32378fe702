"""Which of the four rules of thumb applies to each set of the panel, and whether it held.

    python benchmarks/rules.py --panel PANEL

Counts the images of the train part and takes the similarity that `similarity.py` measured; appends a row a set to
`results.jsonl`. Whether the rule held is read from `rivals.jsonl`, where every plan was trained by itself and scored on
the set's own test part; `answer.py` shows it.
"""

import argparse
import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from panel import code_version, keep, rows
from regrets import DRAWS, Tested, drawn_times
from tables import Row, newest

from unfreeze.advisor.rules import carries_out, predicted
from unfreeze.core.facts import Facts, Family, Similarity
from unfreeze.core.strategies import parse_strategy
from unfreeze.metrics.imbalance import strongly_imbalanced

MEASURE = "rule of thumb"
LEARNED = {"train", "val"}
MARGIN = 0.01
KEYS = ("softmax-last", "svm-last", "head", "softmax-best", "svm-best", "linear-all", "1", "2", "4", "full")
STRATEGIES = {parse_strategy(key).label: parse_strategy(key) for key in KEYS}


@dataclass(frozen=True, kw_only=True)
class Against:
    """The strategy of a rule beside the one that contradicts it most.

    Attributes:
        best: What was measured of the rule's kind and scored best; None if nothing was.
        rival: Of the others, that whose gain over it is surest; None without `best`.
        gain: Of the rival, a fraction, with the interval from `low` to `high`: 95 % divided among the rivals.
        held: no where a rival gains more than the margin; yes where all lose; else cannot tell.
    """

    best: str | None
    rival: str | None = None
    gain: float = 0.0
    low: float = 0.0
    high: float = 0.0
    held: str = "not measured"


def against(family: Family, seeds: list[Tested]) -> Against:
    """Whether what a rule expects to be best was, on a set's test part."""
    common = [plan for plan in seeds[0].plans if plan in STRATEGIES and all(plan in one.plans for one in seeds)]
    score = {plan: np.mean([one.score(one.plans[plan], np.ones(len(one.labels))) for one in seeds]) for plan in common}
    mine = [plan for plan in common if carries_out(family, STRATEGIES[plan])]
    others = [plan for plan in common if plan not in mine]
    if not mine or not others:
        return Against(best=None)
    best = max(mine, key=lambda plan: score[plan])
    tail = 0.025 / len(others)
    ends = {other: np.quantile(drawn_gains(seeds, best, other), [tail, 1 - tail]) for other in others}
    rival = max(others, key=lambda other: ends[other][0])
    low, high = (float(end) for end in ends[rival])
    held = "no" if low > MARGIN else "yes" if all(end[1] < 0 for end in ends.values()) else "cannot tell"
    return Against(best=best, rival=rival, gain=float(score[rival] - score[best]), low=low, high=high, held=held)


def drawn_gains(seeds: list[Tested], best: str, other: str) -> np.ndarray:
    """What another plan gains over the best, with groups and seeds drawn anew, one value a draw."""
    groups, rng, found = seeds[0].groups, np.random.default_rng(0), []
    for _ in range(DRAWS):
        times = drawn_times(groups, np.arange(groups.max() + 1), rng)
        chosen = [seeds[number] for number in rng.integers(len(seeds), size=len(seeds))]
        found.append(
            np.mean([one.score(one.plans[other], times) - one.score(one.plans[best], times) for one in chosen])
        )
    return np.array(found)


def counted(source: Path, similarity: float) -> Facts:
    """The facts that the rules ask for, of a set's train part; what they do not ask for is 0."""
    with source.open(newline="") as file:
        counts = Counter(row["label"] for row in csv.DictReader(file) if (row.get("split") or "train") in LEARNED)
    sizes = sorted(counts.values())
    return Facts(
        images=sum(sizes),
        classes=len(sizes),
        smallest_class=sizes[0],
        median_class=float(np.median(sizes)),
        largest_class=sizes[-1],
        imbalance=sizes[-1] / sizes[0],
        balance=0.0,
        is_imbalanced=strongly_imbalanced(np.repeat(np.arange(len(sizes)), sizes)),
        median_side=0.0,
        small_images=0.0,
        groups=None,
        similarity=Similarity(value=similarity),
    )


def rule_rows(results: list[Row]) -> list[Row]:
    """The newest row of each set."""
    return newest([row for row in results if row["measure"] == MEASURE], "set")


def main() -> None:
    """A row for each set whose similarity was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    asked = parser.parse_args()
    for row in newest([row for row in rows() if row["measure"] == "similarity"], "set"):
        facts = counted(asked.panel / row["set"] / "list.csv", row["similarity"])
        said = predicted(facts)
        keep({
            "measure": MEASURE, "set": row["set"], "code": code_version(), "images": facts.images,
            "median_class": facts.median_class, "similarity": row["similarity"], "rule": said.rule,
            "family": said.family, "sentence": said.sentence,
        })  # fmt: skip


if __name__ == "__main__":
    main()
