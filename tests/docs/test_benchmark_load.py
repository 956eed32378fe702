"""The load on a service: when photos are due, and what is said of answers."""

import asyncio
import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("aiohttp")


def test_as_many_photos_are_due_as_asked(scripts: Any, rng: np.random.Generator) -> None:
    """A Poisson process: their number within four deviations of rate times time, in order, none too late."""
    due = list(scripts("load").arrivals(50.0, 100.0, rng))

    assert abs(len(due) - 5000) < 4 * math.sqrt(5000)
    assert due == sorted(due)
    assert 0 < due[0] < due[-1] < 100


def test_refusals_are_told_apart(scripts: Any) -> None:
    """Photos a second are those that were served; times of the others stand by themselves; a fault is no refusal."""
    load = scripts("load")
    answers = [load.Answer(200, 0.1), load.Answer(200, 0.3), load.Answer(503, 0.004), load.Answer(429, 0.002)]

    said = load.told(answers, 2.0)

    assert (said["photos"], said["a_second"], said["refused"]) == (4, 1.0, 2)
    assert (said["served_ms"][0], said["refused_ms"][0]) == (200.0, 3.0)
    with pytest.raises(RuntimeError, match="500"):
        load.told([*answers, load.Answer(500, 0.1)], 2.0)


def test_a_photo_that_waits_for_others_is_late(scripts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open loop sends on time although answers take longer than photos come, and counts from when each was due."""
    load = scripts("load")

    async def ask(session: Any, photo: bytes, due: float) -> Any:
        await asyncio.sleep(0.2)
        return load.Answer(200, load.time.perf_counter() - due)

    monkeypatch.setattr(load, "ask", ask)
    answers = asyncio.run(load.open_loop(None, [b""], 100.0, 0.3))

    assert len(answers) > 10
    assert min(answer.seconds for answer in answers) >= 0.2
