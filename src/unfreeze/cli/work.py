"""What a command works with: decoders that start while torch is imported, which takes as long, and progress.

Whatever asks a command to end, it ends with one sentence that says what is kept and how to go on.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from unfreeze.cli.progress import progress_on_stderr
from unfreeze.core.errors import StoppedError
from unfreeze.core.interrupts import stopping_on_signals
from unfreeze.core.progress import Progress
from unfreeze.core.stop import INTERRUPTED

if TYPE_CHECKING:
    from unfreeze.features.resources import Resources

STOPPING = "Stopping after the current step …"
CODES_KEPT = "The codes that were read are kept; the same command goes on from there."
NOTHING_WRITTEN = "Nothing was written; the same command begins anew."


@contextmanager
def stoppable(kept: str) -> Iterator[Progress]:
    """Say at once that the command works, and end it between two steps when it is asked to.

    Args:
        kept: What is kept if it is, and how to go on.

    Yields:
        Progress.

    Raises:
        StoppedError: It was asked to end.
    """
    progress = progress_on_stderr()
    progress.say("loading …")
    try:
        with stopping_on_signals(progress.stop, first=_say_that_it_stops):
            yield progress
    except (StoppedError, KeyboardInterrupt) as error:
        raise StoppedError(error.exit_code if isinstance(error, StoppedError) else INTERRUPTED, kept=kept) from error


@contextmanager
def working(kept: str = CODES_KEPT) -> Iterator["Resources"]:
    """As `stoppable`, with decoders for as long as the command works.

    Args:
        kept: What is kept if the command is stopped, and how to go on.

    Yields:
        Decoders and progress.

    Raises:
        StoppedError: The command was asked to end.
    """
    with stoppable(kept) as progress:
        from unfreeze.features.resources import Resources
        from unfreeze.images.pool import DecoderPool

        progress.stop.check()
        with DecoderPool() as pool:
            pool.start()
            yield Resources(pool=pool, progress=progress)


def _say_that_it_stops() -> None:
    """Not through the bars: a signal's handler may have interrupted them."""
    line = f"\n{STOPPING}\n" if os.isatty(2) else f"{STOPPING}\n"
    with suppress(OSError):  # a terminal that was closed
        os.write(2, line.encode(sys.stderr.encoding or "utf-8", "backslashreplace"))
