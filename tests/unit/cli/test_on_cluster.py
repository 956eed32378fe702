"""``--on`` and ``--workers``."""

import pytest

from unfreeze.cli.on_cluster import threads_with
from unfreeze.core.errors import InputError


@pytest.mark.parametrize(("on", "threads", "each"), [(None, None, None), (None, 3, 3), ("ray", None, 1), ("ray", 2, 2)])
def test_a_worker_has_one_thread_unless_more_are_asked_for(
    on: str | None, threads: int | None, each: int | None
) -> None:
    """Without a cluster, nothing asked is no limit."""
    assert threads_with(on, None, threads) == each


def test_workers_need_a_cluster() -> None:
    """A number of workers on one machine means nothing."""
    with pytest.raises(InputError, match="--workers counts the workers of a cluster"):
        threads_with(None, 2, None)
