"""R1, R9, R10, R11: commands that are killed at random moments, alone and beside each other, and then go on."""

import os
import random
import signal
import time
from pathlib import Path

from faultlab.lab import Lab, Try, digest, fresh, litter


def length(lab: Lab, name: str) -> float:
    """Seconds that an undisturbed command takes here and now."""
    command = lab.commands()[name]
    cache, out = fresh(lab.work / "cache", like=command.cache), fresh(lab.work / "out")
    begun = time.perf_counter()
    lab.done(command.begin(out), cache=cache)
    return time.perf_counter() - begun


def killed_and_resumed(lab: Lab, name: str, *, seconds: float, rng: random.Random) -> Try:
    """R1: kill a command up to three times within its `seconds`, then let it end: all is as undisturbed."""
    command = lab.commands()[name]
    cache, out = fresh(lab.work / "cache", like=command.cache), fresh(lab.work / "out")
    ends, wrong, arguments = [], [], command.begin(out)
    for _ in range(rng.choice([1, 1, 2, 3])):
        ends.append(lab.warm.killed(arguments, after=rng.uniform(0, seconds), cache=cache))
        wrong.append(command.standing(out))
        arguments = command.again(out)
        if _stands_whole(name, out):
            break
    if not _stands_whole(name, out):
        code = lab.warm.run(arguments, cache=cache)
        wrong.append("" if code == 0 else f"resumed: exit {code}: {lab.warm.said()[-300:]}")
    else:  # refused, since the results stand; what the dead left is swept all the same
        code = lab.warm.run(command.begin(out), cache=cache)
        wrong.append("" if code == 2 else f"again: exit {code}: {lab.warm.said()[-300:]}")
    if not any(wrong):
        wrong.append(command.finished(out))
    if lab.warm.run(["cache", "verify"], cache=cache) != 0:
        wrong.append("verify finds damage")
    wrong.append(f"left {left}" if (left := litter(cache, out)) else "")
    return Try(goal="R1", case=f"{name}, killed", wrong="; ".join(filter(None, wrong)), seen=f"ends {ends}")


def _stands_whole(name: str, out: Path) -> bool:
    last = {"run": "run/run.json", "tune": "model/config.json"}.get(name, "codes.parquet")
    return (out / last).exists()


def together(lab: Lab, processes: int, *, seconds: float, rng: random.Random) -> Try:
    """R9: of several that fill one cache one is killed; the rest, and a later one, lose and double no row."""
    assert lab.right_codes
    cache, out = fresh(lab.work / "cache"), fresh(lab.work / "out")
    logs = [lab.work / f"together-{number}.txt" for number in range(processes)]
    begun = [
        lab.warm.start(lab.codes(out / f"{number}.parquet"), cache=cache, log=log) for number, log in enumerate(logs)
    ]
    time.sleep(rng.uniform(0.2, 1.0) * seconds)
    os.killpg(rng.choice(begun), signal.SIGKILL)
    ends = [lab.warm.wait(pid) for pid in begun]
    wrong = [f"{ends}: {logs[n].read_text()[-200:]}" for n, end in enumerate(ends) if end not in (0, -9)]
    lab.done(lab.codes(out / "again.parquet"), cache=cache)
    wrong += [f"{path.name} differs" for path in sorted(out.glob("*.parquet")) if digest(path) != lab.right_codes]
    wrong += ["verify finds damage"] if lab.warm.run(["cache", "verify"], cache=cache) != 0 else []
    wrong += [f"left {left}"] if (left := litter(cache, out)) else []
    return Try(goal="R9", case=f"{processes} processes on one cache", wrong="; ".join(wrong), seen=f"ends {ends}")


def one_place(lab: Lab, processes: int) -> Try:
    """R9: of several processes with one --out, one writes it, and each other one is told."""
    assert lab.right_codes
    cache, out = fresh(lab.work / "cache"), fresh(lab.work / "out")
    logs = [lab.work / f"place-{number}.txt" for number in range(processes)]
    begun = [lab.warm.start(lab.codes(out / "codes.parquet"), cache=cache, log=log) for log in logs]
    ends = [lab.warm.wait(pid) for pid in begun]
    wrong = [] if sorted(map(str, ends)) == ["0", *["2"] * (processes - 1)] else [f"exit codes {ends}"]
    wrong += [] if digest(out / "codes.parquet") == lab.right_codes else ["the codes differ"]
    wrong += [f"left {left}"] if (left := litter(cache, out)) else []
    return Try(goal="R9", case=f"{processes} processes with one --out", wrong="; ".join(wrong), seen=f"ends {ends}")
