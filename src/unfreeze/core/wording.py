"""How names and numbers are written for people: the one place that decides it.

A score is a fraction (accuracies) or nats (log-loss), as in a run record. A difference of accuracies is written in
points (percentage points), one of log-loss in nats, with the sign that makes more better.
"""

import math
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from unfreeze.core.settings import Metric

if TYPE_CHECKING:  # records know nothing of wording, but settings of records do
    from unfreeze.core.records import ImageCounts

# The largest difference that there can be; of few splits an interval reaches beyond it.
MOST: MappingProxyType[Metric, float] = MappingProxyType(
    {"accuracy": 1.0, "balanced accuracy": 1.0, "log-loss": math.inf}
)

# Cc: control characters and ANSI escapes; Cf: bidirectional overrides and invisible marks; Cs: bytes of a file name
# that are no text; Zl and Zp: line breaks that are not "\n". The two joiners stay: Persian and emoji need them.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset({"\u200c", "\u200d"})


def printable(text: str) -> str:
    r"""`text` on one line, without anything that could steer a terminal or reorder what a person reads.

    File and class names come from strangers (Boucher & Anderson 2021, arXiv:2111.00169, on bidirectional overrides).

    Args:
        text: A name or a sentence.

    Returns:
        The same text with control, invisible and undecodable characters as ``\uXXXX``.

    Example:
        >>> print(printable("cat\x1b[2J"))
        cat\u001b[2J
    """
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNPRINTABLE:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def percent(fraction: float | None) -> str:
    """A fraction as ``93.5 %``; a dash where there is none."""
    return "-" if fraction is None else f"{100 * fraction:.1f} %"


def percent_range(interval: tuple[float, float] | None) -> str:
    """An interval of fractions as ``88.9 to 96.2 %``; a dash where there is none."""
    return "-" if interval is None else f"{score_span(interval, 'accuracy')} %"


def of_hundred(fraction: float) -> str:
    """How many of a hundred: ``97``; ``over 99`` where that would round to all, ``under 1`` where to none."""
    if 0.995 <= fraction < 1 or 0 < fraction < 0.005:
        return "over 99" if fraction > 0.5 else "under 1"
    return f"{100 * fraction:.0f}"


def of_hundred_span(interval: tuple[float, float]) -> str:
    """An interval of fractions as ``91 to 100``: so many of a hundred."""
    low, high = (min(max(end, 0.0), 1.0) for end in interval)
    return f"{100 * low:.0f} to {100 * high:.0f}"


def nats(loss: float | None) -> str:
    """A log-loss as ``0.213``; a dash where there is none."""
    return "-" if loss is None else f"{loss:.3f}"


def score(value: float | None, metric: Metric) -> str:
    """A score as ``91.2 %`` or ``0.213 nats``."""
    if value is None:
        return "not measured"
    return f"{nats(value)} nats" if metric == "log-loss" else percent(value)


def measured_score(value: float | None, metric: Metric) -> str:
    """As `score`, of a mean in which larger is better: a log-loss, which has its sign turned there, as a loss."""
    return score(-value if value is not None and metric == "log-loss" else value, metric)


def score_span(interval: tuple[float, float], metric: Metric) -> str:
    """The interval of a score as ``88.9 to 93.5`` (per cent or nats)."""
    low, high = interval
    if metric == "log-loss":
        return f"{nats(low)} to {nats(high)}"
    return f"{100 * low:.1f} to {100 * high:.1f}"


def difference(value: float, metric: Metric) -> str:
    """A difference as ``+4.2 points`` or ``+0.031 nats``."""
    return f"{_signed(value, metric)} {'nats' if metric == 'log-loss' else 'points'}"


def difference_span(interval: tuple[float, float], metric: Metric) -> str:
    """The interval of a difference as ``+1.1 to +7.3`` (points or nats), as far as a difference can reach."""
    (low, high), most = interval, MOST[metric]
    return f"{_signed(max(low, -most), metric)} to {_signed(min(high, most), metric)}"


