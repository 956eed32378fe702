"""Where the images of a class have gone, for errors: what was seen, not only what is lacking."""

import re
from collections import Counter
from collections.abc import Iterable

from unfreeze.core.records import SetAside
from unfreeze.data.image_table import ImageTable

CONFLICTING = "conflicting labels"
_IN_WORDS = {CONFLICTING: "since the same picture lies in two classes"}


def codes_of(aside: Iterable[SetAside]) -> str:
    """Codes of the reasons for which files were set aside, and how many files each has, most frequent first."""
    reasons = Counter(re.split(r"[: ]", item.reason, maxsplit=1)[0] for item in aside)
    return ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())


def shortfall(table: ImageTable, label: str | None = None) -> str:
    """What became of files that are not used.

    Args:
        table: After inspection.
        label: The class; None for all of them.

    Returns:
        In brackets, after a space: folders that cannot be opened, what was set aside, removed and skipped; nothing if
        all files are used.
    """
    aside = list(table.files_set_aside(label))
    closed = [item for item in aside if item.name.endswith("/")]
    files = [item for item in aside if not item.name.endswith("/")]
    parts = [f"{item.name} may not be opened: {_code(item)}" for item in closed[:3]]
    parts += [f"{len(files)} set aside: {codes_of(files)}"] if files else []
    removed = Counter(_IN_WORDS.get(item.why, "as exact copies") for item in table.duplicates(label))
    parts += [f"{number} removed {why}" for why, number in removed.most_common()]
    skipped = _skipped(table) if label is None else table.skipped_of.get(label, Counter())
    parts += [f"{number} skipped: {reason}" for reason, number in skipped.most_common(3)]
    return f" ({'; '.join(parts)})" if parts else ""


def _skipped(table: ImageTable) -> Counter[str]:
    """What was skipped in all classes in the detail in which classes have it, and what was skipped elsewhere."""
    detailed = sum(table.skipped_of.values(), Counter[str]())
    others = {reason: number for reason, number in table.skipped.items() if not any(map(reason.__eq__, detailed))}
    return detailed + Counter(
        {k: n for k, n in others.items() if not any(name.startswith(k + " (") for name in detailed)}
    )


def _code(item: SetAside) -> str:
    return re.split(r"[: ]", item.reason, maxsplit=1)[0]
