"""What a run leaves behind, as plain data: the run record and its parts.

`run.json` is `RunRecord.to_json()`; `docs/reference/run-json.md` documents it. Reports and verdicts are made from these
records alone, so that they can be made again without a network, an image or torch.
"""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

SCHEMA = "unfreeze.run/1"

Kind = Literal["probe", "head", "unfreeze", "full", "scratch"]
Status = Literal["done", "shortened", "left out", "interrupted"]


@dataclass(frozen=True)
class Interval:
    """A 95 % interval; accuracies and differences are fractions."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ImageCounts:
    """Where every file that was found has gone: found = used + set_aside + duplicates_removed."""

    found: int
    used: int
    set_aside: int
    duplicates_removed: int

    def __post_init__(self) -> None:
        """Refuse counts that do not add up: that would be our mistake."""
        assert self.found == self.used + self.set_aside + self.duplicates_removed, self  # noqa: S101


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What a trial checked of its own freezing.

    Attributes:
        frozen_tensors: Number of frozen parameters and buffers whose hash was taken before and after.
        frozen_unchanged: All of them hash the same.
        codes_difference: Largest relative difference between the features that were trained on and those that the
            network itself gives, on a sample of training images.
        codes_agree: That difference is small enough.
        optimizer_matches: The optimiser held exactly the parameters that the plan names.
    """

    frozen_tensors: int
    frozen_unchanged: bool
    codes_difference: float
    codes_agree: bool
    optimizer_matches: bool

    @property
    def passed(self) -> bool:
        """Whether every check held."""
        return self.frozen_unchanged and self.codes_agree and self.optimizer_matches


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one strategy gave.

    Attributes:
        name: Unique in its run, for people: ``softmax on the last codes``, ``unfreeze 2``.
        kind: probe, head, unfreeze, full or scratch.
        tap: Where the codes were read (probes only).
        blocks: Number of blocks that learned; 0 for probes and the head, None for the whole network.
        trained: What was trained, in words.
        status: done, shortened (fewer epochs than wanted), left out (nothing was measured) or interrupted.
        note: Why it was shortened or left out; else empty.
        accuracy: Fraction of the test images that were right; None if left out.
        interval: 95 % interval of `accuracy`.
        balanced_accuracy: Mean over classes of the fraction right.
        log_loss: Mean negative log-likelihood, in nats; None for an SVM, which gives no probabilities.
        selection_accuracy: Mean accuracy on the held-out folds of the train part; what strategies are picked by.
        selection_folds: On how many folds that was measured.
        seconds: Wall time that this strategy cost: training on the folds and on the whole train part, and its codes'
            reading where it was not shared.
        predictions: Predicted class index of every test image, in the order of `RunRecord.test_images`.
        settings: The plan and its settings, as plain data.
        audit: None for probes, which train nothing in the network.
        curve: Mean training loss of every epoch of the final training.
        deliverable: Whether timm can load the result as a model (a probe at an earlier tap is a cut-off network).
    """

    name: str
    kind: Kind
    trained: str
    tap: str | None = None
    blocks: int | None = 0
    status: Status = "done"
    note: str = ""
    accuracy: float | None = None
    interval: Interval | None = None
    balanced_accuracy: float | None = None
    log_loss: float | None = None
    selection_accuracy: float | None = None
    selection_folds: int = 0
    seconds: float = 0.0
    predictions: tuple[int, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    audit: Audit | None = None
    curve: tuple[float, ...] = ()
    deliverable: bool = True

    @property
    def measured(self) -> bool:
        """Whether there are predictions on the test part."""
        return bool(self.predictions)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Paired difference of two strategies on the same test images, second minus first.

    Attributes:
        first: Name of the strategy compared against.
        second: Name of the strategy that is asked about.
        difference: Accuracy of the second minus that of the first, a fraction.
        interval: 95 % interval by a paired bootstrap over test images (over groups where they are given). The variance
            over training sets is not in it.
        disagreements: Number of test images on which the two predictions differ.
        answer: better, worse, or cannot tell.
    """

    first: str
    second: str
    difference: float
    interval: Interval
    disagreements: int
    answer: Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True, kw_only=True)
class DepthPoint:
    """One point of the depth curve: a probe at a tap.

    Attributes:
        tap: Name of the tap, shallow to deep.
        width: Number of code values.
        loss: softmax or svm.
        C: The regularisation that cross-validation chose (scikit-learn's convention).
        cv_accuracy: Its cross-validated accuracy on the train part.
        accuracy: Its accuracy on the test part.
    """

    tap: str
    width: int
    loss: Literal["softmax", "svm"]
    C: float
    cv_accuracy: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that a run measured.

    Attributes:
        command: What was asked, as plain settings.
        versions: Of unfreeze, Python and the libraries that move numbers.
        images: Where every file went.
        classes: Class names, in the order of the class indices.
        set_aside: Name and reason of every file that could not be used.
        duplicates: Name of every removed file, what it equals, and why it went.
        warnings: What the user should know about the images, in sentences.
        train_images: Names of the images that trained.
        test_images: Names of the images that reported.
        test_labels: Class index of each.
        test_groups: Group of each; empty strings where none was given.
        network: The card of the source network, as plain data.
        depth_curve: Probes at every tap.
        strategies: What each strategy gave, cheapest first.
        comparisons: The paired differences behind the verdict.
        picked: Name of the strategy that was chosen on the train part, or None if nothing was finished.
        picked_because: One sentence.
        verdict: The sentences of the answer.
        model: Folder of the delivered model, relative to the run's folder; None if nothing was finished.
        codes: Counts of codes computed and reused: ``{"computed": n, "reused": m}``.
        phases: Seconds by phase.
        forecasts: What was forecast before each step, and what it took, seconds.
        seconds: Wall time of the whole run.
        seed: The run's seed.
        budget_seconds: What the run was allowed to take.
        interrupted: Whether the user stopped it.
        schema: Name and version of this document.
    """

    command: dict[str, Any]
    versions: dict[str, str]
    images: ImageCounts
    classes: tuple[str, ...]
    set_aside: tuple[dict[str, str], ...]
    duplicates: tuple[dict[str, str], ...]
    warnings: tuple[str, ...]
    train_images: tuple[str, ...]
    test_images: tuple[str, ...]
    test_labels: tuple[int, ...]
    test_groups: tuple[str, ...]
    network: dict[str, Any]
    depth_curve: tuple[DepthPoint, ...]
    strategies: tuple[Outcome, ...]
    comparisons: tuple[Comparison, ...]
    picked: str | None
    picked_because: str
    verdict: tuple[str, ...]
    model: str | None
    codes: dict[str, int]
    phases: dict[str, float]
    forecasts: tuple[dict[str, Any], ...]
    seconds: float
    seed: int
    budget_seconds: float
    interrupted: bool = False
    schema: str = SCHEMA

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary, `schema` first; an interval becomes a pair ``[low, high]``."""
        document: dict[str, Any] = plain(self)
        return {"schema": document.pop("schema"), **document}


def plain(value: Any) -> Any:
    """`value` with dataclasses as dictionaries, intervals as pairs and tuples as lists."""
    if isinstance(value, Interval):
        return [value.low, value.high]
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


__all__ = ["Audit", "Comparison", "DepthPoint", "ImageCounts", "Interval", "Outcome", "RunRecord", "plain"]
