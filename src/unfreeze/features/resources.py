"""What work has at hand."""

from dataclasses import dataclass
from pathlib import Path

from unfreeze.core.journal import NO_JOURNAL, Journal
from unfreeze.core.progress import SILENT, Progress
from unfreeze.images.pool import DecoderPool


@dataclass(frozen=True, eq=False, kw_only=True)
class Resources:
    """Decoders, somewhere to say where the work stands, and where results are kept.

    Attributes:
        pool: Decodes images.
        progress: Reports progress.
        cache: Folder of all that is kept between runs, codes first of all; the user's cache if None.
        journal: What has been decided and measured so far, where the work can be continued.
    """

    pool: DecoderPool
    progress: Progress = SILENT
    cache: Path | None = None
    journal: Journal = NO_JOURNAL
