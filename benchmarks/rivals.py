"""Was the right strategy picked, and does what was picked hold its own against what a user would use instead?

    python benchmarks/rivals.py --panel PANEL --peers PEERS --peer-python PYTHON --budget 5m --seeds 0

For each set and seed, on the same train and test part: one `unfreeze run` with a budget, which picks a strategy; every
other plan by itself (`unfreeze tune`, with the same budget, so that a plan which does not fit is shortened as it would
be in a run); and the peers: fastai's `fine_tune(5)`, timm's codes with LogisticRegressionCV and with a searched
LinearSVC, and vyntri. A peer's budget is what it takes, at most `--peer-limit` seconds: of one that is stopped, what it
had finished counts. Of each it is kept which test images were right.

Rows are appended to `rivals.jsonl` beside this file; a set, seed and side that is there already is not measured again
(a side of ours with the same budget, number of cores and protocol), whatever the version of the code that it names.
`page.py` sums up: see `regrets.py`.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panel import PROTOCOL, code_version, is_there, keep, label
from peers import Place, run_json

RIVALS = Path(__file__).with_name("rivals.jsonl")
PLANS = ("1", "2", "4", "all")
TOO_SMALL = 2  # exit code of a budget that does not hold the fewest epochs
HERE = Path(__file__).parent

Row = dict[str, Any]
Names = list[str]  # of the test images, in the order of list.csv


@dataclass(frozen=True)
class Course(Place):
    """Where things are, and the seconds after which a peer is stopped."""

    peer_limit: int


Side = Callable[[Course, int, Names], Row]  # measures one seed


def test_part(data: Path) -> tuple[Names, list[str], list[str]]:
    """Names, labels and groups of the test images."""
    with (data / "list.csv").open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["split"] == "test"]
    return [line["path"] for line in lines], [line["label"] for line in lines], [line["group"] for line in lines]


def bits(right: dict[str, int], names: Names) -> str:
    """A digit an image: 1 right, 0 wrong, - not asked (an image that was removed as a duplicate)."""
    return "".join(str(right.get(name, "-")) for name in names)


def confirmed(said: Row, names: Names) -> dict[str, str]:
    """Of every strategy in a record that was asked about the test part, which images were right."""
    found = {}
    for strategy in said["strategies"]:
        if strategy["confirmation"] is None:
            continue
        pairs = zip(strategy["confirmation"]["predictions"], said["test_labels"], strict=True)
        right = {name: int(a == b) for name, (a, b) in zip(said["test_images"], pairs, strict=True)}
        found[label(strategy["strategy"])] = bits(right, names)
    return found


def run_side(place: Course, seed: int, names: Names) -> Row:
    """A whole run; of its strategies, those that it asks about the test part."""
    command = [sys.executable, "-m", "unfreeze", "run", str(place.data / "list.csv"), "--json"]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--budget", place.budget, "--seed", str(seed), "--out", f"{folder}/run"]
        said, wall = run_json([*command, *options], UNFREEZE_CACHE=str(place.cache))
    return {
        "budget": place.budget,
        "picked": label(said["picked"]),
        "metric": said["metric"],
        "measured": {label(s["strategy"]): [s["splits"], s["accuracy"], s["status"]] for s in said["strategies"]},
        "deliverable": [label(s["strategy"]) for s in said["strategies"]],  # some could not be, in older rows
        "seconds": round(wall, 1),
        "right": confirmed(said, names),
    }


def plan_side(blocks: str) -> Side:
    """One plan by itself, after the head."""

    def side(place: Course, seed: int, names: Names) -> Row:
        command = [sys.executable, "-m", "unfreeze", "tune", str(place.data / "list.csv"), "--json"]
        with tempfile.TemporaryDirectory() as folder:
            options = ["--unfreeze", blocks, "--budget", place.budget, "--seed", str(seed), "--out", f"{folder}/model"]
            try:
                said, wall = run_json([*command, *options], UNFREEZE_CACHE=str(place.cache))
            except subprocess.CalledProcessError as error:
                if error.returncode != TOO_SMALL:
                    raise
                return {"budget": place.budget, "status": "does not fit", "seconds": 0.0, "right": {}}
        last = said["strategies"][-1]
        return {
            "budget": place.budget,
            "status": last["status"],
            "seconds": round(wall, 1),
            "right": {label(last["strategy"]): confirmed(said, names)[label(last["strategy"])]},
        }

    return side


def peer_side(script: str, *options: str, seeded: bool = False) -> Side:
    """A peer's script."""

    def side(place: Course, seed: int, names: Names) -> Row:
        command = [place.python, str(HERE / "peer_predictions.py"), str(place.peer_limit), str(place.peers / script)]
        said, wall = run_json([*command, str(place.data), *options, *(["--seed", str(seed)] if seeded else [])])
        right = {name: bits(one, names) for name, one in said["right"].items()}
        limited = {"peer_limit": place.peer_limit, "unfinished": said["unfinished"]}
        return {"seconds": round(wall, 1), "said": said["said"], **limited, "right": right}

    return side


PEERS: dict[str, Side] = {
    "fastai": peer_side("fastai_finetune.py", "--epochs", "5", seeded=True),
    "timm": peer_side("timm_codes.py"),
    "vyntri": peer_side("vyntri_fit.py"),
}
SEEDLESS = PEERS.keys() - {"fastai"}  # give the same in every run
SIDES: dict[str, Side] = {"run": run_side, **{f"plan {blocks}": plan_side(blocks) for blocks in PLANS}, **PEERS}


def wanted(sets: list[str], seeds: list[int], sides: list[str]) -> Iterator[tuple[str, int, str]]:
    """Everything to measure: all sets with the first seed, then with the next."""
    for seed in seeds:
        for name in sets:
            for side in sides:
                if side not in SEEDLESS or seed == seeds[0]:
                    yield name, seed, side


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--sets", default="hymenoptera,magtile,omniglot,trashnet")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--peer-limit", type=int, default=3600)
    asked = parser.parse_args()
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    with tempfile.TemporaryDirectory() as cache:
        for name, seed, side in wanted(asked.sets.split(","), seeds, asked.sides.split(",")):
            cores = len(os.sched_getaffinity(0))
            key = key_of(name, seed, side, budget=asked.budget, cores=cores)
            if is_there(key, RIVALS):
                continue
            data = asked.panel / name
            place = Course(data, asked.peers, asked.peer_python, Path(cache), asked.budget, asked.peer_limit)
            names, labels, groups = test_part(place.data)
            measured = SIDES[side](place, seed, names)
            if side == "run":
                measured |= {"labels": numbered(labels), "groups": numbered(groups)}
            row = {**key, "code": code_version(), "cores": cores, **measured}
            keep(row, to=RIVALS, shown=[name for name in (*key, "seconds", "picked") if name in row])


def key_of(name: str, seed: int, side: str, *, budget: str, cores: int) -> Row:
    """What a row must have to be the measurement of a side: of a peer, whatever unfreeze does now."""
    key = {"measure": "rivals", "set": name, "seed": seed, "side": side}
    return key if side in PEERS else key | {"budget": budget, "cores": cores, "protocol": PROTOCOL}


def numbered(words: list[str]) -> list[int]:
    """Each word's place among the sorted ones; -1 for an empty one."""
    places = {word: place for place, word in enumerate(sorted(set(words) - {""}))}
    return [places.get(word, -1) for word in words]


if __name__ == "__main__":
    main()
