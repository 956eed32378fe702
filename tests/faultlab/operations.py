"""R2, R3, R4: the N-th file operation of a command kills it, is torn, is the last before a power cut, or fails."""

import errno
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from faultlab.lab import OURS, Command, Lab, Try, fresh, litter
from faultlab.warm import Fault, Mode

Kind = Literal["kill", "torn", "power", "enospc", "enospc_on", "eio", "eacces"]
KILLS: tuple[Kind, ...] = ("kill", "torn", "power")
ERRORS: tuple[Kind, ...] = ("enospc", "enospc_on", "eio", "eacces")
_MODES: dict[Kind, tuple[Mode, int]] = {
    "kill": ("kill", 0),
    "torn": ("torn", 0),
    "power": ("kill", 0),
    "enospc": ("fail", errno.ENOSPC),
    "enospc_on": ("fail_on", errno.ENOSPC),
    "eio": ("fail", errno.EIO),
    "eacces": ("fail", errno.EACCES),
}
# 0 where the operation does not matter, or something else does instead.
_ENDS: dict[Kind, set[int | None]] = {
    **{kind: {-9, 0} for kind in KILLS},
    "enospc": {0, 4},
    "enospc_on": {0, 4},
    "eio": {0, 4},
    "eacces": {0, 2},
}


def operations(lab: Lab, command: Command) -> int:
    """How many file operations below cache and results an undisturbed command has."""
    cache, out = _places(lab, command)
    log = lab.work / "operations.txt"
    fault = Fault(mode="count", folders=(str(cache), str(out)), log=str(log))
    lab.done(command.begin(out), cache=cache, fault=fault)
    return len(log.read_text().splitlines())


def struck(lab: Lab, command: Command, kind: Kind, at: int) -> Try:
    """Have one operation of a command fail, try the command again, and say what did not hold.

    What stands afterwards is whole or absent; the same command (or ``--resume``) then gives what an undisturbed one
    gives, bit for bit; nothing half written is left; no error is called a fault of unfreeze.
    """
    cache, out = _places(lab, command)
    before = {str(path) for folder in (cache, out) for path in (folder, *folder.rglob("*"))}
    log, (mode, number) = lab.work / "operations.txt", _MODES[kind]
    fault = Fault(mode=mode, at=at, error=number, folders=(str(cache), str(out)), log=str(log))
    code = lab.warm.run(command.begin(out), cache=cache, fault=fault)
    said, lines = lab.warm.said(), log.read_text().splitlines()
    if kind == "power":
        cut_power(lines, before, random.Random(at))
    wrong = [] if code in _ENDS[kind] else [f"exit code {code}"]
    wrong += [found[0] for found in [OURS.search(said)] if found]
    wrong += [command.standing(out)]
    wrong += _again(lab, command, cache, out)
    struck_at = lines[min(at, len(lines)) - 1].split("\t")[1:3] if lines else []
    seen = f"exit {code} at {' '.join(struck_at).replace(str(lab.work), '')}"
    goal = "R2" if kind == "kill" else "R3" if kind in KILLS else "R4"
    return Try(
        goal=goal, case=f"{command.name}, {kind}, operation {at}", wrong="; ".join(filter(None, wrong)), seen=seen
    )


def _places(lab: Lab, command: Command) -> tuple[Path, Path]:
    return fresh(lab.work / "cache", like=command.cache), fresh(lab.work / "out")


def _again(lab: Lab, command: Command, cache: Path, out: Path) -> Iterator[str]:
    """What is wrong after the second try."""
    if not _is_finished(command, out):
        code = lab.warm.run(command.again(out), cache=cache)
        if code != 0:
            yield f"again: exit {code}: {lab.warm.said()[-300:]}"
            return
    else:  # the same command refuses to replace them; it sweeps inside of them what was left, another one beside them
        code = lab.warm.run(command.begin(out), cache=cache)
        if code != 2:
            yield f"the same again: exit {code}: {lab.warm.said()[-300:]}"
        lab.done(lab.codes(out / "second.parquet"), cache=cache)
    yield command.finished(out)
    if command.name == "upkeep":  # what is lost is computed again
        lab.done(lab.codes(out / "codes.parquet"), cache=cache)
        yield lab.commands()["codes"].finished(out)
    if lab.warm.run(["cache", "verify"], cache=cache) != 0:
        yield f"verify: {lab.warm.said()[-200:]}"
    left = litter(cache, out)
    yield f"left {left}" if left else ""


def _is_finished(command: Command, out: Path) -> bool:
    """Whether the results stand there already, so that the same command would refuse to replace them."""
    last = {"run": "run/run.json", "tune": "model/config.json"}.get(command.name, "codes.parquet")
    return (out / last).exists()


def cut_power(lines: list[str], before: set[str], rng: random.Random) -> list[str]:
    """Take away all that was not synchronised when the power went: contents, cut somewhere, and names.

    Args:
        lines: Of the shim's log: number, operation, path and other path, with tabs between.
        before: Paths that were there at the start; their names are safe.
        rng: Where contents are cut.

    Returns:
        What was done.
    """
    unsynced, names = _not_on_disk(lines)
    done = []
    for path in sorted(unsynced):
        if Path(path).is_file():
            os.truncate(path, rng.choice([0, rng.randrange(Path(path).stat().st_size + 1)]))
            done.append(f"cut {path}")
    for changes in names.values():
        for source, target in reversed(changes):
            if target in before or not os.path.lexists(target):
                continue
            if source is not None:
                Path(target).rename(source)
            elif Path(target).is_dir():
                shutil.rmtree(target)
            else:
                Path(target).unlink()
            done.append(f"lost {target}")
    return done


def _not_on_disk(lines: list[str]) -> tuple[set[str], dict[str, list[tuple[str | None, str]]]]:
    """Files whose contents, and by folder the new names, that no fsync reached."""
    unsynced: set[str] = set()
    names: dict[str, list[tuple[str | None, str]]] = {}
    for line in lines:
        _, operation, path, other = line.split("\t")
        if operation == "write":
            unsynced.add(path)
        elif operation == "fsync":
            unsynced.discard(path)
            names.pop(path, None)
        elif operation in {"rename", "link"}:
            if path in unsynced:
                unsynced.add(other)
                unsynced -= {path} if operation == "rename" else set()
            names.setdefault(str(Path(other).parent), []).append((path if operation == "rename" else None, other))
        elif operation in {"create", "mkdir"}:
            names.setdefault(str(Path(path).parent), []).append((None, path))
    return unsynced, names
