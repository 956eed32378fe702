"""Signals that ask a process to end, as a request to stop; and Ctrl-C when it would lose what it is meant to keep."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from unfreeze.core.stop import Stop

# Ctrl-C; `kill`, a service manager, a batch system; a terminal that closes. Windows has no SIGHUP.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
SIGNALS: tuple[signal.Signals, ...] = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
SIGNALLED = 128  # exit code of a program that a signal ended, less the signal's number, as a shell reports it


def nothing() -> None:
    """Nobody is told."""


@contextmanager
def stopping_on_signals(stop: Stop, *, first: Callable[[], None] = nothing) -> Iterator[None]:
    """Have Ctrl-C, SIGTERM and SIGHUP ask the work inside the block to stop.

    A second Ctrl-C before the work has accepted the first one raises KeyboardInterrupt, so that work which looks at the
    stop too seldom can be left all the same. A signal that is ignored when the block begins, as under nohup or in a
    shell's background, stays ignored. Only the main thread may handle signals; elsewhere nothing is changed.

    Args:
        stop: Asked with the exit code that a shell reports of a program that the signal ended.
        first: Called in the handler of the first signal: it must neither wait nor use anything that has a lock.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler is given
        if number == signal.SIGINT and stop.is_requested:
            raise KeyboardInterrupt
        is_first = not stop.was_requested
        stop.request(exit_code=SIGNALLED + number)
        if is_first:
            first()

    # Of a handler that was not installed from Python nothing is known: it is left alone, as one that ignores is.
    usual = {each: signal.getsignal(each) for each in SIGNALS}
    changed = {each: handler for each, handler in usual.items() if handler not in {None, signal.SIG_IGN}}
    try:
        for each in changed:
            signal.signal(each, ask)
        yield
    finally:
        for each, handler in changed.items():
            signal.signal(each, handler)


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


@contextmanager
def blocked_signals() -> Iterator[None]:
    """What starts inside is not ended by signals to the whole group: it inherits that, until it ignores them itself."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
