"""Signals that ask for an end; Ctrl-C while a result is put together."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from unfreeze.core.errors import StoppedError
from unfreeze.core.interrupts import SIGNALS, ignore_interrupts, stopping_on_signals
from unfreeze.core.stop import Stop

SCRIPT = """
import signal
from unfreeze.core.interrupts import ignore_interrupts
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job passes over it
with ignore_interrupts():
    signal.raise_signal(signal.SIGINT)
    print("written")
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("heard")
"""


def test_an_interrupt_is_passed_over_inside_and_heard_after() -> None:
    """What was measured is written whatever the user presses; after it Ctrl-C works as ever."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.split() == ["written", "heard"]


def test_another_thread_is_left_alone() -> None:
    """A run inside a server's thread cannot set signals, and is not interrupted by them."""
    done = []

    def work() -> None:
        with ignore_interrupts():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert done == [True]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The usual handlers, also where these tests run in a shell's background; as they were afterwards."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in set(SIGNALS) - {signal.SIGINT}:
        signal.signal(each, signal.SIG_DFL)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_for_a_stop_with_the_exit_code_of_a_shell(number: signal.Signals) -> None:
    """Work goes on to its next look at the stop; the code is 128 and the signal's number."""
    stop = Stop()

    with stopping_on_signals(stop):
        signal.raise_signal(number)

    with pytest.raises(StoppedError) as stopped:
        stop.check()
    assert stopped.value.exit_code == 128 + number


def test_the_usual_handlers_come_back() -> None:
    """After the block, and after an error in it, all is as before."""
    before = [signal.getsignal(each) for each in SIGNALS]

    with pytest.raises(ZeroDivisionError), stopping_on_signals(Stop()):
        raise ZeroDivisionError

    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_what_is_ignored_stays_ignored() -> None:
    """Under nohup, SIGHUP asks for nothing."""
    stop = Stop()
    signal.signal(SIGNALS[-1], signal.SIG_IGN)

    with stopping_on_signals(stop):
        signal.raise_signal(SIGNALS[-1])

    assert not stop.was_requested


def test_a_second_interrupt_does_not_wait() -> None:
    """Before the first one is accepted a second Ctrl-C raises; afterwards it asks again."""
    stop = Stop()

    with stopping_on_signals(stop):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        stop.accept()
        signal.raise_signal(signal.SIGINT)

    assert stop.is_requested


def test_only_the_first_signal_is_told() -> None:
    """Of three signals one is told, and the first one decides about the exit code."""
    stop, told = Stop(), []

    with stopping_on_signals(stop, first=lambda: told.append(True)):
        signal.raise_signal(SIGNALS[1])
        signal.raise_signal(SIGNALS[1])
        stop.accept()
        signal.raise_signal(signal.SIGINT)

    assert (told, stop.exit_code) == ([True], 128 + SIGNALS[1])


def test_elsewhere_than_in_the_main_thread_nothing_changes() -> None:
    """A run in a server's thread leaves the server's handlers alone."""
    found = []

    def work() -> None:
        with stopping_on_signals(Stop()):
            found.extend(signal.getsignal(each) for each in SIGNALS)

    before = [signal.getsignal(each) for each in SIGNALS]
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found == before
