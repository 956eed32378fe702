"""The run record: everything that a run leaves behind, its verdict, and how it becomes `run.json` and is read again.

Reports and verdicts are made from records alone, so that they can be made again without a network, an image or torch.
`docs/reference/run-json.md` documents the file. Reading is pydantic's, which is imported when a record is read, since
help has to be there at once.
"""

import json
import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from unfreeze.core.cards import Card
from unfreeze.core.class_table import ClassTable
from unfreeze.core.errors import InputError
from unfreeze.core.facts import Facts, RuleRecord
from unfreeze.core.files import sha256_of_json
from unfreeze.core.findings import Finding
from unfreeze.core.photo_checks import LabelCheck
from unfreeze.core.records import (
    CodeCounts,
    Comparison,
    DepthPoint,
    Duplicate,
    FolderStep,
    ImageCounts,
    LearningCurves,
    Outcome,
    Screened,
    ScreenedResize,
    SetAside,
    SplitRecord,
    TimeForecast,
    Winner,
    plain,
)
from unfreeze.core.seeing import CodeMap, Looks
from unfreeze.core.settings import Metric, StudySettings
from unfreeze.core.strategies import StrategyId

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

RUN_FILE, STOPPED_FILE = "run.json", "stopped.json"
CLASSES_FILE, CONFUSION_FILE = "classes.csv", "confusion.csv"

Schema = Literal["unfreeze.run/9"]
SCHEMA: Schema = "unfreeze.run/9"
HASH = "sha256"  # entry of the document, of all others
_MOST_SHOWN = 60  # characters of a value in an error


@dataclass(frozen=True, kw_only=True)
class RunResults:
    """Everything that a run measured and chose: what its verdict is made of.

    Attributes:
        command: What was asked.
        versions: Of unfreeze, Python and the libraries that move numbers.
        images: Where every file went.
        classes: Class names, in the order of the class indices.
        set_aside: Every file that could not be used.
        duplicates: Every image that was removed, what it equals, and why it went.
        skipped: Number of files that were not read, by reason.
        findings: What was noticed about the images and the task.
        train_images: Names of the images that splits are made of and that the delivered model is trained on.
        train_labels: Class index of each.
        train_groups: Group of each; empty strings where none was given.
        test_images: Names of the images of the user's own test folder; empty without one.
        test_labels: Class index of each.
        test_groups: Group of each.
        test_looks: How many runs in the same directory, this one included, have looked at that test folder; 0
            where nothing was confirmed on one.
        folder_step: What was delivered against the feature extractor there; None without a folder, or if they are one.
        splits: The splits that were used, common to all strategies.
        metric: What decides: accuracy, balanced accuracy or log-loss.
        metric_because: Why, in one sentence.
        margin: Differences up to this do not matter to the user; a fraction, or nats.
        facts: What was measured before any training; the depth curve in it is that of all splits.
        rule: What the rule of thumb said before any training, and whether it held.
        network: The card of the source network.
        depth_curve: Probes at every tap.
        strategies: What each strategy gave, cheapest first.
        comparisons: The steps behind the verdict.
        winner: The best score, with and without its optimism; None below two strategies, and where all splits test on
            one single group.
        race: Why each strategy was tried, repeated, dropped or left out: sentences, in the order of time.
        picked: The strategy that was chosen, or None if nothing was finished.
        picked_because: A sentence or two.
        model: Folder of the delivered model, relative to the run's folder; None if nothing was finished.
        codes: Counts of codes computed and reused.
        phases: Seconds by phase.
        forecasts: What was forecast before each training, and what it took.
        seconds: Wall time of the whole run.
        seed: The run's seed.
        budget_seconds: What the run was allowed to take; None if it was given no budget.
        interrupted: Whether somebody stopped it; then it can be continued.
        resumed: How often it was continued after a stop, or after its process had been killed. With a budget such a run
            has all splits that were measured before, but what is tried after them may differ from what would have been.
        screening: Networks and sizes that could have been raced; empty where one was given.
        resizing: Ways in which photos could have become squares, the usual one first; empty where none was screened.
        learning_curve: Scores by number of training images; None where images or time do not suffice.
        by_class: What the picked strategy answers class by class on held-out images; None if nothing was picked.
        label_check: Labels that look wrong; None in a run that was stopped, and where there was no time to ask.
        code_map: The images in a plane by their codes; None without a model, and in a run that was stopped.
        looks: Where the delivered network looks; None without a model, in a run that was stopped, and in one that may
            show no photos.
    """

    # Read by pydantic, when a record is loaded again, for this class and all that it holds.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    command: StudySettings
    versions: dict[str, str]
    images: ImageCounts
    classes: tuple[str, ...]
    set_aside: tuple[SetAside, ...]
    duplicates: tuple[Duplicate, ...]
    skipped: dict[str, int]
    findings: tuple[Finding, ...]
    train_images: tuple[str, ...]
    train_labels: tuple[int, ...]
    train_groups: tuple[str, ...]
    test_images: tuple[str, ...]
    test_labels: tuple[int, ...]
    test_groups: tuple[str, ...]
    splits: tuple[SplitRecord, ...]
    metric: Metric
    metric_because: str
    margin: float
    facts: Facts
    rule: RuleRecord
    network: Card
    depth_curve: tuple[DepthPoint, ...]
    strategies: tuple[Outcome, ...]
    comparisons: tuple[Comparison, ...]
    winner: Winner | None
    race: tuple[str, ...]
    picked: StrategyId | None
    picked_because: str
    model: str | None
    codes: CodeCounts
    phases: dict[str, float]
    forecasts: tuple[TimeForecast, ...]
    seconds: float
    seed: int
    budget_seconds: float | None
    interrupted: bool = False
    resumed: int = 0
    test_looks: int = 0
    folder_step: FolderStep | None = None
    screening: tuple[Screened, ...] = ()
    resizing: tuple[ScreenedResize, ...] = ()
    learning_curve: LearningCurves | None = None
    by_class: ClassTable | None = None
    label_check: LabelCheck | None = None
    code_map: CodeMap | None = None
    looks: Looks | None = None

    def outcome_of(self, strategy: StrategyId | None) -> Outcome | None:
        """What a strategy gave; None if it was not tried."""
        return next((outcome for outcome in self.strategies if outcome.strategy == strategy), None)

    @property
    def on_part(self) -> frozenset[StrategyId]:
        """What was tested on fewer of the images than other strategies: its scores do not compare with theirs."""
        tested = {
            outcome.strategy: len({image for split in self.splits[: outcome.splits] for image in split.test})
            for outcome in self.strategies
            if outcome.measured
        }
        most = max(tested.values(), default=0)
        return frozenset(strategy for strategy, images in tested.items() if images < most)


