"""Write docs/answer.md and its picture from results.jsonl: ``python benchmarks/answer.py``.

The newest run of each set with one budget counts; ``panel.py`` makes them.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from panel import MEASURE, PROTOCOL, rows
from regrets import Tested, tested
from rules import Against, against, rule_rows
from tables import newest, table

from unfreeze.core.strategies import parse_strategy

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "answer.md", DOCS / "images" / "answer.svg"
BUDGET = "6m"
RIVALS_BUDGET = "10m on 2 cores"
WIDTH, LEFT, RIGHT, TOP, EACH, TICKS = 720, 190, 690, 20, 26, 5  # of the picture; ticks are points apart
HEAD, EXTRACTOR, ALL = "head", "softmax-last", "linear-all"
Row = dict[str, Any]
Step = dict[str, Any]

TEXT = """# Is the last layer enough?

The question that this tool was made for: *freeze the hidden layers and train the last one; then unfreeze two and train
again. Is the first step enough? Is it any different from CNN codes and a linear classifier?* Here it is answered by
measurement on {sets} open image sets, with EfficientNet-Lite0 and its ImageNet weights:

    python benchmarks/panel.py --panel PANEL --seeds 0 --budget {budget}
    python benchmarks/answer.py

{conclusions}
![What each strategy gains over the last layer alone, with 95 % intervals, by image set](images/answer.svg)

*Gains over the trained last layer, in points, with 95 % intervals, where time sufficed to measure them on two folds.*

{table}
Accuracy is that of held-out images, each predicted by a training that has not seen it. *Unfreezing* names the depth
with the best score that was measured; a dash where {budget} did not suffice on two cores. A larger budget measures more
of them ([how much a short run decides](benchmarks.md)). Other networks, and sets that are much larger, may answer
otherwise: that is why the program measures yours.

## Which of the four rules of thumb held?

    python benchmarks/rules.py --panel PANEL
    python benchmarks/rivals.py --panel PANEL --peers PEERS --peer-python PYTHON --budget {rivals}

{rules_said}

[The rules](explanation/facts-and-rules.md) ask for the number of images and for similarity to the source's; what a rule
names was trained by itself, beside every other plan, and scored on the set's own test part.

{rules}
*Surest rival* is the other plan whose gain over the best one of the rule's kind is surest, in points of the metric that
decides; the interval is a bootstrap over groups and seeds, 95 % divided among the rivals. A rule did not hold where a
rival gains more than one point, held where all others lose. *Not measured*: no plan of the rule's kind fits the budget,
or was among the plans.

## What three of the reports say

    python benchmarks/panel.py --panel PANEL --seeds 0 --budget 3m --runs RUNS

The beginnings of `report.html` of runs of three minutes, from nothing that was kept: insects, waste, and letters of
five alphabets, drawn by twenty people each, of whom each is held back as a whole.

![Hymenoptera: the last layer is used, and whether unfreezing helps is not clear](images/report-hymenoptera.png)

![Trashnet: a linear classifier on all layers is used](images/report-trashnet.png)

