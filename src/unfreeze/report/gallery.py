"""Which photos a report shows, and their pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Final

from unfreeze.core.findings import Finding
from unfreeze.core.run_record import RunRecord
from unfreeze.report.mistakes import Change, Mistake, MistakesOf, NeverRight, cells

SUREST: Final = 24  # mistakes that are shown first, and as many of the user's own test folder
IN_CELL: Final = 12  # of a cell of the confusion matrix
OF_CHANGE: Final = 12  # that unfreezing mends, and that it breaks
NEVER: Final = 24
ALIKE: Final = 24  # of a finding on near copies or series
ALIKE_CODES: Final = ("UF113", "UF114", "UF115", "UF116")
MOST_PHOTOS: Final = 400  # different ones: of 2,000 photos of which half are wrong the page still stays below 6 MB
MOST_CELLS: Final = 150
SUSPECTS: Final = 48
OF_FINDING: Final = 12
APART: Final = "UF129"  # shown with the test folder
DOUBTED: Final = "UF125"  # shown with what they are called
SHOWN: Final = frozenset({"UF101", "UF126", "UF127", "UF128"})  # findings whose photos are shown


@dataclass(frozen=True)
class Pictures:
    """Small pictures of photos.

    Attributes:
        uris: By name of the image a ``data:`` URI, so that the page loads nothing.
        note: Why there are fewer than there should be, a sentence; else empty.
        heat: By name of the image, the pictures of its heat maps: what each shows, and its ``data:`` URI.
        heat_note: Why there are fewer of these; else empty.
    """

    uris: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    note: str = ""
    heat: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=lambda: MappingProxyType({}))
    heat_note: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Mistakes with the same given and predicted class.

    Attributes:
        given: Class index.
        predicted: Class index.
        images: How many there are.
        shown: Those that are shown, surest first.
    """

    given: int
    predicted: int
    images: int
    shown: tuple[Mistake, ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The photos that a report shows.

    Attributes:
        mistakes: How many the picked strategy made.
        surest: The surest of them.
        has_probabilities: Whether they are sorted by the probability that was left for the given class.
        change: What unfreezing mends and breaks; None where that was not measured.
        never: What no strategy gets right; None below two strategies.
        cells: By cell of the confusion matrix, most frequent first.
        folder_mistakes: How many the delivered model made on the user's own test folder.
        on_folder: The surest of those.
        alike: Findings on near copies and series, which photos tell more of than words.
        suspects: Photos whose labels look wrong, the least probable first.
        concerned: By code of a finding, names of photos that it concerns.
    """

    mistakes: int
    surest: tuple[Mistake, ...]
    has_probabilities: bool
    change: Change | None
    never: NeverRight | None
    cells: tuple[Cell, ...]
    folder_mistakes: int = 0
    on_folder: tuple[Mistake, ...] = ()
    alike: tuple[Finding, ...] = ()
    suspects: tuple[Mistake, ...] = ()
    concerned: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all images that are shown, what matters most first, one that is shown twice twice."""
        change = self.change
        changed = (*change.mended[:OF_CHANGE], *change.broken[:OF_CHANGE]) if change else ()
        never = self.never.images[:NEVER] if self.never else ()
        found = chain.from_iterable(self.concerned.values())
        shown = chain(self.suspects, self.on_folder, self.surest, changed, never, *(cell.shown for cell in self.cells))
        alike = chain.from_iterable(found.images[:ALIKE] for found in self.alike)
        return (*found, *(mistake.name for mistake in shown), *alike)


def gallery(record: RunRecord) -> Gallery:
    """The photos to show of a run.

    Args:
        record: Of the run.

    Returns:
        `MOST_PHOTOS` different ones at most; of how many there are in all the counts speak.
    """
    of_run = MistakesOf(record)
    mistakes, change, never = of_run.of_picked(), of_run.changed(), of_run.never_right()
    surest, folder = mistakes[:SUREST], of_run.of_test_folder()
    already = {mistake.name for mistake in (*folder[:SUREST], *surest)}
    if change is not None:
        already |= {mistake.name for mistake in (*change.mended[:OF_CHANGE], *change.broken[:OF_CHANGE])}
    already |= {mistake.name for mistake in (never.images[:NEVER] if never else ())}
    return Gallery(
        mistakes=len(mistakes),
        surest=surest,
        has_probabilities=any(mistake.left is not None for mistake in mistakes),
        change=change,
        never=never,
        cells=tuple(_cells(mistakes, already)),
        folder_mistakes=len(folder),
        on_folder=folder[:SUREST],
        alike=tuple(found for found in record.findings if found.code in ALIKE_CODES and found.images),
        suspects=_suspects(record),
        concerned=MappingProxyType(
            {found.code: found.images[:OF_FINDING] for found in record.findings if found.code in SHOWN | {APART}}
        ),
    )


def _suspects(record: RunRecord) -> tuple[Mistake, ...]:
    """As mistakes: what most classifiers call them is the prediction."""
    doubted = record.label_check.suspects if record.label_check else ()
    return tuple(
        Mistake(name=one.image, given=one.given, predicted=one.called, left=one.probability, agree=one.agree)
        for one in doubted[:SUSPECTS]
    )


def _cells(mistakes: tuple[Mistake, ...], already: set[str]) -> Iterator[Cell]:
    """The most frequent ones, all with the same number of photos at most; those of the last ones where room ends."""
    found = list(cells(mistakes).items())[:MOST_CELLS]
    each = max(1, min(IN_CELL, MOST_PHOTOS // max(1, len(found))))
    for (given, predicted), inside in found:
        room = MOST_PHOTOS - len(already)
        chosen = inside[:each]
        new = [mistake.name for mistake in chosen if mistake.name not in already][:room]
        already = already | set(new)
        shown = tuple(mistake for mistake in chosen if mistake.name in already)
        yield Cell(given=given, predicted=predicted, images=len(inside), shown=shown)
