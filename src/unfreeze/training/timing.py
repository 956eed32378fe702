"""What a step of training takes, timed on activations that are made up, before anything is remembered for it.

Layout and precision are the fastest of a few, and kept for later runs, because equal runs must give equal bits: a
second measurement may see a busier machine and choose otherwise. How many threads are best depends on what else runs.
"""

import json
import math
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from unfreeze.core.files import disk_errors_explained, sha256_of, write_json
from unfreeze.core.plans import Arithmetic, Plan, Timed
from unfreeze.core.progress import Advance, ignore
from unfreeze.store.codes import kept_beside
from unfreeze.training.precision import arithmetics
from unfreeze.training.trials import Inputs, TrainingRun
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device

TIMED_STEPS = 2
# A step that takes so many times what can be afforded ends the timing: on a CPU the first one, which also pays for what
# is prepared once (up to two and a half times a later one), and another candidate may take a fraction of its time; on a
# GPU, where the first one loads libraries, the second.
TOO_SLOW = 10.0
WORTH_A_CHANGE = 0.9  # a candidate replaces an earlier one only below this part of its time: else noise would choose
FEWER_THREADS = 0.75  # the same for one thread instead of all, which is a matter of what else runs


class TooSlowError(Exception):
    """Training takes many times what can be afforded."""


@final
class MadeUp:
    """A batch of random activations, over and over: a step takes no longer on real ones.

    Args:
        shape: Of one image's.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self._shape = tuple(shape)

    def batches(self, rows: Int[np.ndarray, " row"], *, size: int, epoch: int | None) -> Iterator[Tensor]:  # noqa: ARG002 - all alike
        """As `training.loop.Examples`."""
        batch = torch.from_numpy(np.random.default_rng(0).random((size, *self._shape), np.float32))
        for _ in range(0, len(rows), size):
            yield batch


def time_training(
    start: Backbone,
    plan: Plan,
    inputs: Inputs,
    *,
    cache: Path | None,
    advance: Advance = ignore,
    affordable: float = math.inf,
    like: Timed | None = None,
) -> tuple[Timed, tuple[Timed, ...]]:
    """The layout and precision to train in, the kept choice or else the fastest of all candidates; then the threads.

    Where the whole network learns, the likeliest candidate alone is timed: the others seldom win, and steps are long.

    Args:
        start: Is not changed.
        plan: Its arithmetic does not matter.
        inputs: Where the learning part begins; its examples are not asked.
        cache: Folder of what is kept; the user's cache if None.
        advance: Called with 0 at every step, so that it can look at the stop.
        affordable: Seconds that one image may take in one epoch for the training to be of use.
        like: Another training's choice, which says how many threads are best now; timed if None.

    Returns:
        The choice, and everything that was timed now: the choice alone if it was kept.

    Raises:
        TooSlowError: A step took `TOO_SLOW` times what can be afforded; nothing is kept.
    """
    examples = MadeUp(inputs.cut.shape)
    made_up = replace(inputs, examples=examples, features=examples)
    key = _key(start, plan, inputs)
    path = kept_beside("training", cache) / f"{sha256_of(json.dumps(key, sort_keys=True).encode())[:16]}.json"
    kept = _kept(path, inputs.device)
    wanted = _candidates(plan, inputs.device) if kept is None else (kept,)

    def timed_in(arithmetic: Arithmetic) -> Timed:
        return _time(start, replace(plan, arithmetic=arithmetic), made_up, advance=advance, affordable=affordable)

    known = like.arithmetic.threads if like else None
    timed = tuple(timed_in(replace(arithmetic, threads=known)) for arithmetic in wanted)
    chosen = fastest(timed)
    if kept is None:
        with disk_errors_explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"layout": chosen.arithmetic.layout, "precision": chosen.arithmetic.precision, "for": key})
    if like is None and inputs.device.is_cpu and torch.get_num_threads() > 1:
        alone = timed_in(replace(chosen.arithmetic, threads=1))
        timed = (*timed, alone)
        chosen = alone if alone.seconds < FEWER_THREADS * chosen.seconds else chosen
    return chosen, timed


def _candidates(plan: Plan, device: Device) -> tuple[Arithmetic, ...]:
    """What is timed; of a long step the likeliest alone: in low precision where the device computes it."""
    found = arithmetics(device)
    whole = plan.strategy.blocks is None
    return found[1:2] if whole and device.computes_bfloat16 else found[:1] if whole else found


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


def _key(start: Backbone, plan: Plan, inputs: Inputs) -> dict[str, Any]:
    """Everything that decides which candidate is fastest."""
    return {
        "network": start.card.name,
        "size": start.card.size,
        "cut": inputs.cut.name,
        "batch": plan.batch_size,
        "batchnorm": plan.batchnorm,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": inputs.device.name,
        "machine": platform.node(),
        "candidates": [asdict(candidate) for candidate in _candidates(plan, inputs.device)],
    }


def _kept(path: Path, device: Device) -> Arithmetic | None:
    """The choice of an earlier run; None if there is none, or the file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        arithmetic = Arithmetic(layout=found["layout"], precision=found["precision"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return arithmetic if arithmetic in arithmetics(device) else None


def _time(start: Backbone, plan: Plan, made_up: Inputs, *, advance: Advance, affordable: float) -> Timed:
    """The fastest of a few steps on a copy that is thrown away, after one that pays for what is prepared once."""
    size = plan.batch_size or 1
    rows = np.resize(np.arange(len(made_up.labels)), size * (1 + TIMED_STEPS))
    on_cpu = made_up.device.is_cpu
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

    TrainingRun(start, plan, made_up, rows, seed=0).train_to(1, advance=stamp)
    steps = np.diff(np.array(stamps[1:]), axis=0).min(axis=0) / size
    return Timed(arithmetic=plan.arithmetic, seconds=float(steps[0]), cost=float(steps[1]))
