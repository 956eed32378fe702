"""Write docs/benchmarks.md from results.jsonl: ``python benchmarks/page.py``. The newest row of each kind counts."""

import statistics
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from conclusions import in_short
from drawn import drawn_ends, drawn_step
from panel import DRAWS, PROTOCOL, RESULTS, of_today, rows
from regrets import Tested, gains_over_peers, regrets, tested
from strange_tables import strange_tables
from tables import Row, newest, percent, table
from trainings import error_ratio

from unfreeze.cli.durations import parse_duration

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
SPREADS = {"least_seconds", "most_seconds", "seconds"}  # of probes: every repeat, beside their median
GRID = {"Cs", "taps", "found", "threads"}

HEAD = """# Benchmarks

Every figure here comes from rows of [`benchmarks/results.jsonl`](../benchmarks/results.jsonl), or of `draws.jsonl` and
`rivals.jsonl` beside it, and this page is made from them by `python benchmarks/page.py`. A row names the commit that it
was measured on. Times were taken on a shared machine: compare sides of one measure, which ran in one call, and not
times of different measures.
"""

PANEL = """## The panel

    python benchmarks/panel.py --panel PANEL --seeds 0,1,2 --budget 5m

Test accuracy of `unfreeze run`, medians over the seeds that are named. The tap, C and the strategy are chosen on the
train part. The last column counts test images on which the head and the softmax on the same codes disagree.

"""


DECIDED = """## How much does a short run decide?

    python benchmarks/panel.py --panel PANEL --seeds 0 --budget 6m   # and other budgets, and --busy

Of the steps that a run asked, how many it decided; *left over* is the share of the budget that was not used although
something was shortened or left out (a minus: how far the run went over it); *busy* is beside a program that keeps one
core busy; *ideally* how many an interval would that knows nothing but the images' differences, without anything for
training sets, seeds and images that were not seen: no honest one can reach that. Accuracies are of the set's own test
part; a dash where a run had no time to ask it.

"""


COVERAGE = """## Does the interval of a step keep its promise?

    python benchmarks/coverage.py --data-sets 1000

Simulated studies of two classifiers whose true difference is known, one, two and four rounds of five folds; 95 % is
promised. Lowest to highest over three shares of common mistakes and the true gains 0, 0.8, 1, 1.2 and 8 points, where
the margin is 1 point. *Images alone* is the interval without the factor, the excess and the floor. *Width* is half the
interval over 1.96 true standard deviations. *Worth it, of best* is how often it is said at 8 points, as a part of how
often somebody would say so who knew that standard deviation, where that is half the time at least. *Wrong* counts
definite answers that the truth contradicts, at 0.8, 1 and 1.2 points; *when stopping* at the first definite answer of
the three looks, all three gains together and the worst cell.

"""


DRAWN = """## And on photos?

    python benchmarks/draws.py --panel PANEL --draws 400

Studies of images drawn at random from all of a set (300; 100 of two classes), with the probes, the search for C and
tap and the folds of a run; margin 1 point. The *truth* is the mean gain, over the draws, of probes trained on the
learning side of a fold, on all images that were not drawn. A row holds all steps of a set, lowest to highest; *±* is
the largest Monte-Carlo standard error. Draws without replacement from N images make an estimate surer than a study of
all the world's images is: distances from the truth are divided by sqrt(1 - n/N). *Width* is the mean of half the
interval over 1.96 standard deviations of the estimate, corrected likewise. *Wrong* is the worst step's share of answers
that the truth contradicts. *Too high* and *too low when stopping* ask the same intervals about a margin that is the
true gain itself, stop at the first definite answer after the folds that are named, and count those that lie wholly
above or below, of the worst step.

"""

TRAININGS = """## And where networks are trained?

    python benchmarks/trainings.py --panel PANEL --draws 60

Studies drawn at random from all of a set, one round of folds: two blocks unfrozen against the head. The mean over the
draws stands for the truth. *Ratio* is the root mean square of (estimate - truth) / standard error, corrected as above:
1 where the standard error is right, below 1 where it is too large.

"""

