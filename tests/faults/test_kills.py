"""Commands that are killed at random moments: whoever goes on, or works beside them, gets what nobody disturbed."""

import random

import pytest

from faultlab.kills import killed_and_resumed, length, one_place, together
from faultlab.lab import Lab, Try

pytestmark = pytest.mark.lab

KILLS = {"codes": 10, "tune": 3, "run": 3}


def killed(lab: Lab, name: str, seed: int) -> list[Try]:
    """As many as `KILLS` says."""
    seconds, rng = length(lab, name), random.Random(seed)
    return [killed_and_resumed(lab, name, seconds=seconds, rng=rng) for _ in range(KILLS[name])]


def test_codes_are_resumed_to_the_bit(lab: Lab, seed: int) -> None:
    """However often `codes` is killed, the next one gives the bits of one that nobody disturbed."""
    assert [one for one in killed(lab, "codes", seed) if one.wrong] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tune", "run"])
def test_trainings_are_resumed_to_the_bit(lab: Lab, name: str, seed: int) -> None:
    """A run with a fixed plan goes on to the same record and weights; `tune` begins anew to the same weights."""
    assert [one for one in killed(lab, name, seed) if one.wrong] == []


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_a_cache(lab: Lab, processes: int, seed: int) -> None:
    """Of several that fill one cache one is killed: nothing is lost, doubled or torn."""
    seconds, rng = length(lab, "codes"), random.Random(seed)

    assert [one for one in (together(lab, processes, seconds=seconds, rng=rng) for _ in range(2)) if one.wrong] == []


@pytest.mark.parametrize("processes", [2, 4])
def test_one_of_several_gets_the_place(lab: Lab, processes: int) -> None:
    """Of several with one --out, one writes, and each other one is told at once."""
    assert one_place(lab, processes).wrong == ""
