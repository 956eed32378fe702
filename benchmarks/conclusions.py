"""What the rows of benchmarks say together, in sentences with intervals: the beginning of docs/benchmarks.md."""

from collections.abc import Callable, Iterable

import numpy as np
from answer import ALL, BUDGET, EXTRACTOR, HEAD, Step, deepest, step
from drawn import drawn_step
from panel import MEASURE, PROTOCOL, of_today
from regrets import Tested, gains_over_peers, regrets, tested
from strange_tables import LEFT_OUT, area
from strangeness import DISTANCE
from tables import Row, newest

from unfreeze.metrics.intervals import wilson

OPENING = """## In short

Computed from the rows below, with 95 % intervals. A line whose rows are not there is left out.

"""


def in_short(results: list[Row], draws: list[Row]) -> str:
    """The section: a line for each thing that was found out.

    Args:
        results: The rows of results.jsonl.
        draws: Those of draws.jsonl.
    """
    of_runs = [row for row in results if row["measure"] == MEASURE and row.get("protocol") == PROTOCOL]
    runs = newest((row for row in of_runs if row["budget"] == BUDGET and row["seed"] == 0), "set")
    found = [
        *_if_there(runs, same_as_extractor, all_layers, unfreezing, over_all_layers, decided),
        *_if_there([row for row in results if row["measure"] == "coverage of folds"], promise),
        *_if_there([row for row in draws if row["measure"] == "folds"], on_photos),
        *_if_there([row for row in results if row["measure"] == "strangers" and row["part"] == "test"], strangers),
        *picks(tested()),
        *_if_there(of_today(row for row in results if "side" in row and "spread" in row), speed),
    ]
    return OPENING + "".join(f"{place}. {said}\n" for place, said in enumerate(found, 1))


def _if_there(found: list[Row], *makers: Callable[[list[Row]], str | None]) -> list[str]:
    return [said for make in makers if found and (said := make(found)) is not None]


def same_as_extractor(runs: list[Row]) -> str | None:
    """Whether a trained last layer is codes and a linear classifier."""
    known = [one for row in runs if (one := step(row, EXTRACTOR, HEAD)) is not None]
    differ, of_all = sum(one["disagreements"] for one in known), sum(one["predictions"] for one in known)
    if not of_all:
        return None
    low, high = wilson(differ, of_all)
    return (
        "**A trained last layer beside codes and a linear classifier:** they disagree on "
        f"{differ:,} of {of_all:,} predictions ({100 * low:.3f} to {100 * high:.3f} %)."
    )


def all_layers(runs: list[Row]) -> str | None:
    """What reading all layers gains over the last one."""
    return _gains(
        "**All layers as one linear classifier, over the last layer**",
        {row["set"]: one for row in runs if (one := step(row, HEAD, ALL)) is not None},
    )


def unfreezing(runs: list[Row]) -> str | None:
    """What the best depth gains over the last layer."""
    return _gains(
        "**Unfreezing over the last layer**",
        {row["set"]: one for row in runs if (one := deepest(row)) is not None},
    )


def over_all_layers(runs: list[Row]) -> str | None:
    """What the best depth gains over all layers."""
    return _gains(
        "**Unfreezing over all layers**",
        {
            row["set"]: one
            for row in runs
            if (deep := deepest(row)) is not None and (one := step(row, ALL, deep["second"])) is not None
        },
    )


def strangers(rows: list[Row]) -> str:
    """Whether photos of no class are told from those of the classes."""
    known = newest(rows, "set", "seed", "strangers")
    means: dict[bool, list[float]] = {True: [], False: []}
    for home, kind in dict.fromkeys((row["set"], row["strangers"]) for row in known):
        mine = [row for row in known if (row["set"], row["strangers"]) == (home, kind)]
        means[kind == LEFT_OUT].append(float(np.mean(area(mine, DISTANCE))))
    left_out, others = (f"{100 * min(found):.0f} to {100 * max(found):.0f} %" for found in means.values())
    return (
        "**Photos of none of the classes**, by the distance of their codes: one of another set is the stranger in "
        f"{others} of all pairs with a photo of the classes, one of a class that was left out in {left_out}."
    )


