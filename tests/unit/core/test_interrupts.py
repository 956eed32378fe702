"""Signals that ask for an end; Ctrl-C while a result is put together."""

import signal
import subprocess
import sys
import threading

import pytest

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


BEGINNING = """
import signal, sys
from unfreeze.core.errors import StoppedError
from unfreeze.core.interrupts import SIGNALS, stopping_on_signals
from unfreeze.core.stop import Stop
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job passes over it
for each in set(SIGNALS) - {signal.SIGINT}:
    signal.signal(each, signal.SIG_DFL)
stop = Stop()
"""


def said_by(program: str, *arguments: object) -> str:
    """What a process of its own prints that raises signals in itself."""
    command = [sys.executable, "-c", BEGINNING + program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_for_a_stop_with_the_exit_code_of_a_shell(number: signal.Signals) -> None:
    """Work goes on to its next look at the stop; the code is 128 and the signal's number."""
    program = """
with stopping_on_signals(stop):
    signal.raise_signal(int(sys.argv[1]))
    print("went on", end=" ")
try:
    stop.check()
except StoppedError as error:
    print(error.exit_code)
"""

    assert said_by(program, int(number)) == f"went on {128 + number}"


def test_the_usual_handlers_come_back() -> None:
    """After the block, and after an error in it, all is as before."""
    program = """
before = [signal.getsignal(each) for each in SIGNALS]
try:
    with stopping_on_signals(stop):
        print([signal.getsignal(each) for each in SIGNALS] == before)
        1 / 0
except ZeroDivisionError:
    print([signal.getsignal(each) for each in SIGNALS] == before)
"""

    assert said_by(program).split() == ["False", "True"]


def test_what_is_ignored_stays_ignored() -> None:
    """Under nohup, SIGHUP asks for nothing."""
    program = """
signal.signal(SIGNALS[-1], signal.SIG_IGN)
with stopping_on_signals(stop):
    signal.raise_signal(SIGNALS[-1])
print(stop.was_requested)
"""

    assert said_by(program) == "False"


def test_a_second_interrupt_does_not_wait() -> None:
    """Before the first one is accepted a second Ctrl-C raises; afterwards it asks again."""
    program = """
with stopping_on_signals(stop):
    signal.raise_signal(signal.SIGINT)
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("raised")
    stop.accept()
    signal.raise_signal(signal.SIGINT)
print(stop.is_requested)
"""

    assert said_by(program).split() == ["raised", "True"]


def test_only_the_first_signal_is_told() -> None:
    """Of three signals one is told, and the first one decides about the exit code."""
    program = """
with stopping_on_signals(stop, first=lambda: print("told")):
    signal.raise_signal(SIGNALS[1])
    signal.raise_signal(SIGNALS[1])
    stop.accept()
    signal.raise_signal(signal.SIGINT)
print(stop.exit_code)
"""

    assert said_by(program).split() == ["told", str(128 + SIGNALS[1])]


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
