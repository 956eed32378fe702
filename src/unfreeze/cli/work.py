"""What a command works with: decoders that start while torch is imported, which takes as long, and progress."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from unfreeze.cli.progress import progress_on_stderr

if TYPE_CHECKING:
    from unfreeze.features.resources import Resources


@contextmanager
def working() -> Iterator["Resources"]:
    """Say at once that the command works, and have decoders for as long as it does.

    Yields:
        Decoders and progress.
    """
    progress = progress_on_stderr()
    progress.say("loading …")
    from unfreeze.features.resources import Resources
    from unfreeze.images.pool import DecoderPool

    with DecoderPool() as pool:
        pool.start()
        yield Resources(pool=pool, progress=progress)
