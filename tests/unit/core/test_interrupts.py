"""Ctrl-C while a result is put together."""

import subprocess
import sys
import threading

from unfreeze.core.interrupts import ignore_interrupts

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