RUIN = """## Does a training end worse than it began?

    python benchmarks/ruin.py --panel PANEL

Trainings on 60 to 400 images drawn from train parts (fewer where classes are small), as many of each class or ever
fewer, at 96 px; each from the head that it would start from in a run. Asked are other images of the train part, before
it begins, at the fewest epochs that a run would give it, and at the end; from scratch the start is to name the largest
class always. *Below* counts those that are worse than their start by more than two standard errors of the paired
difference; where training changed nothing on average, chance has one in fifty so.

"""

RACE = """## Does a whole race keep it?

    python benchmarks/race.py --data-sets 400

Simulated races through the race's own code, which looks after one, two and four rounds and stops when it likes: step
one and one deeper strategy whose true gain is 0.8, 1 or 1.2 of the margin.

"""

MORE = """## Is "about so many more images" enough?

    python benchmarks/draws.py --panel PANEL --more 40

Studies of cifar10 with 20 splits that ended in "cannot tell" and asked for images, repeated with the middle of that
range.

"""


REGRET = """## Was the right strategy picked?

    python benchmarks/rivals.py --panel PANEL --peers PEERS --peer-python PYTHON

One `unfreeze run` a set and seed with the budget and cores that are named, every other plan trained by itself with the
same, all on the set's own train part; scored on its test part. *Regret* is cross-fitted: the best plan on one half of
the test images (whole groups), scored on the other half, less what the picked one has there; both ways. *At least* is
the lower end of a one-sided 95 % bootstrap over groups and seeds. Points of the metric that decides.

"""

IMBALANCE = """## Balanced accuracy where one class has most images

    python benchmarks/imbalance.py --panel PANEL

All images of a set, whole groups on one side. *Plain* is fitted as everybody fits it; *balanced* is what a run fits and
trains where it notices a strong imbalance. The gain is that over the plain softmax on the last codes, in points, with
the interval that a run prints, and with that without images that were not seen. The first is wider where a class has
few groups, since what these do not show may still happen.

"""

ALL_TAPS = """## All layers as one classifier

    python benchmarks/joined.py --panel PANEL

Test accuracy, %, of linear classifiers that were fitted on the train part: medians over seeds, which decide folds.
Processor seconds of all probes of one split, without and with the classifier on all taps, in turn in one process: the
median and the range. Disk of codes and details, in times that of the codes.

"""

LINEAR = (
    "softmax on the last codes",
    "svm on the last codes",
    "softmax on the best tap",
    "svm on the best tap",
    "linear on all taps",
)

BESIDE = """## The picked strategy beside its peers

    python benchmarks/rivals.py --panel PANEL --peers PEERS --peer-python PYTHON

The same runs, and on the same images fastai's `fine_tune(5)`, timm's codes with scikit-learn, and vyntri, with the same
weights and their own defaults. What was picked less the peer, points of the metric that decides; the interval is a
bootstrap over groups and seeds, 95 % divided among the peers (Bonferroni). fastai, which has seeds, stands beside the
runs with its own ones; the others give the same every time. A mean leaves out the sets on which its peer was not
finished when it was stopped.

"""


def panel(found: list[Row]) -> str:
    """Accuracy on the panel: the median over seeds, of the newest row of every set, seed and budget."""
    lines = []
    for name in dict.fromkeys(row["set"] for row in found):
        mine = newest((row for row in found if row["set"] == name), "seed", "budget")
        probes = newest(mine, "seed")
        trained = newest((row for row in mine if row["budget"] != "1s"), "seed")
        heads = [row for row in mine if row["budget"] == "1s"] or probes
        lines.append([
            name,
            percent(middle(row["last_codes"] for row in probes)),
            f"{percent(middle(row['at_chosen_tap'] for row in probes))} ({probes[-1]['chosen_tap'] or '-'})",
            percent(statistics.median(row["picked_accuracy"] for row in trained)) if trained else "-",
            "; ".join(f"{row['picked']} (seed {row['seed']}, {row['budget']}, {row['code']})" for row in trained),
            _disagreements([row for row in heads if row["last_codes"] is not None]),
        ])  # fmt: skip
    names = ("set", "last codes, %", "chosen tap, %", "picked, %", "which was picked", "head unlike softmax, images")
    return PANEL + table(names, lines)


