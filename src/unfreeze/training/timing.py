"""Layout and precision of training, chosen by timing steps on the user's own images, and kept for later runs.

Kept, because equal runs must give equal bits: a second measurement may see a busier machine and choose otherwise.
"""

import json
import math
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from unfreeze.core.files import disk_errors_explained, sha256_of, write_json
from unfreeze.core.plans import Arithmetic, Plan, Timed
from unfreeze.core.progress import Advance, ignore
from unfreeze.store.places import kept_beside
from unfreeze.training.precision import arithmetics
from unfreeze.training.trials import Inputs, run_trial
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device

TIMED_STEPS = 2
# A step that takes so many times what can be afforded ends the timing: on a CPU the first one, which also pays for what
# is prepared once (up to two and a half times a later one), and another candidate may take a fraction of its time; on a
# GPU, where the first one loads libraries, the second.
TOO_SLOW = 10.0
WORTH_A_CHANGE = 0.9  # a candidate replaces an earlier one only below this part of its time: else noise would choose


class TooSlowError(Exception):
    """Training takes many times what can be afforded."""


def choose_arithmetic(
    start: Backbone,
    plan: Plan,
    inputs: Inputs,
    rows: Int[np.ndarray, " row"],
    *,
    seed: int,
    cache: Path | None,
    advance: Advance = ignore,
    affordable: float = math.inf,
) -> tuple[Timed, tuple[Timed, ...]]:
    """The layout and precision to train in: the kept choice, else the fastest of all candidates.

    Args:
        start: Is not changed.
        plan: Its layout and precision do not matter.
        inputs: Inputs and labels.
        rows: The rows to train on.
        seed: Of the timed steps.
        cache: Folder of what is kept; the user's cache if None.
        advance: Called with 0 at every step, so that it can look at the stop.
        affordable: Seconds that one image may take in one epoch for the training to be of use.

    Returns:
        The choice, and everything that was timed now: the choice alone if it was kept.

    Raises:
        TooSlowError: A step took `TOO_SLOW` times what can be afforded; nothing is kept.
    """
    few = _timed_rows(plan, rows)
    for _ in inputs.examples.batches(few, size=_batch_size(plan, rows), epoch=0):
        advance(0)  # what is decoded once should not count against the first candidate
    key = _key(start, plan, inputs, rows)
    path = kept_beside("training", cache) / f"{sha256_of(json.dumps(key, sort_keys=True).encode())[:16]}.json"
    kept = _kept(path, inputs.device)
    wanted = arithmetics(inputs.device) if kept is None else (kept,)
    timed = tuple(
        _time(start, plan, inputs, few, arithmetic, seed=seed, advance=advance, affordable=affordable)
        for arithmetic in wanted
    )
    chosen = fastest(timed)
    if kept is None:
        with disk_errors_explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {**asdict(chosen.arithmetic), "for": key})
    return chosen, timed


def fastest(timed: Sequence[Timed]) -> Timed:
    """The fastest one; an earlier one stays where a later one is hardly faster.

    Example:
        >>> other = Arithmetic(layout="NCHW", precision="float32")
        >>> plain = Timed(arithmetic=EXACT, seconds=0.05, cost=0.05)
        >>> fastest([plain, Timed(arithmetic=other, seconds=0.04, cost=0.049)]).arithmetic.layout
        'channels_last'
    """
    best = timed[0]
    for candidate in timed[1:]:
        if candidate.cost < WORTH_A_CHANGE * best.cost:
            best = candidate
    return best


def _key(start: Backbone, plan: Plan, inputs: Inputs, rows: Int[np.ndarray, " row"]) -> dict[str, Any]:
    """Everything that decides which candidate is fastest."""
    return {
        "network": start.card.name,
        "size": start.card.size,
        "cut": inputs.cut.name,
        "batch": _batch_size(plan, rows),
        "batchnorm": plan.batchnorm,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": inputs.device.name,
        "machine": platform.node(),
        "candidates": [asdict(candidate) for candidate in arithmetics(inputs.device)],
    }


def _kept(path: Path, device: Device) -> Arithmetic | None:
    """The choice of an earlier run; None if there is none, or the file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        arithmetic = Arithmetic(layout=found["layout"], precision=found["precision"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return arithmetic if arithmetic in arithmetics(device) else None


def _batch_size(plan: Plan, rows: Int[np.ndarray, " row"]) -> int:
    return min(plan.batch_size or len(rows), len(rows))


def _timed_rows(plan: Plan, rows: Int[np.ndarray, " row"]) -> Int[np.ndarray, " few"]:
    """Rows of the timed steps and of one before them, which pays for what is prepared once."""
    return np.resize(rows, _batch_size(plan, rows) * (1 + TIMED_STEPS))


def _time(
    start: Backbone,
    plan: Plan,
    inputs: Inputs,
    few: Int[np.ndarray, " few"],
    arithmetic: Arithmetic,
    *,
    seed: int,
    advance: Advance,
    affordable: float,
) -> Timed:
    """The faster one of a few steps on a copy that is thrown away."""
    size = len(few) // (1 + TIMED_STEPS)
    short = replace(plan, epochs=1, batch_size=size, arithmetic=arithmetic)
    on_cpu = inputs.device.is_cpu
    clocks = (time.perf_counter, time.process_time if on_cpu else time.perf_counter)
    stamps = [(clocks[0](), clocks[1]())]

    def stamp(done: int) -> None:
        advance(0)
        if not done:
            return
        stamps.append((clocks[0](), clocks[1]()))
        decides = len(stamps) == (2 if on_cpu else 3)
        if decides and stamps[-1][0] - stamps[-2][0] > TOO_SLOW * affordable * size:
            raise TooSlowError

    run_trial(start, short, inputs, few, seed=seed, advance=stamp)
    steps = np.diff(np.array(stamps[1:]), axis=0).min(axis=0) / size
    return Timed(arithmetic=arithmetic, seconds=float(steps[0]), cost=float(steps[1]))
