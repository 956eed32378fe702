"""Probes on all cores."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from unfreeze.core.errors import StoppedError
from unfreeze.core.progress import Progress
from unfreeze.probes.cores import one_blas_thread, side_by_side


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine of two cores."""
    monkeypatch.setattr("unfreeze.probes.cores.usable_cores", lambda: 2)


def blas_threads() -> list[int]:
    """Of every BLAS that is loaded."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_products_have_one_thread_inside_and_as_many_as_before_outside(two_cores: None) -> None:
    """In every job, and alone; threadpoolctl itself is asked."""
    before = blas_threads()

    inside = side_by_side(lambda _: blas_threads(), [0, 1, 2], size=int)
    with one_blas_thread():
        alone = blas_threads()

    assert before
    assert [*inside, alone] == [[1] * len(before)] * 4
    assert blas_threads() == before


def test_results_come_in_the_order_of_the_jobs_and_the_largest_job_is_begun_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On one core they run one after the other, so that the order can be seen."""
    monkeypatch.setattr("unfreeze.probes.cores.usable_cores", lambda: 1)
    begun: list[int] = []
    done: list[int] = []

    def square(job: int) -> int:
        begun.append(job)
        return job**2

    assert side_by_side(square, [3, 1, 2], size=lambda job: job, advance=done.append) == [9, 1, 4]
    assert begun == [3, 2, 1]
    assert done == [1, 1, 1]
    assert side_by_side(square, [], size=int) == []


def test_two_jobs_run_at_the_same_time_on_two_cores(two_cores: None) -> None:
    """Each waits for the other, which one after the other would never end."""
    meeting = threading.Barrier(2, timeout=30)

    assert sorted(side_by_side(lambda _: meeting.wait(), [0, 1], size=int)) == [0, 1]


def test_an_error_of_a_job_is_raised(two_cores: None) -> None:
    """As if it had been done here."""
    with pytest.raises(np.linalg.LinAlgError):
        side_by_side(np.linalg.cholesky, [np.eye(2), -np.eye(2)], size=len)


def test_a_stop_does_not_wait_for_jobs_that_are_under_way(two_cores: None) -> None:
    """Two jobs that never end: whoever looks at the stop is asked several times a second, and may leave."""
    ends, progress = threading.Event(), Progress()
    asked = threading.Timer(0.3, progress.stop.request)
    asked.start()

    with pytest.raises(StoppedError):
        side_by_side(lambda _: ends.wait(60), [0, 1], size=int, advance=progress.checkpoint)
    ends.set()


def test_an_interrupt_does_not_wait_for_jobs_that_are_under_way(two_cores: None) -> None:
    """Ctrl-C comes while one job is done and the other never ends by itself."""
    end = threading.Event()

    def wait(job: int) -> bool:
        return end.wait() if job else True

    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            side_by_side(wait, [0, 1], size=int, advance=interrupt)
        assert not end.is_set()
    finally:
        end.set()


def test_jobs_of_one_job_share_the_cores_and_those_of_several_do_not(two_cores: None) -> None:
    """So that there are never more threads at work than cores."""

    def threads_of(_: int) -> set[int]:
        meeting = threading.Barrier(2, timeout=0.5)

        def meet(_: int) -> int:
            try:
                meeting.wait()
            except threading.BrokenBarrierError:
                return 0
            return 1

        return set(side_by_side(meet, [0, 1], size=int))

    assert side_by_side(threads_of, [0], size=int) == [{1}], "they meet"
    assert side_by_side(threads_of, [0, 1], size=int) == [{0}, {0}], "one comes after the other"
