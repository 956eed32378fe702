"""Probes on all cores: each on one, several side by side.

The products of a probe are many and short. Shared out among the threads of BLAS they gain little, and on a busy
machine those threads wait for each other at every product. Seconds of a search of the softmax at the last tap, on one
thread and on two of two cores: trashnet (2,091 images) 8 and 6 on a quiet machine, 18 and 58 beside two busy programs;
33,320 images and two values of C: 20 and 12, 50 and 95. Side by side, cores are used all the same, and bits do not
depend on how many there are.
"""

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import TypeVar

from threadpoolctl import threadpool_limits

from unfreeze.core.progress import Advance, ignore
from unfreeze.core.threads import usable_cores

SECONDS_BETWEEN_LOOKS = 0.2  # at the stop, while jobs are under way
_HERE = threading.local()  # `shares`: whether other threads of ours are at work beside this one

Job = TypeVar("Job")
Result = TypeVar("Result")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run products of NumPy and SciPy on one core inside the block.

    The number of threads belongs to the process: set it around threads, not in each, where they would undo each other.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def side_by_side(
    work: Callable[[Job], Result], jobs: Sequence[Job], *, size: Callable[[Job], int], advance: Advance = ignore
) -> list[Result]:
    """Do `work` for every job, as many at a time as there are cores, the largest first.

    A stop or an interrupt does not wait for what is under way: the threads are daemons, and what they find is dropped.
    Jobs of a job are done side by side, too, if that has all cores for itself.

    Args:
        work: Called in threads; NumPy lets go of the interpreter inside its products.
        jobs: What to do it for.
        size: By which jobs are ordered: one that is long and comes last would run alone.
        advance: Reports progress per job; while none is done it is called with 0, so that it can look at the stop.

    Returns:
        The results, in the order of the jobs.
    """
    if getattr(_HERE, "shares", False):
        return [work(job) for job in jobs]
    order = sorted(range(len(jobs)), key=lambda place: -size(jobs[place]))
    results: dict[int, Result] = {}
    threads = max(1, min(usable_cores(), len(jobs)))
    with one_blas_thread(), ThreadPool(threads, initializer=_begin, initargs=(threads > 1,)) as pool:
        found = pool.imap_unordered(partial(_placed, work, jobs), order)
        while len(results) < len(jobs):
            try:
                place, result = found.next(timeout=SECONDS_BETWEEN_LOOKS)
            except multiprocessing.TimeoutError:
                advance(0)
                continue
            results[place] = result
            advance(1)
    return [results[place] for place in range(len(jobs))]


def _begin(shares: bool) -> None:
    _HERE.shares = shares


def _placed(work: Callable[[Job], Result], jobs: Sequence[Job], place: int) -> tuple[int, Result]:
    return place, work(jobs[place])
