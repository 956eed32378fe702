"""Is a forecast of what a step will gain better than the mean gain of other sets? Whole source sets are left out.

    python benchmarks/forecasts.py             # a row for results.jsonl
    python benchmarks/forecasts.py --rebuild   # the table that ships with the package, with the same test in it

From the studies in `steps.jsonl` (of `steps.py`). Each source set is forecast from the others, how much the forecast is
shrunk to their mean being chosen among those alone. Every set weighs the same, and the intervals of differences are
over sets (Student's t), since the studies of a set are alike. Whether a step paid is its posterior probability from 20
splits; what a forecast of it misses by is scored as Brier's score expects it under that posterior.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from panel import STEPS, code_version, keep, rows
from scipy.stats import t as student

from unfreeze.advisor.forecasts import STEPS as FORECAST_STEPS
from unfreeze.advisor.forecasts import MeasuredStep, Step, fact_values, fit_forecaster, of_step
from unfreeze.core.facts import Facts, Similarity
from unfreeze.core.strategies import HEAD, SOFTMAX_ON_BEST, parse_strategy

MEASURE = "forecasts"
TABLE = Path(__file__).parents[1] / "src" / "unfreeze" / "advisor" / "forecasts.json"
MARGIN = 0.01
BIN = 15  # steps, at least
BINS = 6
TURNED = (SOFTMAX_ON_BEST, HEAD)  # the head being the softmax on the last codes, it is the first step turned round

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Studies of source sets, each set forecast from the others; an element a study.

    Attributes:
        sources: Set of each.
        gains: Measured.
        points: Forecast.
        means: Mean gain of the other sets.
        halves: Half the 80 % interval.
        paid: Posterior probability that the step paid.
        pays: Forecast of it.
        rates: Mean of it over the other sets.
    """

    sources: np.ndarray
    gains: np.ndarray
    points: np.ndarray
    means: np.ndarray
    halves: np.ndarray
    paid: np.ndarray
    pays: np.ndarray
    rates: np.ndarray

    @property
    def misses(self) -> tuple[np.ndarray, np.ndarray]:
        """Absolute error of the forecast and of the mean."""
        return np.abs(self.points - self.gains), np.abs(self.means - self.gains)

    @property
    def brier(self) -> tuple[np.ndarray, np.ndarray]:
        """Expected score of the forecast and of the base rate."""
        unsure = self.paid * (1 - self.paid)
        return (self.pays - self.paid) ** 2 + unsure, (self.rates - self.paid) ** 2 + unsure


def facts_of_row(row: Row) -> Facts:
    """The facts of a study, as its row has them."""
    return Facts(**{**row["facts"], "similarity": Similarity(**row["facts"]["similarity"])})


def studies_of(found: Iterable[Row]) -> list[Row]:
    """What the table keeps of the rows of `steps.py`."""
    return [
        {
            "set": row["set"],
            "draw": row["draw"],
            "facts": [None if value is None else round(value, 4) for value in fact_values(facts_of_row(row))],
            "steps": [
                {
                    "first": first.key,
                    "second": second.key,
                    "gain": step["difference"],
                    "error": round(step["standard_error"], 5),
                    "freedom": step["degrees_of_freedom"],
                }
                for step in row["steps"]
                for first, second in [(parse_strategy(step["first"]), parse_strategy(step["second"]))]
                if (first, second) in FORECAST_STEPS
            ],
        }
        for row in sorted(found, key=lambda row: (row["set"], row["draw"]))
    ]


def sets_left_out(measured: MeasuredStep) -> Forecasts:
    """Every set forecast from the others."""
    parts = []
    paid = measured.paid(MARGIN)
    for source in sorted(set(measured.sources)):
        mine = measured.is_from(source)
        forecaster = fit_forecaster(measured.part(~mine), margin=MARGIN)
        some = np.ones(int(mine.sum()))
        parts.append(
            Forecasts(
                sources=np.array([source] * len(some)),
                gains=measured.gains[mine],
                points=forecaster.gains(measured.facts[mine]),
                means=measured.gains[~mine].mean() * some,
                halves=forecaster.half_width() * some,
                paid=paid[mine],
                pays=forecaster.probabilities(measured.facts[mine]),
                rates=paid[~mine].mean() * some,
            )
        )
    return joined(parts)