def _disagreements(heads: list[Row]) -> str:
    """Of runs that had the time for both classifiers."""
    if not heads:
        return "-"
    return f"{' + '.join(str(row['head_disagreements']) for row in heads)} of {heads[0]['test_images']} each"


def middle(values: Iterable[float | None]) -> float | None:
    """The median of those that there are."""
    return statistics.median(there) if (there := [value for value in values if value is not None]) else None


def decided(found: list[Row]) -> str:
    """What runs decided, and how many steps a minute of their budgets."""
    runs = newest([{"busy": False, **row} for row in found], "set", "seed", "budget", "busy")
    lines = []
    for row in runs:
        said = row["decisions"]
        lines.append([
            row["set"], str(row["seed"]), row["budget"] + ", busy" * row["busy"], f"{row['run_seconds']:.0f}",
            _left_over(row), f"{said['decided']} of {said['asked']}", str(said["ideally"]),
            said["step_one_is_enough"] or "-", said["head_to_two_blocks"] or "-",
            percent(row["last_codes"]), percent(row.get("all_taps")),
            f"{row['picked']} {percent(row['picked_accuracy'])}", row["code"],
        ])  # fmt: skip
    names = (
        "set", "seed", "budget", "seconds", "left over, %", "decided", "ideally", "is step one enough",
        "two blocks for the head", "last codes, %", "all taps, %", "picked, %", "commit",
    )  # fmt: skip
    return DECIDED + table(names, lines) + "\n" + table(_TOGETHER, _together(runs))


_TOGETHER = ("budget", "runs", "decided", "share, %", "ideally", "decided a minute and run")


def _together(runs: list[Row]) -> Iterator[list[str]]:
    """A line for each budget."""
    kinds = dict.fromkeys((row["budget"], row["busy"]) for row in runs)
    for budget, is_busy in sorted(kinds, key=lambda kind: (parse_duration(kind[0]), kind[1])):
        mine = [row["decisions"] for row in runs if (row["budget"], row["busy"]) == (budget, is_busy)]
        asked, done, ideal = (sum(one[key] for one in mine) for key in ("asked", "decided", "ideally"))
        a_minute = done / len(mine) / (parse_duration(budget) / 60)
        share = f"{100 * done / asked:.0f}"
        yield [budget + ", busy" * is_busy, str(len(mine)), f"{done} of {asked}", share, str(ideal), f"{a_minute:.2f}"]


def _left_over(row: Row) -> str:
    """Share of the budget that was not used though a strategy was shortened or left out."""
    if all(one["status"] == "done" for one in row["strategies"].values()):
        return "-"
    return f"{100 * (1 - row['run_seconds'] / parse_duration(row['budget'])):.0f}"


def normalisation(found: list[Row]) -> str:
    """What a wrong mean and standard deviation cost."""
    lines = [[row["set"], percent(row["own"]), percent(row["imagenet"]), row["code"]] for row in newest(found, "set")]
    names = ("set", "own mean and std, %", "ImageNet's at test, %", "commit")
    return "## A wrong normalisation\n\n    python benchmarks/normalisation.py --panel PANEL\n\n" + table(names, lines)


