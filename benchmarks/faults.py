"""Faults in numbers: what `tests/faults` tries, with the counts of a release, in portions.

    python benchmarks/faults.py --minutes 10      # go on with whatever has the fewest of its tries
    python benchmarks/faults.py --page            # write docs/reliability.md

A portion is some tries of one kind with a seed of its own; each leaves a row in `faults.jsonl`: how many were tried,
how many did not hold, and the first of those in words. Kinds and counts stand in `PLAN`. `make faults-long` goes on
until all is done.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from panel import code_version, keep, rows

from faultlab import changes, corpus, decoders, flips, hostile, kills, operations
from faultlab.lab import Lab, Try
from faultlab.warm import Warm
from unfreeze.images.pool import DecoderPool

RESULTS = Path(__file__).with_name("faults.jsonl")
ROWS = Path(__file__).with_name("fault_rows.csv")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "reliability.md"
OPERATIONS = {"codes": 70, "upkeep": 12, "openvino": 140, "tune": 70, "run": 560}  # about as many as each has


@dataclass(frozen=True, kw_only=True)
class Portion:
    """What is tried at once.

    Attributes:
        number: From 0, of its kind: also its seed.
        tries: How many at most.
    """

    number: int
    tries: int


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of faults.

    Attributes:
        goal: Rows of the table of faults.
        words: What is tried.
        total: Tries of a release.
        portion: Tries at a time.
        made: Makes the tries of a portion.
    """

    goal: str
    words: str
    total: int
    portion: int
    made: Callable[[Lab, Portion], Iterator[Try]]


def killed(name: str) -> Callable[[Lab, Portion], Iterator[Try]]:
    """R1, R10, R11 of a command."""

    def made(lab: Lab, portion: Portion) -> Iterator[Try]:
        seconds, rng = kills.length(lab, name), random.Random(portion.number)
        for _ in range(portion.tries):
            yield kills.killed_and_resumed(lab, name, seconds=seconds, rng=rng)

    return made


def struck(name: str, kind: operations.Kind) -> Callable[[Lab, Portion], Iterator[Try]]:
    """R2, R3, R4 of a command: every operation in its turn."""

    def made(lab: Lab, portion: Portion) -> Iterator[Try]:
        first = portion.number * PLAN[f"{name}, {kind}"].portion
        for at in range(first + 1, first + 1 + portion.tries):
            yield operations.struck(lab, lab.commands()[name], kind, at)

    return made