@final
@dataclass(frozen=True, kw_only=True)
class RunRecord(RunResults):
    """What `run.json` holds: everything that a run measured and chose, and its verdict.

    Attributes:
        verdict: The sentences of the answer; `advisor.verdict.verdict` writes them, also from a record that was loaded.
        details: The statistics behind them, in sentences; `advisor.details.details` writes them.
        schema: Name and version of this document.
    """

    verdict: tuple[str, ...]
    details: tuple[str, ...]
    schema: Schema = SCHEMA

    @classmethod
    def of(cls, results: RunResults, *, verdict: tuple[str, ...], details: tuple[str, ...]) -> "RunRecord":
        """The record of these results, with the sentences that were made of them."""
        measured = {each.name: getattr(results, each.name) for each in fields(RunResults)}
        return cls(**measured, verdict=verdict, details=details)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary; an interval becomes a pair ``[low, high]``, a strategy its key.

        `schema` is the first entry; `sha256`, of the others, the last.
        """
        document: dict[str, Any] = plain(self)
        document = {"schema": document.pop("schema"), **document}
        return {**document, HASH: sha256_of_json(document)}

    @classmethod
    def from_json(cls, document: Any, *, name: str = RUN_FILE) -> "RunRecord":
        """The record that `to_json` wrote.

        Args:
            document: As JSON has it.
            name: Where it came from, named in the error.

        Returns:
            The record.

        Raises:
            InputError: It is of another version, was changed since it was written, or is none.
        """
        from pydantic import ValidationError

        _check_schema(document, name)
        content = {key: value for key, value in document.items() if key != HASH}
        try:
            # As text, since strict reading takes a list for a tuple in JSON alone.
            record = _adapter().validate_json(json.dumps(content))
        except ValidationError as error:
            msg = f"{name} is damaged, or not what unfreeze wrote: {_said(error)} Run again, or restore the file."
            raise InputError(msg) from error
        if document.get(HASH, sha256_of_json(content)) != sha256_of_json(content):
            msg = f"{name} was changed since it was written: its {HASH} is another. Run again, or restore the file."
            raise InputError(msg)
        return record


def read_run(folder: Path) -> RunRecord:
    """The record of a run.

    Args:
        folder: Of a run that was finished, or stopped; or its record.

    Returns:
        The record.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    path = _record_in(folder)
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        msg = f"There is no finished run in {folder}: {path} cannot be read ({error.strerror}). Give a run's folder."
        raise InputError(msg) from error
    except (ValueError, RecursionError) as error:  # the second: lists in lists without end
        msg = f"{path} is damaged: it is no JSON ({error}). Run again, or restore the file."
        raise InputError(msg) from error
    return RunRecord.from_json(document, name=str(path))


def _record_in(folder: Path) -> Path:
    """The file of the record: of a run that was stopped, what there was by then."""
    if not folder.is_dir():
        return folder
    finished, stopped = folder / RUN_FILE, folder / STOPPED_FILE
    return stopped if stopped.exists() and not finished.exists() else finished


def run_schema() -> dict[str, Any]:
    """The JSON Schema of `run.json`."""
    schema: dict[str, Any] = _adapter().json_schema()
    schema["properties"][HASH] = {"title": "Sha256", "type": "string"}
    return schema


@cache
def _adapter() -> "TypeAdapter[RunRecord]":
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def _said(error: "ValidationError") -> str:
    """Where a document first differs from what was wanted, and how; a sentence, in our words."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "the document"
    raised = first.get("ctx", {}).get("error")
    if isinstance(raised, Exception):  # by us
        return f"{place}: {str(raised).removesuffix('.')}."
    text = json.dumps(first["input"], default=str)
    shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
    found = {"missing": "it is missing", "extra_forbidden": "it is unknown"}.get(first["type"], f"it cannot be {shown}")
    return f"{place}: {found}."


def _check_schema(document: Any, name: str) -> None:
    """Tell a record of another version from one that is damaged."""
    found = document.get("schema") if isinstance(document, dict) else None
    if found == SCHEMA:
        return
    kind, _, ours = SCHEMA.rpartition("/")
    version = re.fullmatch(rf"{re.escape(kind)}/([0-9]{{1,9}})", str(found))
    if version is None:
        msg = f"{name} is no record of a run: its schema is {found!r}, wanted {SCHEMA!r}. Give a run's folder."
    elif int(version[1]) > int(ours):
        msg = f"{name} was written by a newer unfreeze (schema {found}, this one reads {SCHEMA}). Update unfreeze."
    else:
        msg = f"{name} was written by an older unfreeze (schema {found}, this one reads {SCHEMA}). Run again."
    raise InputError(msg)
