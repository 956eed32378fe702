"""Flipped bits in everything that is written or shipped: seen, or without any effect; damage is local."""

import random

import pytest

from faultlab.flips import PARTS, flipped, kept_graph_flipped, parts, shard_lost
from faultlab.lab import Lab

pytestmark = pytest.mark.lab

FLIPS = {
    "config": 140,
    "weights": 20,
    "journal": 100,
    "document": 100,
    "shard": 60,
    "bundled": 20,
    "plan": 60,
    "record": 100,
}


@pytest.mark.parametrize("part", PARTS)
def test_no_bit_flips_silently(lab: Lab, part: str, seed: int) -> None:
    """Whatever bit flips, it is refused by name, made anew, or changes nothing that is read."""
    path, read = parts(lab)[part]

    tries = flipped(part, path, read, random.Random(seed), times=FLIPS[part])

    assert [one for one in tries if one.wrong] == []


@pytest.mark.slow
def test_what_is_kept_beside_the_codes_is_made_anew(lab: Lab, seed: int) -> None:
    """A damaged graph, network or note gives the right codes."""
    rng = random.Random(seed)

    assert [one for one in (kept_graph_flipped(lab, rng) for _ in range(8)) if one.wrong] == []


def test_damage_is_local(lab: Lab, seed: int) -> None:
    """Of three shards one is damaged: `verify` finds it, `repair` removes it, and its photos alone are computed."""
    rng = random.Random(seed)

    assert [one for one in (shard_lost(lab, rng) for _ in range(2)) if one.wrong] == []
