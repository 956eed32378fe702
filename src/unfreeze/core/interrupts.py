"""Ctrl-C at a moment when it would lose what it is meant to keep."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ignore_interrupts() -> Iterator[None]:
    """Pass over Ctrl-C inside the block: for the last second or so of a work whose result would be lost.

    Only the main thread is interrupted, and only it may say so; elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if usual is not None:  # of a handler that was not installed from Python nothing is known
            signal.signal(signal.SIGINT, usual)