def flipped(lab: Lab, portion: Portion) -> Iterator[Try]:
    """R5 of what is read in this process."""
    rng, parts = random.Random(portion.number), flips.parts(lab)
    each = -(-portion.tries // len(parts))
    for name, (path, read) in parts.items():
        yield from flips.flipped(name, path, read, rng, times=each)


def repeated(make: Callable[[Lab, random.Random], Try]) -> Callable[[Lab, Portion], Iterator[Try]]:
    """The same with other random numbers."""

    def made(lab: Lab, portion: Portion) -> Iterator[Try]:
        rng = random.Random(portion.number)
        for _ in range(portion.tries):
            yield make(lab, rng)

    return made


def beside_each_other(lab: Lab, portion: Portion) -> Iterator[Try]:
    """R9."""
    rng, seconds = random.Random(portion.number), kills.length(lab, "codes")
    for number in range(portion.tries):
        processes = (2, 4)[number % 2]
        yield (
            kills.one_place(lab, processes)
            if number % 5 == 4
            else kills.together(lab, processes, seconds=seconds, rng=rng)
        )


def changed(lab: Lab, portion: Portion) -> Iterator[Try]:
    """R12."""
    first = portion.number * portion.tries
    for change in changes.CHANGES[first : first + portion.tries]:
        yield changes.tried(lab, change)


def from_corpus(_: Lab, portion: Portion) -> Iterator[Try]:
    """I1, as far as the corpus was built."""
    found = corpus.files()[portion.number * 100 :][: portion.tries]
    with DecoderPool(workers=2) as pool:
        for path, seen in zip(found, pool.inspect(found), strict=True):
            yield Try(goal="I1", case=path.name, wrong=_of_ours(seen.reason), seen=seen.reason)


def mutated(lab: Lab, portion: Portion) -> Iterator[Try]:
    """I2."""
    from faultlab.mutations import mutated, originals

    rng, sources, folder = random.Random(portion.number), originals(), lab.work / "mutated"
    folder.mkdir(exist_ok=True)
    paths = [folder / str(number) for number in range(portion.tries)]
    for path in paths:
        path.write_bytes(mutated(rng.choice(sources), rng))
    with DecoderPool(workers=2) as pool:
        for path, seen in zip(paths, pool.inspect(paths), strict=True):
            yield Try(goal="I2", case=path.name, wrong=_of_ours(seen.reason), seen=seen.reason)


def _of_ours(reason: str) -> str:
    return reason if reason.startswith(("decoder-error", "decoder-crash", "decoder-timeout")) else ""


def at_decoders(lab: Lab, portion: Portion) -> Iterator[Try]:
    """I3, I4."""
    photos, rng = decoders.draw_slow_photos(lab.work / "slow"), random.Random(portion.number)
    with DecoderPool(workers=1) as pool:
        right = decoders.squares(photos, pool)
    for _, how in zip(range(portion.tries), itertools.cycle(decoders.HOWS), strict=False):
        yield decoders.struck(how, photos, right, rng)


def from_weights(lab: Lab, portion: Portion) -> Iterator[Try]:
    """S1, S2."""
    marker = lab.work / "marker"
    if portion.number == 0:
        folder = lab.work / "hostile"
        folder.mkdir()
        for name, path in hostile.files(folder, marker).items():
            yield hostile.tried(name, path, marker)
        return
    rng, path = random.Random(portion.number), lab.work / "header.safetensors"
    for _ in range(portion.tries):
        path.write_bytes(hostile.mutated_header(rng))
        yield hostile.tried("header", path, marker)


def _operations_plan() -> dict[str, Kind]:
    plan = {}
    for (name, total), kind in itertools.product(OPERATIONS.items(), (*operations.KILLS, *operations.ERRORS)):
        goal = "R2" if kind == "kill" else "R3" if kind in operations.KILLS else "R4"
        words = f"{name}: {kind} at every file operation"
        plan[f"{name}, {kind}"] = Kind(goal=goal, words=words, total=total, portion=10, made=struck(name, kind))
    return plan


PLAN: dict[str, Kind] = {
    "codes": Kind(goal="R1", words="`codes` killed and resumed", total=100, portion=10, made=killed("codes")),
    "run": Kind(goal="R1, R10, R11", words="`run` killed and resumed", total=60, portion=4, made=killed("run")),
    "tune": Kind(goal="R1", words="`tune` killed and begun again", total=40, portion=4, made=killed("tune")),
    **_operations_plan(),
    "flips": Kind(goal="R5", words="bits of what is written or shipped", total=9_800, portion=980, made=flipped),
    "graphs": Kind(
        goal="R5", words="bits of kept graphs", total=200, portion=10, made=repeated(flips.kept_graph_flipped)
    ),
    "shards": Kind(goal="R6", words="a shard of three damaged", total=50, portion=5, made=repeated(flips.shard_lost)),
    "together": Kind(goal="R9", words="2 and 4 processes", total=100, portion=5, made=beside_each_other),
    "changes": Kind(goal="R12", words="kinds of change", total=len(changes.CHANGES), portion=5, made=changed),
    "corpus": Kind(goal="I1, I5", words="files of the corpus", total=1_100, portion=100, made=from_corpus),
    "mutations": Kind(goal="I2", words="images with random damage", total=200_000, portion=5_000, made=mutated),
    "decoders": Kind(goal="I3, I4", words="decoders struck at work", total=200, portion=12, made=at_decoders),
    "weights": Kind(goal="S1, S2", words="weights and headers", total=10_000, portion=1_000, made=from_weights),
}


def done_so_far() -> Counter[str]:
    """Portions by kind."""
    return Counter(row["kind"] for row in rows(RESULTS))


def tried_portion(lab: Lab, name: str, number: int) -> None:
    """Do a portion and keep its row."""
    kind, begun = PLAN[name], time.perf_counter()
    left = kind.total - number * kind.portion
    tries = list(kind.made(lab, Portion(number=number, tries=min(kind.portion, left))))
    wrong = [f"{one.case}: {one.wrong} ({one.seen})" for one in tries if one.wrong]
    found = {"tried": len(tries), "failed": len(wrong), "failures": wrong[:5]}
    seconds = round(time.perf_counter() - begun, 1)
    keep({"kind": name, "portion": number, **found, "seconds": seconds, "code": code_version()}, to=RESULTS)


def portions(only: list[str]) -> Iterator[tuple[str, int]]:
    """What is to be done, that of which the smallest share is done first."""
    done = done_so_far()
    while True:
        open_kinds = {name: kind for name, kind in PLAN.items() if done[name] * kind.portion < kind.total}
        wanted = {name: kind for name, kind in open_kinds.items() if not only or name in only}
        if not wanted:
            return
        name = min(wanted, key=lambda name: done[name] * wanted[name].portion / wanted[name].total)
        yield name, done[name]
        done[name] += 1


def work(minutes: float, only: list[str]) -> None:
    """Do portions for so long."""
    end = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as name, Warm(Path(name) / "warm") as warm:
        lab = Lab(warm, Path(name) / "lab")
        for kind, number in portions(only):
            tried_portion(lab, kind, number)
            if time.monotonic() > end:
                return


def main() -> None:
    """Do portions, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", nargs="*", default=[], choices=list(PLAN), metavar="KIND")
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    if asked.page:
        from fault_page import page

        PAGE.write_text(page(rows(RESULTS), {name: (k.goal, k.words, k.total) for name, k in PLAN.items()}))
    else:
        work(asked.minutes, asked.only)


if __name__ == "__main__":
    main()