def sides(found: list[Row], title: str, command: str) -> str:
    """Ours against others, ratio by ratio."""
    lines = []
    for row in found:
        own = next(
            (
                r
                for r in found
                if r["side"] == "ours" and all(r[k] == row[k] for k in ("measure", "set", "code", "cores"))
            ),
            None,
        )
        ratio = f"{row['seconds'] / own['seconds']:.2f} x" if own is not None and row is not own else ""
        low, high = row["spread"]
        lines.append([
            row["measure"], row["set"], row["side"], f"{row['seconds']:.2f}", f"{low:.2f} to {high:.2f}",
            str(row["repeats"]), ratio, percent(row.get("accuracy")), str(row["cores"]), row["code"],
        ])  # fmt: skip
    names = ("measure", "set", "side", "seconds", "spread", "repeats", "against ours", "accuracy, %", "cores", "commit")
    return f"## {title}\n\n    {command}\n\n" + table(names, lines)


def span(numbers: Iterable[float], *, digits: int = 1, scale: float = 100.0) -> str:
    """Lowest to highest."""
    every = [scale * number for number in numbers]
    return f"{min(every):.{digits}f} to {max(every):.{digits}f}"


def coverage(found: list[Row]) -> str:
    """Simulated coverage: a line for each number of images, kind of fits and number of folds."""
    lines = []
    for images, fits in dict.fromkeys((row["images"], row["fits"]) for row in found):
        mine = [row for row in found if (row["images"], row["fits"]) == (images, fits)]
        near = [row for row in mine if 0.005 < row["gain"] < 0.02]
        for splits in mine[0]["by_splits"]:
            cells = [row["by_splits"][splits] for row in mine]
            large = [row["by_splits"][splits] for row in mine if row["gain"] >= 0.05]
            power = [cell["worth_it"] / cell["worth_it_at_best"] for cell in large if cell["worth_it_at_best"] >= 0.5]
            stopped = [row["stopping"]["wrong"] for row in near] if splits == list(mine[0]["by_splits"])[-1] else []
            lines.append([
                str(images), fits, splits, str(mine[0]["data_sets"]),
                span(cell["covered"] for cell in cells),
                span(cell["covered_by_images_alone"] for cell in cells),
                span((cell["half_width_over_ideal"] for cell in cells), digits=2, scale=1),
                f"{min(power):.2f}" if power else "",
                percent(max(row["by_splits"][splits]["wrong"] for row in near)),
                f"{100 * statistics.fmean(stopped):.1f}, {100 * max(stopped):.1f}" if stopped else "",
                mine[-1]["code"],
            ])  # fmt: skip
    names = (
        "images", "fits", "folds", "data sets", "covered, %", "images alone, %", "width", "worth it, of best",
        "wrong, %", "wrong when stopping, %", "commit",
    )  # fmt: skip
    return COVERAGE + table(names, lines)


def drawn(found: list[Row]) -> str:
    """Coverage on draws from real sets: a line for each set and number of folds, lowest to highest over the steps."""
    lines = []
    for name in dict.fromkeys(row["set"] for row in found):
        mine = [row for row in found if row["set"] == name]
        looks = [key for key in next(iter(mine[0]["steps"].values())) if key != "elsewhere"]
        for splits in looks:
            steps = [drawn_step(mine, step, splits) for step in mine[0]["steps"]]
            stopped = [drawn_ends(mine, step) for step in mine[0]["steps"]] if splits == looks[-1] else []
            lines.append([
                name, splits, str(len(steps)), str(steps[0].studies),
                span(one.covered for one in steps), f"{100 * max(one.covered_error for one in steps):.1f}",
                span((one.width for one in steps if one.width is not None), digits=2, scale=1),
                percent(max(one.wrong for one in steps)),
                percent(max(high for high, _ in stopped)) if stopped else "",
                percent(max(low for _, low in stopped)) if stopped else "",
                mine[-1]["code"],
            ])  # fmt: skip
    names = (
        "set", "folds", "steps", "draws", "covered, %", "±", "width", "wrong at most, %",
        "too high when stopping, %", "too low when stopping, %", "commit",
    )  # fmt: skip
    return DRAWN + table(names, lines)


