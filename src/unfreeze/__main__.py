"""``python -m unfreeze`` is the command ``unfreeze``."""

import os
import signal
import sys
from types import FrameType

STOPPED = b"unfreeze: stopped. Nothing was begun.\n"
INTERRUPTED = 130


def main() -> None:
    """Run the command line; Ctrl-C while it is imported, or while the interpreter ends, gives no traceback."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not under nohup, which ignores it
    if interruptible:
        signal.signal(signal.SIGINT, _leave)
    try:
        from unfreeze.cli.main import main as run_command

        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run_command()
    except KeyboardInterrupt:
        os.write(2, STOPPED)
        sys.exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler is given
    """End at once: a KeyboardInterrupt inside a callback of the import system would be printed there, and lost."""
    os.write(2, STOPPED)
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
