"""The range of levels by which the 16-bit photos of a set are scaled: measured once, before anything is read."""

from pathlib import Path

from unfreeze.core.findings import finding
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.wording import count
from unfreeze.data.image_table import ImageTable
from unfreeze.images.levels import TOP, WHOLE, Range, common_range
from unfreeze.images.pool import DecoderPool

# Formats of 8 bits: a million photos of a camera need not be opened twice.
_EIGHT_BIT = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".dib", ".avif", ".heic"))


def measure_levels(table: ImageTable, *, pool: DecoderPool, progress: Progress = SILENT) -> Range:
    """Which level is black in all 16-bit photos of a set, and which is white.

    Args:
        table: Of candidates; the range is noted in it, and said in a finding if it is not the whole one. Photos of a
            test part that was given do not count: a model may know nothing of them.
        pool: Decoder pool.
        progress: Its stop is looked at for every photo.

    Returns:
        The range; `WHOLE` if the photos use half of it or more, or there are none.
    """
    names, ranges = [], []
    asked = [one for one in table.candidates() if one.split != "test" and may_be_deep(one.path)]
    for candidate, found in zip(asked, pool.levels(one.path for one in asked), strict=True):
        progress.checkpoint(1)
        if found is not None:
            names.append(candidate.name)
            ranges.append(found)
    table.levels = common_range(ranges)
    if table.levels != WHOLE:
        low, high = table.levels
        sentence = (
            f"{count(len(names), 'photo')} of 16 bits {'uses' if len(names) == 1 else 'use'} {(high - low) / TOP:.1%} "
            f"of the range from 0 to {TOP:,}: black lies at {low:,} and white at {high:,}, for this set and its model."
        )
        advice = "New photos must come from the same kind of device: export them alike."
        table.findings.append(finding("UF119", sentence, advice, images=names))
    return table.levels


def may_be_deep(path: Path) -> bool:
    """Whether a file may hold more than eight bits a channel, by its name."""
    return path.suffix.lower() not in _EIGHT_BIT
