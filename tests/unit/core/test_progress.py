"""What work says of itself, and how it learns that it should stop."""

import threading

import pytest

from unfreeze.core.errors import StoppedError
from unfreeze.core.events import Event, PhaseAdvanced, PhaseBegun, PhaseEnded, Said
from unfreeze.core.progress import Progress
from unfreeze.core.stop import Stop


def test_a_phase_is_told_from_its_beginning_to_its_end() -> None:
    """Numbers count up, phases may lie inside each other, and nothing done is no news."""
    heard: list[Event] = []
    progress = Progress(heard.append)

    with progress.phase("whole", total=2, unit="fit") as whole, progress.phase("part", total=0, unit="image") as part:
        part(3)
        part(0)
        whole(1)
        whole(1)

    assert heard == [
        PhaseBegun(phase=1, name="whole", total=2, unit="fit"),
        PhaseBegun(phase=2, name="part", total=0, unit="image"),
        PhaseAdvanced(phase=2, done=3),
        PhaseAdvanced(phase=1, done=1),
        PhaseAdvanced(phase=1, done=2),
        PhaseEnded(phase=2, done=3, completed=True),
        PhaseEnded(phase=1, done=2, completed=True),
    ]


def test_a_listener_more_hears_the_same_and_stops_the_same() -> None:
    """Whoever joins later shares the stop and the numbers of phases."""
    first: list[Event] = []
    second: list[Event] = []
    progress = Progress(first.append)
    more = progress.also(second.append)

    with progress.phase("one", total=1, unit="fit"), more.phase("two", total=1, unit="fit"):
        more.say("hello")

    assert [event.phase for event in second if isinstance(event, PhaseBegun)] == [2]
    assert Said(sentence="hello") in first
    assert more.stop is progress.stop


def test_a_stop_ends_a_phase_after_what_was_done_is_told() -> None:
    """Asked from another thread, the work ends with its next step, which counts."""
    heard: list[Event] = []
    progress = Progress(heard.append)

    def work() -> None:
        with progress.phase("codes", total=9, unit="image") as advance:
            thread = threading.Thread(target=progress.stop.request, kwargs={"exit_code": 143})
            thread.start()
            thread.join()
            advance(4)

    with pytest.raises(StoppedError) as stopped:
        work()

    assert stopped.value.exit_code == 143
    assert heard[-2:] == [PhaseAdvanced(phase=1, done=4), PhaseEnded(phase=1, done=4, completed=False)]


def test_what_counts_nothing_looks_at_the_stop_too() -> None:
    """`checkpoint` is an `Advance` that tells nobody anything."""
    heard: list[Event] = []
    progress = Progress(heard.append)
    progress.checkpoint(5)
    progress.stop.request()

    with pytest.raises(StoppedError):
        progress.checkpoint()

    assert heard == []


def test_a_stop_that_was_accepted_does_not_come_back_by_itself() -> None:
    """Work that delivers what there is goes on undisturbed until it is asked again; the first request's code stays."""
    stop = Stop()
    stop.request(exit_code=143)
    stop.accept()
    stop.check()
    stop.request(exit_code=130)

    with pytest.raises(StoppedError) as stopped:
        stop.check()

    assert stopped.value.exit_code == 143
