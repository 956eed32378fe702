"""What the rows of strangers say together, over draws of classes: a part of docs/benchmarks.md."""

import statistics
from collections.abc import Iterable, Sequence

from scipy.stats import t
from strangeness import DISTANCE, PROBABILITY
from tables import Row, newest, table

STRANGERS = """## None of the above

    python benchmarks/strangers.py --panel PANEL

Three of ten classes (two of trashnet's six) are left out of training, drawn ten times. Strangers are photos of these
classes, and of each other set; the known are photos of the other classes that were held back. The area under the ROC
curve (AUROC), in per cent, is the share of pairs, a known photo and a strange one, in which the score says which is
which: 50 says nothing, 100 is always right.
Means over draws, with the 95 % interval of the mean (Student's t over draws, which share photos).

"""
CHOSEN = """The first table is of train parts alone, a fifth of them held back: on it the score was chosen. All ways to
score, AUROC; *other sets* are the mean of five. *Distance* is the product's, of codes of length 1.

"""
TESTED = """
Test parts; nothing was chosen on them.

"""
MARKED = """
Of the test parts, what `--unlike` marks where so many false alarms are allowed: of known photos, and of strangers.

"""
LEFT_OUT = "left-out classes"


def strange_tables(found: list[Row]) -> str:
    """The section."""
    rows = newest(found, "set", "part", "seed", "strangers")
    train, test = ([row for row in rows if row["part"] == part] for part in ("train", "test"))
    return STRANGERS + CHOSEN + _all_ways(train) + TESTED + _two_ways(test) + MARKED + _marked(test)


def mean_of(values: Sequence[float], *, scale: float = 100.0) -> str:
    """Mean over draws, with its interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{scale * mean:.1f}"
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return f"{scale * mean:.1f} ± {scale * half:.1f}"


def area(rows: Iterable[Row], way: str) -> list[float]:
    """Of each draw the AUROC of a way; the mean over strangers where there are several."""
    by_seed: dict[int, list[float]] = {}
    for row in rows:
        by_seed.setdefault(row["seed"], []).append(row["scores"][way]["auroc"])
    return [statistics.fmean(of_draw) for of_draw in by_seed.values()]


def _all_ways(rows: list[Row]) -> str:
    """A line a way, a column for the left-out classes of a set and one for other sets."""
    sets = list(dict.fromkeys(row["set"] for row in rows))
    kinds = {f"{name}, {kind}": _of_kind(rows, name, kind) for name in sets for kind in (LEFT_OUT, "other sets")}
    lines = [
        [way, *(mean_of(area(of_kind, way)) for of_kind in kinds.values()), mean_of(_over_kinds(kinds.values(), way))]
        for way in rows[0]["scores"]
    ]
    return table(("score", *kinds, "mean"), lines)


def _of_kind(rows: Iterable[Row], name: str, kind: str) -> list[Row]:
    return [row for row in rows if row["set"] == name and (row["strangers"] == LEFT_OUT) == (kind == LEFT_OUT)]


def _over_kinds(kinds: Iterable[list[Row]], way: str) -> list[float]:
    """Of each draw the mean over kinds of strangers, which count the same."""
    return [statistics.fmean(of_draw) for of_draw in zip(*(area(rows, way) for rows in kinds), strict=True)]


def _by_strangers(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["set"], row["strangers"]), []).append(row)
    return found


def _two_ways(rows: list[Row]) -> str:
    """A line for each set and its strangers."""
    lines = [
        [
            name, strangers, str(len(mine)), mean_of(area(mine, DISTANCE)), mean_of(area(mine, PROBABILITY)),
            mean_of([-row["scores"][PROBABILITY]["over_distance"] for row in mine]), mine[-1]["code"],
        ]
        for (name, strangers), mine in _by_strangers(rows).items()
    ]  # fmt: skip
    return table(("set", "strangers", "draws", DISTANCE, PROBABILITY, "difference, points", "commit"), lines)


def _marked(rows: list[Row]) -> str:
    """A line for each set and its strangers."""
    shares = list(rows[0]["marked"])
    names = (f"{side} at {float(share):.0%}, %" for share in shares for side in ("known", "strange"))
    lines = [
        [name, strangers, *(mean_of(_shares(mine, share, side)) for share in shares for side in (0, 1))]
        for (name, strangers), mine in _by_strangers(rows).items()
    ]
    return table(("set", "strangers", *names), lines)


def _shares(rows: Iterable[Row], share: str, side: int) -> list[float]:
    return [row["marked"][share][DISTANCE][side] / row["photos"][side] for row in rows]
