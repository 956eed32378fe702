"""Ctrl-C while a result is put together."""

import signal
import threading
from collections.abc import Iterator

import pytest

from unfreeze.core.interrupts import held_back


@pytest.fixture
def _heard() -> Iterator[None]:
    """Ctrl-C raises, also where the tests run in a shell's background, which passes over it."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.mark.usefixtures("_heard")
def test_an_interrupt_is_passed_over_inside_and_heard_after() -> None:
    """What was measured is written whatever the user presses; after it Ctrl-C works as ever."""
    with held_back():
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_another_thread_is_left_alone() -> None:
    """A run inside a server's thread cannot set signals, and is not interrupted by them."""
    done = []

    def work() -> None:
        with held_back():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert done == [True]
