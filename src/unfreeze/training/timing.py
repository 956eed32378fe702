"""What a step of training takes, timed on activations that are made up, before anything is remembered for it.

Layout and precision are the fastest of a few, and kept for later runs, because equal runs must give equal bits: a
second measurement may see a busier machine and choose otherwise. How many threads are best depends on what else runs.
"""

import json
import math
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import psutil
import torch
from jaxtyping import Int
from torch import Tensor

from unfreeze.core.files import disk_errors_explained, make_folder, sha256_of, write_json
from unfreeze.core.plans import Arithmetic, Plan, Timed
from unfreeze.core.progress import Advance, ignore
from unfreeze.store.places import kept_beside
from unfreeze.training.freezing import apply_plan
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
FEWER_THREADS = 0.75  # of the time of one thread, which all threads must stay below
HELD_UP = 3.0  # times what one thread takes: then all threads wait for one, and their timing ends after a step
BATCH_OF_WHOLE = 8  # images of a timed step where the whole network learns, which takes its time
TRAINING_SHARE = 0.5  # of the memory that is free, for trainings side by side


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


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a training runs here, and what it costs.

    Attributes:
        timed: The arithmetic of trainings on splits, one core each; its seconds are of one image, as many images as
            trainings run side by side passing by in that time.
        others: What else was timed.
        side_by_side: How many trainings run at a time, each on a core of its own: that is faster than one after the
            other on all cores, and on a busy machine many times as fast, since no core waits for another one.
        alone: The same arithmetic for a training that runs alone, on as many threads as are best now.
        draws: Whether training draws torch's random numbers; such trainings run one after the other.
    """

    timed: Timed
    others: tuple[Timed, ...]
    side_by_side: int
    alone: Timed
    draws: bool


def time_training(
    start: Backbone,
    plan: Plan,
    inputs: Inputs,
    *,
    cache: Path | None,
    advance: Advance = ignore,
    affordable: float = math.inf,
    like: Pace | None = None,
    pinned: Arithmetic | None = None,
) -> Pace:
    """Layout and precision, the kept choice or else the fastest of all candidates; how many at a time; and threads.

    Where the whole network learns, the likeliest candidate alone is timed: the others seldom win, and steps are long.

    Args:
        start: Is not changed.
        plan: Its arithmetic does not matter.
        inputs: Where the learning part begins; its examples are not asked.
        cache: Folder of what is kept; the user's cache if None.
        advance: Called with 0 at every step, so that it can look at the stop.
        affordable: Seconds that one image may take in one epoch for the training to be of use.
        like: Another training's pace here, which tells how many threads are best alone; timed if None.
        pinned: Layout and precision to take, and the threads of a training that runs alone, in place of what is kept
            or fastest; nothing is kept then.

    Returns:
        The pace.

    Raises:
        TooSlowError: A step took `TOO_SLOW` times what can be afforded; nothing is kept.
    """
    steps = _Steps(start, inputs, advance, affordable)
    key = _key(start, plan, inputs)
    path = kept_beside("training", cache) / f"{sha256_of(json.dumps(key, sort_keys=True).encode())[:16]}.json"
    kept = _kept(path, inputs.device) if pinned is None else replace(pinned, threads=None)
    wanted = _candidates(plan, inputs.device) if kept is None else (kept,)
    at_once = steps.that_fit(plan) if inputs.device.is_cpu else 1
    threads = 1 if at_once > 1 else None
    before = torch.get_rng_state()
    plans = [replace(plan, arithmetic=replace(one, threads=threads)) for one in wanted]
    timed = tuple(steps.timed(one, at_once=at_once) for one in plans)
    draws = not torch.equal(before, torch.get_rng_state())
    torch.set_rng_state(before)
    if draws and at_once > 1:
        at_once, timed = 1, tuple(replace(one, seconds=at_once * one.seconds) for one in timed)
    chosen = fastest(timed)
    if kept is None:
        with disk_errors_explained(path):
            make_folder(path.parent, private=True)
        found = {"layout": chosen.arithmetic.layout, "precision": chosen.arithmetic.precision, "for": key}
        write_json(path, found, private=True)
    return Pace(
        timed=chosen,
        others=tuple(one for one in timed if one != chosen),
        side_by_side=at_once,
        alone=_alone(steps, plan, chosen, at_once, like) if pinned is None else _as_pinned(chosen, at_once, pinned),
        draws=draws,
    )


def _as_pinned(chosen: Timed, at_once: int, pinned: Arithmetic) -> Timed:
    """One training on the threads that are asked for, as fast as on one."""
    return replace(chosen, arithmetic=pinned, seconds=at_once * chosen.seconds)


def _alone(steps: "_Steps", plan: Plan, chosen: Timed, at_once: int, like: Pace | None) -> Timed:
    """One training on all threads, or on one where all are hardly faster: where one thread is held up, all wait.

    That is a matter of what else runs now, so that the first strategy that is timed tells it for all.
    """
    single = replace(chosen, seconds=at_once * chosen.seconds)
    if single.arithmetic.threads is None:
        return single
    if like is not None:
        faster = like.alone.seconds / (like.side_by_side * like.timed.seconds)
        arithmetic = replace(single.arithmetic, threads=like.alone.arithmetic.threads)
        return replace(single, arithmetic=arithmetic, seconds=faster * single.seconds)
    on_all = replace(plan, arithmetic=replace(single.arithmetic, threads=None))
    try:
        found = replace(steps, affordable=HELD_UP * single.seconds / TOO_SLOW).timed(on_all)
    except TooSlowError:
        return single
    return found if found.seconds < FEWER_THREADS * single.seconds else single


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


@dataclass(frozen=True, eq=False)
class _Steps:
    """Times steps on copies that are thrown away.

    Attributes:
        start: What training starts from.
        inputs: Where the learning part begins; their examples are not asked.
        advance: As of `time_training`.
        affordable: As of `time_training`.
    """

    start: Backbone
    inputs: Inputs
    advance: Advance
    affordable: float

    def timed(self, plan: Plan, *, at_once: int = 1) -> Timed:
        """The fastest of a few steps, after one that pays for what is prepared once; of several trainings at a time."""
        clocks = (time.perf_counter, time.process_time if self.inputs.device.is_cpu else time.perf_counter)
        whole = plan.strategy.blocks is None
        plan = replace(plan, batch_size=min(plan.batch_size or 1, BATCH_OF_WHOLE if whole else sys.maxsize))
        size, stamps = plan.batch_size or 1, [(clocks[0](), clocks[1]())]

        def stamp(done: int) -> None:
            self.advance(0)
            if done:
                stamps.append((clocks[0](), clocks[1]()))
                self._give_up_if_slow(stamps, size)

        with ThreadPoolExecutor(max(1, at_once - 1)) as beside:
            others = [beside.submit(self._run, plan, ignore) for _ in range(at_once - 1)]
            self._run(plan, stamp)
            for other in others:
                other.result()
        steps = np.diff(np.array(stamps[1:]), axis=0).min(axis=0) / size / at_once
        return Timed(arithmetic=plan.arithmetic, seconds=float(steps[0]), cost=float(steps[1]))

    def that_fit(self, plan: Plan) -> int:
        """How many trainings memory holds at a time, one a core at most: their maps and what learns, four times."""
        backbone = self.start.copy()
        learning = apply_plan(backbone.network, plan)
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        batch = next(MadeUp(self.inputs.cut.shape).batches(np.arange(1), size=plan.batch_size or 1, epoch=0))
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            backbone.suffix(self.inputs.cut)(batch)
        one = sum(kept.values()) + 4 * sum(parameter.nbytes for parameter in learning.values())
        held = int(TRAINING_SHARE * psutil.virtual_memory().available / max(1, one))
        return max(1, min(torch.get_num_threads(), held))

    def _run(self, plan: Plan, advance: Advance) -> None:
        examples = MadeUp(self.inputs.cut.shape)
        inputs = replace(self.inputs, examples=examples, features=examples)
        rows = np.resize(np.arange(len(inputs.labels)), (plan.batch_size or 1) * (1 + TIMED_STEPS))
        TrainingRun(self.start, plan, inputs, rows, seed=0, draws=False).train_to(1, advance=advance)

    def _give_up_if_slow(self, stamps: Sequence[tuple[float, float]], size: int) -> None:
        decides = len(stamps) == (2 if self.inputs.device.is_cpu else 3)
        if decides and stamps[-1][0] - stamps[-2][0] > TOO_SLOW * self.affordable * size:
            raise TooSlowError