def _gains(claim: str, steps: dict[str, Step]) -> str | None:
    """A claim, on how many sets it is worth it, and the least and the most."""
    if not steps:
        return None
    worth = sum(one["answer"] == "worth it" for one in steps.values())
    ordered = sorted(steps, key=lambda name: steps[name]["difference"])
    ends = "; ".join(f"{name} {_interval(steps[name])}" for name in dict.fromkeys((ordered[0], ordered[-1])))
    return f"{claim}: worth it on {worth} of {len(steps)} sets. Least and most: {ends} points."


def _interval(one: Step) -> str:
    low, high = one["interval"]
    return f"{100 * one['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def decided(runs: list[Row]) -> str:
    """How many questions a short run answers."""
    asked, done = (sum(row["decisions"][key] for row in runs) for key in ("asked", "decided"))
    ideal = sum(row["decisions"]["ideally"] for row in runs)
    low, high = wilson(done, asked)
    return (
        f"**What {BUDGET} decide:** {done} of {asked} steps "
        f"({100 * done / asked:.0f} %, {100 * low:.0f} to {100 * high:.0f} %); {ideal} at best, by images alone."
    )


def promise(found: list[Row]) -> str:
    """Simulated coverage."""
    cells = [
        cell for row in newest(found, "images", "fits", "shared_error", "gain") for cell in row["by_splits"].values()
    ]
    shares = [cell["covered"] for cell in cells]
    studies = min(row["data_sets"] for row in found)
    return (
        f"**Intervals that promise 95 %, in simulations:** {100 * min(shares):.1f} to "
        f"{100 * max(shares):.1f} % contain the truth, in {len(cells)} cells of {studies:,} studies "
        f"(± {100 * (0.95 * 0.05 / studies) ** 0.5:.1f} each)."
    )


def on_photos(found: list[Row]) -> str:
    """Coverage on draws of real sets: the mean over steps and the worst."""
    kept = newest(found, "set", "first")
    steps = []
    for name in dict.fromkeys(row["set"] for row in kept):
        mine = [row for row in kept if row["set"] == name]
        for one in mine[0]["steps"]:
            last = [key for key in mine[0]["steps"][one] if key != "elsewhere"][-1]
            steps.append(drawn_step(mine, one, last))
    worst = min(steps, key=lambda one: one.covered)
    mean = np.mean([one.covered for one in steps])
    return (
        f"**The same on studies drawn from real sets:** {100 * mean:.1f} % on average over {len(steps)} steps, "
        f"{100 * worst.covered:.1f} ± {100 * worst.covered_error:.1f} % at worst."
    )


def picks(rivals: dict[str, dict[str, list[Tested]]]) -> Iterable[str]:
    """Regret, and the picked strategy beside its peers, of the budget with most sets."""
    if not rivals:
        return
    budget = max(rivals, key=lambda name: len(rivals[name]))
    sets, rng = rivals[budget], np.random.default_rng(0)
    each = [(regrets(seeds, rng, resample=False), regrets(seeds, rng, resample=True)) for seeds in sets.values()]
    points = [without.mean() for without, _ in each]
    low, high = np.quantile(np.mean([drawn for _, drawn in each], axis=0), [0.025, 0.975])
    yield (
        f"**The best plan less the pick**, with {budget}: {100 * np.mean(points):+.1f} points "
        f"on unseen photos, on average over {len(sets)} sets ({100 * low:+.1f} to {100 * high:+.1f})."
    )
    means = [one for one in gains_over_peers(sets) if one.name == "mean"]
    said = ", ".join(
        f"{one.peer} {100 * one.gain:+.1f} ({100 * one.low:+.1f} to {100 * one.high:+.1f})" for one in means
    )
    yield f"**The pick less what one would use instead**, in points on average over sets: {said}."


def speed(found: list[Row]) -> str | None:
    """How many times as long others take for codes and for step one; lowest to highest over sets and cores."""
    own = {_key(row): row["seconds"] for row in found if row["side"] == "ours"}
    pairs = (("codes", "timm"), ("step one", "fastai"))
    said = []
    for measure, side in pairs:
        ratios = [
            row["seconds"] / own[_key(row)]
            for row in newest(found, "measure", "set", "side", "cores")
            if row["measure"] == measure and row["side"] == side and _key(row) in own
        ]
        if ratios:
            said.append(f"{side} takes {min(ratios):.0f} to {max(ratios):.0f} times as long for {measure}")
    return f"**Time on a CPU**: {', '.join(said)} (medians of each set)." if said else None


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row.get(name) for name in ("measure", "set", "code", "cores"))
