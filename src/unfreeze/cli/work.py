"""What a command works with: decoders that start while torch is imported, which takes as long, and progress.

Whatever asks a command to end, it ends with one sentence that says what is kept and how to go on.
"""

import _thread
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from unfreeze.cli.progress import progress_on_stderr
from unfreeze.core.errors import StoppedError
from unfreeze.core.interrupts import stopping_on_signals
from unfreeze.core.progress import Progress
from unfreeze.core.stop import INTERRUPTED
from unfreeze.core.threads import usable_cores

if TYPE_CHECKING:
    from unfreeze.features.resources import Resources

STOPPING = "Stopping after the current step …"
CODES_KEPT = "The codes that were read are kept; the same command goes on from there."
NOTHING_WRITTEN = "Nothing was written; the same command begins anew."


@contextmanager
def stoppable(kept: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Say at once that the command works, and end it between two steps when it is asked to.

    Args:
        kept: What is kept if it is, and how to go on.
        quiet: Whether to say nothing while it works.

    Yields:
        Progress.

    Raises:
        StoppedError: It was asked to end.
    """
    progress = Progress() if quiet else progress_on_stderr()
    try:
        with stopping_on_signals(progress.stop, first=partial(_say_that_it_stops, progress)):
            progress.say("loading …")
            yield progress
    except (StoppedError, KeyboardInterrupt) as error:
        raise StoppedError(error.exit_code if isinstance(error, StoppedError) else INTERRUPTED, kept=kept) from error


@contextmanager
def working(kept: str = CODES_KEPT, *, images: int | None = None, quiet: bool = False) -> Iterator["Resources"]:
    """As `stoppable`, with decoders for as long as the command works.

    Args:
        kept: What is kept if the command is stopped, and how to go on.
        images: How many there are, at least one, if that is known: no more decoders are started.
        quiet: Whether to say nothing while it works.

    Yields:
        Decoders and progress.

    Raises:
        StoppedError: The command was asked to end.
    """
    with stoppable(kept, quiet=quiet) as progress:
        from unfreeze.features.resources import Resources
        from unfreeze.images.pool import DecoderPool
        from unfreeze.store.sweeping import sweep_cache

        progress.stop.check()
        workers = usable_cores() if images is None else min(images, usable_cores())
        with DecoderPool(workers=workers) as pool:
            pool.start()
            sweep_cache()
            yield Resources(pool=pool, progress=progress)


def _say_that_it_stops(progress: Progress) -> None:
    """What a signal's handler interrupts may be printing: a terminal with bars is told by a thread, which can wait."""
    if os.isatty(2):
        _thread.start_new_thread(progress.say, (STOPPING,))  # `threading.Thread` has locks that may be held
        return
    with suppress(OSError):  # nobody reads any more
        os.write(2, f"{STOPPING}\n".encode(sys.stderr.encoding or "utf-8", "backslashreplace"))