![Omniglot: a linear classifier on all layers is used; there was no time for unfreezing](images/report-omniglot.png)
"""


def step(row: Row, first: str, second: str) -> Step | None:
    """A step of a run; None if it was not measured on two splits."""
    found = (one for one in row["steps"] if (one["first"], one["second"]) == (first, second) and one["splits"] > 1)
    return next(found, None)


def deepest(row: Row) -> Step | None:
    """The step from the head to the depth that gains most."""
    found = [
        known
        for one in row["steps"]
        if one["first"] == HEAD and parse_strategy(one["second"]).is_deeper
        if (known := step(row, HEAD, one["second"])) is not None
    ]
    return max(found, key=lambda known: known["difference"], default=None)


def percent(row: Row, key: str) -> str:
    """The accuracy of a strategy; a dash where there is none."""
    reached = row["strategies"].get(parse_strategy(key).label)
    return "-" if reached is None or reached["accuracy"] is None else f"{100 * reached['accuracy']:.1f}"


def gain(known: Step | None) -> str:
    """A difference with its interval, in points, and the answer."""
    if known is None:
        return "-"
    low, high = known["interval"]
    return f"{100 * known['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}): {known['answer']}"


def line(row: Row) -> list[str]:
    """A set, as a row of the table."""
    deep = deepest(row)
    over_all = step(row, ALL, deep["second"]) if deep else None
    named = f"{parse_strategy(deep['second']).plain}: " if deep else ""
    same = step(row, EXTRACTOR, HEAD)
    differ = "-" if same is None else f"{same['disagreements']:,} of {same['predictions']:,}"
    return [
        *(row["set"], percent(row, HEAD), differ, gain(step(row, HEAD, ALL))),
        *(named + gain(deep), gain(over_all), parse_strategy(_picked(row)).plain),
    ]


def _picked(row: Row) -> str:
    keys = [known for one in row["steps"] for known in (one["first"], one["second"])]
    return next((key for key in keys if parse_strategy(key).label == row["picked"]), HEAD)


def conclusions(found: list[Row]) -> str:
    """What the rows say together, counted."""
    sets = len(found)
    joined = [step(row, HEAD, ALL) for row in found]
    deep = [(row, known) for row in found if (known := deepest(row)) is not None]
    over_all = [known for row, one in deep if (known := step(row, ALL, one["second"])) is not None]
    extractor = [known for row in found if (known := step(row, EXTRACTOR, HEAD)) is not None]
    differ = sum(one["disagreements"] for one in extractor)
    of_all = sum(one["predictions"] for one in extractor)
    lines = (
        "**Is step one any different from codes and a linear classifier?** No: they disagree on "
        f"{differ:,} of {of_all:,} predictions on {len(extractor)} sets.",
        "**Is the last layer enough?** A linear classifier that reads all layers is worth it over the last layer on "
        f"{_worth(joined)} of {sets} sets, and trains in seconds. Unfreezing is worth it over the last layer on "
        f"{_worth(one for _, one in deep)} of the {len(deep)} sets where it was measured on two folds.",
        f"**Is unfreezing worth it over all layers?** On {_worth(over_all)} of {len(over_all)} sets; not worth it on "
        f"{_answered(over_all, 'not worth it', 'equivalent')}, and open on {_answered(over_all, 'cannot tell')}.",
    )
    return "".join(f"- {said}\n" for said in lines)


def _worth(steps: Iterable[Step | None]) -> int:
    return _answered(steps, "worth it")


def _answered(steps: Iterable[Step | None], *answers: str) -> int:
    return sum(one is not None and one["answer"] in answers for one in steps)


def picture(found: list[Row]) -> str:
    """Gains over the last layer as dots with intervals, all sets on one axis: an SVG."""
    marks = [
        (f"{row['set']}, {what}", colour, [100 * value for value in (known["difference"], *known["interval"])])
        for row in found
        for what, colour, known in (
            ("all layers", "#0b62a8", step(row, HEAD, ALL)),
            ("unfreezing", "#a84f08", deepest(row)),
        )
        if known is not None
    ]
    low, high = min(0.0, *(values[1] for *_, values in marks)), max(0.0, *(values[2] for *_, values in marks))
    height = TOP + EACH * len(marks) + 40

    def x(value: float) -> float:
        return round(LEFT + (value - low) / (high - low) * (RIGHT - LEFT), 1)

    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
    parts = [f'{opening} font-size="13"><rect width="{WIDTH}" height="{height}" fill="#fff"/>']
    parts.append(f'<line x1="{x(0)}" x2="{x(0)}" y1="{TOP - 8}" y2="{height - 34}" stroke="#888"/>')
    for place, (name, colour, (gained, least, most)) in enumerate(marks):
        y = TOP + EACH * place + EACH // 2
        parts.append(f'<text x="10" y="{y + 4}">{name}</text><g stroke="{colour}" fill="{colour}" stroke-width="2">')
        parts.append(
            f'<line x1="{x(least)}" x2="{x(most)}" y1="{y}" y2="{y}"/><circle cx="{x(gained)}" cy="{y}" r="4"/></g>'
        )
    for tick in range(TICKS * math.ceil(low / TICKS), int(high) + 1, TICKS):
        parts.append(f'<text x="{x(tick)}" y="{height - 18}" text-anchor="middle" fill="#555">{tick:+d}</text>')
    parts.append(f'<text x="{RIGHT}" y="{height - 4}" text-anchor="end" fill="#555">points gained</text></svg>')
    return "\n".join(parts) + "\n"


def rule_lines(found: list[Row], sets: dict[str, list[Tested]]) -> tuple[str, str]:
    """What came of the rules of thumb, in a sentence and a table."""
    lines, answers = [], []
    for row in found:
        said = against(row["family"], sets[row["set"]]) if row["set"] in sets else Against(best=None)
        answers.append(said.held)
        gained = f"{100 * said.gain:+.1f} ({100 * said.low:+.1f} to {100 * said.high:+.1f})" if said.best else "-"
        lines.append([
            row["set"], f"{row['images']:,}", f"{row['similarity']:.2f}", f"{row['rule']}: {row['family']}",
            said.best or "-", said.rival or "-", gained, said.held,
        ])  # fmt: skip
    counts = {word: answers.count(word) for word in ("yes", "no", "cannot tell", "not measured")}
    sentence = (
        f"Of {len(found)} sets a rule held on {counts['yes']} and did not hold on {counts['no']}; it cannot be told on "
        f"{counts['cannot tell']}, and was not measured on {counts['not measured']}."
    )
    names = ("set", "images", "similarity", "rule", "best of its kind", "surest rival", "gain of the rival", "held")
    return sentence, table(names, lines)


def main() -> None:
    """Write both."""
    wanted = {"measure": MEASURE, "protocol": PROTOCOL, "budget": BUDGET, "seed": 0}
    found = newest([row for row in rows() if wanted.items() <= row.items()], "set")
    names = (
        *("set", "last layer, %", "unlike the extractor", "all layers over it", "unfreezing over it"),
        *("unfreezing over all layers", "picked"),
    )
    rules_said, of_rules = rule_lines(rule_rows(rows()), tested().get(RIVALS_BUDGET, {}))
    text = TEXT.format(
        sets=len(found),
        budget=BUDGET,
        conclusions=conclusions(found),
        table=table(names, map(line, found)),
        rivals=RIVALS_BUDGET.split(maxsplit=1)[0],
        rules_said=rules_said,
        rules=of_rules,
    )
    PAGE.write_text(text)
    PICTURE.write_text(picture(found))


if __name__ == "__main__":
    main()
