"""What the workbench is asked and answers, as plain data."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from unfreeze.core.documents import ComparedRun, CompareRecord
from unfreeze.core.phrases import compared_on
from unfreeze.core.records import plain
from unfreeze.core.settings import Metric, StudySettings
from unfreeze.core.strategies import parse_strategies
from unfreeze.core.wording import printable, score
from unfreeze.server.workbench.roots import Place, Roots
from unfreeze.server.workbench.runs import RunEntry

_LONGEST_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class LookRequest:
    """A folder to look into.

    Attributes:
        place: Which.
        anew: Whether to look again at one that was looked at before.
    """

    place: Place
    anew: bool = False


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """A folder of which a list is wanted without what cannot be used."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class ListName:
    """A list that was written into its folder."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far the inspection is that is under way; empty without one, and in its first seconds."""

    standing: str


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A run to begin.

    Attributes:
        place: Folder of photos.
        cleaned_list: Name of a list in that folder, of which the run learns instead; empty for none.
        margin: As `core.settings.StudySettings.margin`.
        budget_seconds: As there.
        strategies: As there.
        size: As there; one number only.
    """

    place: Place
    cleaned_list: Annotated[str, Field(max_length=255)] = ""
    margin: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 1.0
    budget_seconds: Annotated[float, Field(gt=0, le=_LONGEST_SECONDS, allow_inf_nan=False)] | None = 900.0
    strategies: Annotated[tuple[Annotated[str, Field(max_length=20)], ...], Field(max_length=20)] | None = None
    size: Annotated[int, Field(ge=16, le=4096)] | None = None

    def settings(self, roots: Roots) -> StudySettings:
        """What a run is asked to do.

        Raises:
            ProblemError: The folder lies elsewhere.
            InputError: A strategy is unknown.
        """
        if self.strategies is not None:
            parse_strategies(self.strategies, option="The list of strategies")
        return StudySettings(
            source=roots.list_in(self.place, self.cleaned_list) if self.cleaned_list else roots.folder(self.place),
            margin=self.margin,
            budget_seconds=self.budget_seconds,
            strategies=self.strategies,
            size=self.size,
        )


@dataclass(frozen=True, kw_only=True)
class RunName:
    """A run that was begun."""

    name: str


@dataclass(frozen=True, kw_only=True)
class RunList:
    """All runs, the newest first."""

    runs: tuple[RunEntry, ...]


@dataclass(frozen=True, kw_only=True)
class TriedModel:
    """A model that can be tried now; its address is that of the page, which wants the token."""

    address: str


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """One of two runs that are compared, for people.

    Attributes:
        run: Its name.
        network: That it was made of.
        picked: The strategy that was picked.
        score: Of that, with its unit.
    """

    run: str
    network: str
    picked: str
    score: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs, compared.

    Attributes:
        rows: The two.
        verdict: The answer in a sentence.
        basis: On what it rests, in a sentence.
        record: The document that ``unfreeze compare --json`` prints.
    """

    rows: tuple[ComparedRow, ComparedRow]
    verdict: str
    basis: str
    record: dict[str, Any]


def comparison_of(record: CompareRecord) -> Comparison:
    """A comparison for people and programs."""
    return Comparison(
        rows=(_row(record.first, record.metric), _row(record.second, record.metric)),
        verdict=printable(record.verdict),
        basis=compared_on(record),
        record=plain(record),
    )


def _row(one: ComparedRun, metric: Metric) -> ComparedRow:
    return ComparedRow(
        run=printable(one.run), network=printable(one.network), picked=one.picked.plain, score=score(one.score, metric)
    )