def joined(parts: Sequence[Forecasts]) -> Forecasts:
    """All of them."""
    return Forecasts(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Forecasts)))


def by_set(values: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Mean of each set."""
    return np.array([values[sources == source].mean() for source in sorted(set(sources))])


def clustered(values: np.ndarray, sources: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean over sets."""
    means = by_set(values, sources)
    half = student.ppf(0.975, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5
    return float(means.mean() - half), float(means.mean() + half)


def tested(found: Forecasts) -> Row:
    """What came of it: a difference below 0 favours the forecast."""
    miss, miss_of_mean = found.misses
    brier, brier_of_rate = found.brier
    miss_difference = clustered(miss - miss_of_mean, found.sources)
    brier_difference = clustered(brier - brier_of_rate, found.sources)

    def mean(values: np.ndarray) -> float:
        return round(float(by_set(values, found.sources).mean()), 5)

    return {
        "studies": len(found.gains),
        "sets": len(set(found.sources)),
        "gain": mean(found.gains),
        "miss": mean(miss),
        "miss_of_mean": mean(miss_of_mean),
        "miss_difference": [round(end, 5) for end in miss_difference],
        "covered": mean((miss <= found.halves).astype(float)),
        "half_width": mean(found.halves),
        "paid": mean(found.paid),
        "brier": mean(brier),
        "brier_of_rate": mean(brier_of_rate),
        "brier_difference": [round(end, 5) for end in brier_difference],
        "better_than_mean": bool(miss_difference[1] < 0),
        "better_than_rate": bool(brier_difference[1] < 0),
    }


def reliability(found: Forecasts) -> list[Row]:
    """Steps in the order of their forecast probability, in bins."""
    order = np.argsort(found.pays, kind="stable")
    return [
        {
            "steps": len(part),
            "forecast": [round(float(found.pays[part].min()), 3), round(float(found.pays[part].max()), 3)],
            "mean_forecast": round(float(found.pays[part].mean()), 3),
            "paid": round(float(found.paid[part].mean()), 3),
        }
        for part in np.array_split(order, max(1, min(BINS, len(order) // BIN)))
    ]


def tests_of(studies: Sequence[Row]) -> tuple[list[Row], Row]:
    """A test of each step, and of all of them together, also without the one that says nothing new."""
    steps: list[tuple[Step, Forecasts]] = []
    for step in FORECAST_STEPS:
        measured = of_step(studies, step)
        if len(set(measured.sources)) > 2:  # one is left out, and of the others one again
            steps.append((step, sets_left_out(measured)))
    every = joined([found for _, found in steps])
    each = [{"first": step[0].key, "second": step[1].key, **tested(found)} for step, found in steps]
    new = joined([found for step, found in steps if step != TURNED])
    return each, {**tested(every), "bins": reliability(every), "without_turned": tested(new)}


def table_of(found: Iterable[Row]) -> Row:
    """The table that ships."""
    studies = studies_of(found)
    tests, _ = tests_of(studies)
    return {"network": "tf_efficientnet_lite0", "margin": MARGIN, "tests": tests, "studies": studies}


def written(table: Row) -> str:
    """A line a test and a study."""
    lines = {key: ",\n  ".join(json.dumps(row) for row in table[key]) for key in ("tests", "studies")}
    head = json.dumps({key: table[key] for key in ("network", "margin")})[:-1]
    return f'{head},\n "tests": [\n  {lines["tests"]}],\n "studies": [\n  {lines["studies"]}]}}\n'


def main() -> None:
    """Make the table, or a row for the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rebuild", action="store_true", help="write the table that ships with the package")
    asked = parser.parse_args()
    found = rows(STEPS)
    if asked.rebuild:
        TABLE.write_text(written(table_of(found)), encoding="utf-8")
        print(f"{TABLE} from {len(found)} studies")
        return
    tests, every = tests_of(studies_of(found))
    keep({"measure": MEASURE, "code": code_version(), "margin": MARGIN, "tests": tests, "all": every})


if __name__ == "__main__":
    main()