def trained(found: list[Row]) -> str:
    """How far trainings of small studies were off, in their standard errors."""
    lines = []
    for name in dict.fromkeys(row["set"] for row in found):
        mine = [row for row in found if row["set"] == name]
        mean = statistics.fmean(row["difference"] for row in mine)
        lines.append([name, str(mine[0]["images"]), str(len(mine)), f"{100 * mean:.2f}", f"{error_ratio(mine):.2f}"])
    return TRAININGS + table(("set", "images", "draws", "mean gain, points", "ratio"), lines)


def ruined(found: list[Row]) -> str:
    """How many trainings of each depth ended below their start."""
    lines = []
    for depth in dict.fromkeys(row["strategy"] for row in found):
        every = [row for row in found if row["strategy"] == depth]
        mine = [row for row in every if row["whole"]]
        gains = [row["whole"]["gain"] for row in mine]
        lines.append([
            depth, str(len(every)), str(len(every) - len(mine)),
            str(sum(row["fewest"]["below"] for row in mine)), str(sum(row["whole"]["below"] for row in mine)),
            f"{100 * np.mean(gains):+.1f}", f"{100 * min(gains):+.1f}",
            str(sum(row["halvings"] > 0 for row in mine)), ", ".join(dict.fromkeys(row["code"] for row in mine)),
        ])  # fmt: skip
    names = ("strategy", "trainings", "left out", "below, fewest epochs", "below, at the end")
    return RUIN + table((*names, "mean gain, points", "least gain, points", "began again", "code"), lines)


def share(of: np.ndarray) -> str:
    """A share of independent studies in percent, with its standard error."""
    mean = float(of.mean())
    return f"{100 * mean:.1f} ± {100 * (mean * (1 - mean) / len(of)) ** 0.5:.1f}"


def raced(found: list[Row]) -> str:
    """The newest row of each level."""
    lines = []
    for row in newest(found, "images", "shared_error", "gain"):
        answers = [percent(row.get(name, 0.0)) for name in ("worth_it", "not_worth_it", "equivalent", "cannot_tell")]
        wrong = f"{percent(row['wrong'])} ± {percent(row['monte_carlo_error'])}"
        levels = [str(row["images"]), str(row["shared_error"]), str(row["data_sets"])]
        lines.append([*levels, f"{100 * row['truth']:.2f}", wrong, *answers, row["code"]])
    names = ("images", "common mistakes", "races", "true gain, points", "wrong, %")
    answers = ("worth it, %", "not worth it, %", "equivalent, %", "cannot tell, %", "commit")
    return RACE + table((*names, *answers), lines)


def more_images(found: list[Row]) -> str:
    """How many studies settled with the images that they had asked for."""
    by_step: dict[tuple[str, int], list[Row]] = {}
    for row in found:
        start = row.get("from", 300)
        by_step.setdefault((row["step"], start), []).append(row)
        by_step.setdefault(("all", start), []).append(row)
    kinds = sorted(by_step, key=lambda kind: (kind[1], kind[0] == "all"))
    names = ("step", "images", "studies", "cannot tell", "asked for images", "images then, median", "settled, %")
    return MORE + table(names, [[step, str(start), *_asked_cells(by_step[step, start])] for step, start in kinds])


def _asked_cells(mine: list[Row]) -> list[str]:
    asked = [row for row in mine if row["asked"] is not None]
    unsettled = sum(row["before"][2] == "cannot tell" for row in mine)
    settled = np.array([row["after"][2] != "cannot tell" for row in asked])
    images = f"{statistics.median(row['images'] for row in asked):.0f}" if asked else "-"
    return [str(len(mine)), str(unsettled), str(len(asked)), images, share(settled) if asked else "-"]