def _signed(value: float, metric: Metric) -> str:
    """With its sign; a zero has a plus, not a minus."""
    if metric == "log-loss":
        return f"{round(value, 3) + 0.0:+.3f}"
    return f"{round(100 * value, 1) + 0.0:+.1f}"


def points(value: float) -> str:
    """A fraction as ``1.7 points``."""
    return f"{100 * value:.1f} points"


def standard_error(value: float, metric: Metric) -> str:
    """A standard error as ``1.2`` (points) or ``0.012`` (nats)."""
    return nats(value) if metric == "log-loss" else f"{100 * value:.1f}"


def amount(value: float, metric: Metric) -> str:
    """A margin as ``1 point``, ``0.5 points`` or ``0.02 nats``."""
    if metric == "log-loss":
        return f"{value:g} nats"
    points = f"{100 * value:.6g}"
    return f"{points} {'point' if points == '1' else 'points'}"


def probability(value: float) -> str:
    """A probability as ``98 %``; never as certain."""
    if value >= 0.995:
        return "over 99 %"
    return "under 1 %" if value < 0.01 else f"{100 * value:.0f} %"


def duration(seconds: float) -> str:
    """Seconds as people say them: ``0.4 s``, ``38 s``, ``3 min 20 s``, ``65 min``, ``2 h 5 min``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min" if whole % 3600 >= 60 else f"{whole // 3600} h"


def milliseconds(seconds: float) -> str:
    """A short time as ``12.3 ms``."""
    return f"{1000 * seconds:.1f} ms"


def megabytes(millions: float) -> str:
    """The size of a model as ``0.1 MB`` or ``16.2 MB``."""
    return f"{millions:,.1f} MB"


def plural(noun: str) -> str:
    """The name of several: ``images``, ``classes``."""
    return noun + ("es" if noun.endswith("s") else "s")


def count(number: int, noun: str) -> str:
    """A number and its noun: ``1 image``, ``1,797 images``, ``2 classes``."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def files_found(images: "ImageCounts") -> str:
    """Where files have gone: ``9 files found: 6 used, 1 set aside, 1 duplicate removed, 1 skipped``."""
    return (
        f"{count(images.found, 'file')} found: {images.used:,} used, {images.set_aside:,} set aside, "
        f"{images.duplicates_removed:,} {'duplicate' if images.duplicates_removed == 1 else 'duplicates'} removed, "
        f"{images.skipped:,} skipped"
    )


def passed_over(skipped: Mapping[str, int]) -> str:
    """Files that were not read, with the reasons: ``3 files skipped: 2 not an image by name, 1 dangling link``."""
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in skipped.items())
    return f"{count(sum(skipped.values()), 'file')} skipped: {reasons}"


def listed(names: list[str]) -> str:
    """Names as ``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def capital(words: str) -> str:
    """The words as the beginning of a sentence."""
    return words[:1].upper() + words[1:]


def storage(size: int) -> str:
    """Bytes as ``350 MB`` or ``1.4 GB``; a dash where none were measured."""
    if not size:
        return "-"
    return f"{size / 1e9:.1f} GB" if size >= 999_500_000 else f"{size / 1e6:.0f} MB"


def rate(speed: float, unit: str) -> str:
    """Units per second, or the time of one where that is longer: ``64.0 images/s``, ``25 s per training``."""
    return f"{speed:,.1f} {plural(unit)}/s" if speed >= 1 else f"{duration(1 / speed)} per {unit}"


def where(done: int, *, total: int, unit: str, seconds: float) -> str:
    """Where a phase stands, with rate and time left.

    Args:
        done: Units done.
        total: Units in all; 0 when that is not known.
        unit: Name of one.
        seconds: Since the phase began.

    Returns:
        For example ``640 of 1,797 images, 64.0 images/s, 18 s left``.
    """
    of_all = f"{done:,} of {count(total, unit)}" if total else count(done, unit)
    if not done or seconds <= 0:
        return of_all
    speed = done / seconds
    left = f", {duration((total - done) / speed)} left" if total > done else ""
    return f"{of_all}, {rate(speed, unit)}{left}"
