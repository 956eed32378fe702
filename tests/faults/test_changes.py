"""Changes that the cache must notice, and changes that must cost nothing."""

import pytest

from faultlab.changes import CHANGES, Change, tried
from faultlab.lab import Lab

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_no_hit_is_stale(lab: Lab, change: Change) -> None:
    """After a change, a filled cache gives the codes of an empty one; what did not change is reused."""
    assert tried(lab, change).wrong == ""