def regret_table(rivals: dict[str, dict[str, list[Tested]]], panel_sets: Iterable[str]) -> str:
    """For each budget a line for each set and one for their mean; what of the panel is missing."""
    missing = sorted(set(panel_sets) - {name for sets in rivals.values() for name in sets})
    left_out = f"Not measured: {', '.join(missing)}. " if missing else ""
    names = ("budget", "set", "metric", "seeds", "picked", "plans on the test part, %", "regret", "at least")
    lines = [[budget, *line] for budget, sets in rivals.items() for line in _regret_lines(sets)]
    return REGRET + table(names, lines) + f"\n{left_out}Plans that do not fit the budget have no model.\n"


def _regret_lines(sets: dict[str, list[Tested]]) -> list[list[str]]:
    lines, points, bounds = [], [], []
    rng = np.random.default_rng(0)
    for name, seeds in sets.items():
        points.append(regrets(seeds, rng, resample=False).mean())
        bounds.append(regrets(seeds, rng, resample=True))
        scores = {plan: np.mean([one.score(one.plans[plan], np.ones(len(one.labels))) for one in seeds])
                  for plan in seeds[0].plans if all(plan in one.plans for one in seeds)}  # fmt: skip
        lines.append([
            name, "balanced accuracy" if seeds[0].balanced else "accuracy", str(len(seeds)),
            ", ".join(dict.fromkeys(one.picked for one in seeds)),
            "; ".join(f"{plan} {percent(score)}" for plan, score in scores.items()),
            f"{100 * points[-1]:.2f}", f"{100 * np.quantile(bounds[-1], 0.05):.2f}",
        ])  # fmt: skip
    if len(sets) > 1:
        mean = np.quantile(np.mean(bounds, axis=0), 0.05)
        lines.append(["mean", "", "", "", "", f"{100 * np.mean(points):.2f}", f"{100 * mean:.2f}"])
    return lines


def beside_peers(rivals: dict[str, dict[str, list[Tested]]]) -> str:
    """For each budget a line for each peer and set, and one for each peer's mean."""
    names = ("budget", "peer", "set", "seeds", "picked less peer", "interval")
    return BESIDE + table(names, [[budget, *line] for budget, sets in rivals.items() for line in _peer_lines(sets)])


def _peer_lines(sets: dict[str, list[Tested]]) -> list[list[str]]:
    lines = []
    for one in gains_over_peers(sets):
        interval = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
        seeds = str(one.seeds) if one.seeds else ""
        lines.append([one.peer, one.name, seeds, f"{100 * one.gain:+.1f}", interval])
    return lines + _stopped_lines(sets)


def _stopped_lines(sets: dict[str, list[Tested]]) -> list[list[str]]:
    stopped = {
        (peer, name): limit for name, seeds in sets.items() for one in seeds for peer, limit in one.stopped.items()
    }
    return [[peer, name, "", f"not finished in {limit // 60} min", ""] for (peer, name), limit in stopped.items()]


def plain(
    found: list[Row], title: str, script: str, options: str = "--panel PANEL", *, without: Iterable[str] = ()
) -> str:
    """Rows as they are, one column a field that is a number or a word, but for some fields."""
    hidden = {"measure", "versions", "date", "said", "candidates", *without}
    names = list(dict.fromkeys(key for row in found for key in row if key not in hidden))
    lines = [[shown(row.get(name)) for name in names] for row in found]
    return f"## {title}\n\n    python benchmarks/{script}.py {options}\n\n" + table(names, lines)


def imbalanced(found: list[Row]) -> str:
    """A line for each set and strategy."""
    lines = [
        [
            row["set"], row["strategy"], str(row["images"]), str(row["splits"]), percent(row["balanced_accuracy"]),
            *(gain_cells(row) if "gain" in row else ("-",) * 4), row["code"],
        ]
        for row in found
    ]  # fmt: skip
    cells = ("gain", "interval", "without unseen images", "answer")
    return IMBALANCE + table(("set", "strategy", "images", "splits", "balanced accuracy, %", *cells, "commit"), lines)


