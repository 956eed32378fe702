"""``--on`` and ``--workers``: the work of a command on a cluster. Without them nothing of Ray is imported."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from unfreeze.core.errors import InputError
from unfreeze.core.progress import Progress

if TYPE_CHECKING:
    from unfreeze.cluster.connection import Cluster


def threads_with(on: str | None, workers: int | None, threads: int | None) -> int | None:
    """The threads that each process has: on a cluster one if nothing is asked, since there many work side by side.

    Args:
        on: What ``--on`` was given.
        workers: What ``--workers`` was given.
        threads: What ``--threads`` was given.

    Returns:
        The number; None for no limit.

    Raises:
        InputError: There are workers without a cluster, or no cluster can be so called.
    """
    if on is None:
        if workers is not None:
            msg = "--workers counts the workers of a cluster. Say which with --on, or leave --workers out."
            raise InputError(msg)
        return threads
    from unfreeze.cluster.addresses import parse_address

    parse_address(on)  # a mistake in it should not cost an inspection
    return threads or 1


@contextmanager
def cluster_at(on: str | None, progress: Progress) -> Iterator["Cluster | None"]:
    """The cluster that ``--on`` names, for as long as the block works; None without one.

    Args:
        on: What was given.
        progress: Is told, since a cluster of our own takes seconds.

    Yields:
        The cluster.

    Raises:
        ClusterError: It cannot be used, or Ray is not installed.
    """
    if on is None:
        yield None
        return
    from unfreeze.cluster.addresses import parse_address
    from unfreeze.cluster.connection import connected

    address = parse_address(on)
    progress.say("starting Ray …" if address.kind == "own" else f"connecting to {address.for_ray} …")
    with connected(address) as cluster:
        yield cluster
