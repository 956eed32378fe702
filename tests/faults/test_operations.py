"""File operations that kill, tear, lose power or fail: what stands is whole, and trying again gives the same bits."""

from itertools import cycle

import pytest

from faultlab.lab import Lab, Try
from faultlab.operations import ERRORS, KILLS, Kind, operations, struck

pytestmark = pytest.mark.lab

# Every 7th operation of each way by which files are committed; of a run, whose journal commits a hundred entries in the
# same way, every 49th. `make faults-long` tries all.
STRIDE = {"codes": 7, "upkeep": 3, "openvino": 7, "tune": 7, "run": 49}
QUICK = ("codes", "upkeep")


def tried(lab: Lab, name: str, kinds: tuple[Kind, ...]) -> list[Try]:
    """Kinds of faults by turns, over the operations of a command."""
    command = lab.commands()[name]
    places = range(2, operations(lab, command) + 1, STRIDE[name])
    return [struck(lab, command, kind, at) for kind, at in zip(cycle(kinds), places, strict=False)]


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("kinds", [KILLS, ERRORS], ids=["killed", "failing"])
def test_no_operation_breaks_anything(lab: Lab, name: str, kinds: tuple[Kind, ...]) -> None:
    """Killed, torn, cut off from power, or told ENOSPC, EIO or EACCES: results whole or absent, and the same again."""
    assert [one for one in tried(lab, name, kinds) if one.wrong] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STRIDE if name not in QUICK])
def test_no_operation_breaks_what_takes_longer(lab: Lab, name: str) -> None:
    """The same of a conversion, a training and a whole run, with all kinds of faults by turns."""
    assert [one for one in tried(lab, name, (*KILLS, *ERRORS)) if one.wrong] == []