def gain_cells(row: Row) -> tuple[str, ...]:
    """Gain over the plain probe, its intervals, and the answer."""
    intervals = (" to ".join(f"{100 * end:+.1f}" for end in row[name]) for name in ("interval", "without_unseen"))
    return f"{100 * row['gain']:+.1f}", *intervals, row["answer"]


def stopped(row: Row) -> Row:
    """A row of kills, its stops as a list: Ctrl-C, SIGTERM, SIGHUP."""
    return {**row, "stop_to_exit_seconds": list(row["stop_to_exit_seconds"].values())}


def shown(value: Any) -> str:
    """A cell: a median with its range, a list, a number, a word."""
    if isinstance(value, dict):
        middle = value.get("median", value.get("seconds"))
        spread = f" ({' to '.join(map(shown, value['range']))})" if "range" in value else ""
        return f"{shown(middle)}{spread}"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def all_taps(found: list[Row]) -> str:
    """A line a set: medians over seeds of test accuracy, and what it costs."""
    lines = []
    for name in dict.fromkeys(row["set"] for row in found):
        mine = [row for row in found if row["set"] == name]
        asked, costs = [row for row in mine if "strategies" in row], [row for row in mine if "seconds" in row]
        reached = [
            statistics.median(row["strategies"][one]["accuracy"] for row in asked) if asked else None for one in LINEAR
        ]
        seconds = costs[-1]["seconds"] if costs else {}
        times = [cpu_cell(seconds.get(side)) for side in ("today", "with all taps")]
        disk = f"{costs[-1]['disk_ratio']:.2f}" if costs else "-"
        lines.append([name, str(len(asked)), *map(percent, reached), *times, disk, mine[-1]["code"]])
    cells = ("processor seconds of probes", "with all taps", "disk, times that of codes", "commit")
    return ALL_TAPS + table(("set", "seeds", *LINEAR, *cells), lines)


def cpu_cell(seconds: Row | None) -> str:
    """A median with its range."""
    if seconds is None:
        return "-"
    low, high = seconds["cpu_range"]
    return f"{seconds['median_cpu_seconds']:.1f} ({low:.1f} to {high:.1f})"


def main() -> None:
    """Write the page."""
    every = rows()
    by_measure: dict[str, list[Row]] = {}
    for row in every:
        by_measure.setdefault(row["measure"], []).append(row)
    of_panel = of_today(by_measure.get("panel", []))
    peers = newest([row for row in every if "side" in row and "spread" in row], "measure", "set", "side", "cores")
    probes = newest(by_measure.get("probes", []), "set", "seed", "side")
    training = newest(by_measure.get("training time", []), "set", "threads")
    losses = newest([r for r in by_measure.get("training loss", []) if "rate" in r], "set", "seed", "side")
    views = newest(by_measure.get("views", []), "set", "seed", "epochs", "views")
    precision = newest(by_measure.get("precision", []), "set", "precision")
    trained_small = newest(by_measure.get("ruin", []), "size", "set", "drawn", "balanced", "draw", "strategy")
    covered = newest(by_measure.get("coverage of folds", []), "images", "fits", "shared_error", "gain")
    memory = newest(by_measure.get("memory", []), "size", "engine")
    startup = newest(by_measure.get("start-up", []), "cores")
    busy = newest(by_measure.get("busy machine", []), "set", "machine", "side")
    growth = newest(by_measure.get("growth", []), "set", "size", "cores")
    kills = newest(by_measure.get("kills", []), "set", "seed")
    architectures = newest(by_measure.get("architectures", []), "network")
    similarity = newest(by_measure.get("similarity", []), "set")
    rank = newest(by_measure.get("similarity and gain", []), "measure")
    imbalance = newest(by_measure.get("imbalance, folds", []), "set", "strategy")
    joined = newest(by_measure.get("joined", []), "set", "seed")
    kept = rows(DRAWS)
    on_draws = newest([row for row in kept if row["measure"] == "folds"], "set", "first")
    asked = [row for row in kept if row["measure"] == "more images" and row.get("protocol") == PROTOCOL]
    with_more = newest(asked, "set", "from", "draw", "step")
    command = "python benchmarks/peers.py --panel PANEL --peers PEERS --peer-python PYTHON"
    parts: list[tuple[list[Row], Callable[[list[Row]], str]]] = [
        ([row for row in of_panel if not row.get("busy")], panel),
        ([row for row in of_panel if "decisions" in row], decided),
        (by_measure.get("normalisation", []), normalisation),
        (
            probes,
            lambda found: plain(found, "All probes of a run, beside scikit-learn", "probes", without=SPREADS | GRID),
        ),
        (training, lambda found: plain(found, "One epoch of all layers, beside a plain loop", "training")),
        (
            losses,
            lambda found: plain(
                found, "Training loss of the last of about 50 steps, beside a plain loop", "training", without={"curve"}
            ),
        ),
        (precision, lambda found: plain(found, "Precision of the frozen layers", "engines", without={"engine"})),
        (covered, coverage),
        (on_draws, drawn),
        ([row for row in kept if row["measure"] == "trainings"], trained),
        (trained_small, ruined),
        (by_measure.get("race of folds", []), raced),
        (with_more, more_images),
        (startup, lambda found: plain(found, "Start-up, seconds", "startup")),
        (busy, lambda found: plain(found, "A quiet machine and a busy one", "busy")),
        (
            kills,
            lambda found: plain(list(map(stopped, found)), "Runs that were killed and continued, or stopped", "kills"),
        ),
        (growth, lambda found: plain(found, "Growth with the number of images", "growth")),
        (
            memory,
            lambda found: plain(found, "Memory of `unfreeze codes`", "memory", "--sizes 10000,30000,100000"),
        ),
        (
            newest(by_measure.get("large probe", []), "rows", "width", "classes"),
            lambda found: plain(
                found, "A linear classifier on codes that are larger than memory should be", "large_probe"
            ),
        ),
        (
            architectures,
            lambda found: plain(
                found,
                "Architectures drawn from all families of timm",
                "architectures",
                "--count 30 --seed 0",
                without={"seed", "audit", "frozen_tensors"},
            ),
        ),
        (similarity, lambda found: plain(found, "Similarity to the source", "similarity")),
        (rank, lambda found: plain(found, "Similarity and what fine-tuning gains", "similarity")),
        (by_measure.get("strangers", []), strange_tables),
        (
            newest(by_measure.get("portions", []), "set"),
            lambda found: plain(
                found, "Portions of `unfreeze codes` on one core, processor seconds", "schedule", "record --panel PANEL"
            ),
        ),
        (
            newest(by_measure.get("driver", []), "images"),
            lambda found: plain(
                found, "The command itself on Ray, processor seconds", "schedule", "driver --sizes 1000,12000"
            ),
        ),
        (
            newest(by_measure.get("index", []), "measure"),
            lambda found: plain(found, "Opening a store of codes, processor milliseconds", "schedule", "index"),
        ),
        (joined, all_taps),
        (imbalance, imbalanced),
        (views, lambda found: plain(found, "Remembered views against fresh ones", "views")),
        (peers, lambda found: sides(found, "Against what a user would pick instead", command)),
    ]
    sections = [make(found) for found, make in parts if found]
    if rivals := tested():
        sections += [regret_table(rivals, {row["set"] for row in of_panel}), beside_peers(rivals)]
    PAGE.write_text("\n".join([HEAD, in_short(every, kept), *sections]))
    print(f"{PAGE} from {len(every)} rows of {RESULTS.name}")


if __name__ == "__main__":
    main()
