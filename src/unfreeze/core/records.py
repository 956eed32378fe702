"""What was measured, as plain data: the parts of a run record, which other documents use, too."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import PurePath
from typing import Any, Literal, NamedTuple

from unfreeze.core.plans import ProbeSettings, TrainingSettings
from unfreeze.core.settings import Metric, ResizeWord
from unfreeze.core.strategies import Kind, Loss, StrategyId

Status = Literal["done", "shortened", "dropped", "left out", "interrupted"]
Answer = Literal["worth it", "not worth it", "equivalent", "same", "cannot tell"]


class Interval(NamedTuple):
    """A 95 % interval; accuracies and differences are fractions."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The images that a classifier answers where it leaves the others open.

    Attributes:
        images: How many are answered.
        right: How many of them are right.
        accuracy: ``right / images``; None without any.
        interval: 95 % interval of it; the same.
    """

    images: int
    right: int
    accuracy: float | None
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class Abstaining:
    """What a model answers where probabilities below one are left open.

    Attributes:
        below: The probability.
        answered: The images that are not left open.
    """

    below: float
    answered: Answered


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """How well one class is recognised. A share of no images at all is None, and so is its interval.

    Attributes:
        images: How many are of the class.
        predicted: How many the model takes for it.
        right: How many are both.
        precision: ``right / predicted``.
        recall: ``right / images``.
        f1: Harmonic mean of the two, ``2 right / (images + predicted)``.
        precision_interval: 95 % interval of the precision.
        recall_interval: 95 % interval of the recall.
        f1_interval: 95 % interval of F1.
    """

    images: int
    predicted: int
    right: int
    precision: float | None
    recall: float | None
    f1: float | None
    precision_interval: Interval | None
    recall_interval: Interval | None
    f1_interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class ImageCounts:
    """Where every file that was found has gone: found = used + set_aside + duplicates_removed + skipped.

    A folder or a link that is not read counts as one where it cannot be opened, else as the files in it.
    """

    found: int
    used: int
    set_aside: int
    duplicates_removed: int
    skipped: int

    def __post_init__(self) -> None:
        """Refuse counts that do not add up: that would be our mistake."""
        parts = self.used + self.set_aside + self.duplicates_removed + self.skipped
        assert self.found == parts, self  # noqa: S101

    @classmethod
    def of(
        cls, *, used: int, set_aside: int = 0, duplicates_removed: int = 0, skipped: Mapping[str, int]
    ) -> "ImageCounts":
        """The counts of files of which each went one of these ways; what was skipped is given by reason."""
        passed = sum(skipped.values())
        return cls(
            found=used + set_aside + duplicates_removed + passed,
            used=used,
            set_aside=set_aside,
            duplicates_removed=duplicates_removed,
            skipped=passed,
        )


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A file that claims to be an image and cannot be used.

    Attributes:
        name: Of the file, relative to the images' root.
        reason: Why, beginning with a code.
        sha256: Of its bytes; empty if they could not be read.
    """

    name: str
    reason: str
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """An image that was removed because another one has the same pixels.

    Attributes:
        name: Of the image.
        same_as: Name of the other one.
        why: Why this one went.
    """

    name: str
    same_as: str
    why: str


@dataclass(frozen=True, kw_only=True)
class CodeCounts:
    """How many images ran through the network for their codes, and how many had theirs from the store."""

    computed: int
    reused: int


@dataclass(frozen=True, kw_only=True)
class TimeForecast:
    """What was forecast of a training, and what it took.

    Attributes:
        strategy: Which.
        forecast_seconds: Of all its training; None where it was not forecast.
        seconds: What it took until the first splits were measured.
        status: What became of it.
    """

    strategy: StrategyId
    forecast_seconds: float | None
    seconds: float
    status: Status


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What a trial checked of its own freezing.

    Attributes:
        frozen_tensors: Number of frozen parameters and buffers whose hash was taken before and after.
        frozen_unchanged: All of them hash the same.
        codes_difference: Relative difference between the features that were trained on and those that the network
            itself gives, on a sample of training images: the largest, or the median where frozen layers ran in bf16 or
            int8.
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
class Cost:
    """What a strategy took. Codes are shared by all strategies and are in none of them.

    Attributes:
        seconds: Wall time of everything below.
        preparation_seconds: Wall time of what was done once for all its trainings: activations at its cut.
        split_seconds: Wall time of each split, training and prediction.
        refit_seconds: Wall time of the training on everything; 0 where that was not needed.
        cpu_seconds: Processor time of this process and its children in all of that.
        peak_bytes: The largest resident memory that the process had reached by then, what came before included.
    """

    seconds: float = 0.0
    preparation_seconds: float = 0.0
    split_seconds: tuple[float, ...] = ()
    refit_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What a model as trained on the whole train part reaches on the user's own test folder.

    The interval holds for this trained model on images like these: the variance over training sets is not in it.

    Attributes:
        accuracy: Fraction of the folder's images that were right.
        interval: 95 % interval of `accuracy`, over groups where they are given.
        balanced_accuracy: Mean over classes of the fraction right.
        log_loss: Mean negative log-likelihood, nats; None for an SVM, which gives no probabilities.
        predictions: Predicted class index of every image, in the order of `RunRecord.test_images`.
        log_likelihoods: Log of the probability that each image's own class was given, nats; empty for an SVM.
    """

    accuracy: float
    interval: Interval
    balanced_accuracy: float
    log_loss: float | None
    predictions: tuple[int, ...]
    log_likelihoods: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FolderStep:
    """The delivered strategy against the feature extractor on the user's own test folder.

    The interval holds for models trained on this train part: the variance over training sets is not in it.

    Attributes:
        first: The strategy compared against.
        second: The delivered strategy.
        difference: Its score less that of the first in the metric that decides, mean over seeds.
        interval: 95 % interval, over images or groups and over seeds.
        seeds: With how many seeds the delivered strategy was trained.
        seeds_differ: Whether another seed gives another model; then the variance over seeds is unknown with one.
    """

    first: StrategyId
    second: StrategyId
    difference: float
    interval: Interval
    seeds: int
    seeds_differ: bool


@dataclass(frozen=True, kw_only=True)
class ModelCost:
    """What using the model of a strategy takes.

    Attributes:
        deepest_tap: Where its network is cut off; None where the whole network is needed.
        megabytes: Of its float32 weights, up to the deepest tap and with the classifier; millions of bytes.
        milliseconds_an_image: Of the network up to there, in plain torch and float32, on random pixels in batches of
            four, without decoding: processor time on one core, or wall time on the GPU that the run had. None where
            it was not timed, as in a run that was stopped.
    """

    megabytes: float
    deepest_tap: str | None = None
    milliseconds_an_image: float | None = None


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Images whose likeliest class has about the same probability; no bin is without images.

    Attributes:
        images: How many.
        confidence: Mean probability of the likeliest class, a fraction.
        accuracy: Fraction of them for which that class is the given one.
        interval: 95 % interval of the accuracy: of a model like these on other images.
    """

    images: int
    confidence: float
    accuracy: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How far probabilities can be believed.

    Attributes:
        log_loss: Mean negative log-likelihood of the given classes, nats.
        error: Expected calibration error: mean gap between confidence and accuracy of the bins, weighted by images.
        bins: Ten bins of equal width, the least confident first; those without images are left out.
    """

    log_loss: float
    error: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What one temperature does to the probabilities of a strategy (Guo et al. 2017, arXiv:1706.04599).

    Both sides are measured on images that the models had not learned from: those of the first round of splits, each
    image once.

    Attributes:
        temperature: By which weight and bias of the delivered head were divided; 1 where that does not lower the
            log-loss, so that nothing was done.
        images: On how many it was fitted.
        before: Of the probabilities as trained.
        after: With temperatures that were fitted on other images each (those of the other splits, and those that its
            model learned from), so that it is not flattered; what was found where the temperature stayed 1, too.
        abstaining: What is answered, and how well, where the delivered model's probabilities below one are left open:
            at 0, and at every whole per cent at which fewer images are answered than at the one before.
    """

    temperature: float
    images: int
    before: Reliability
    after: Reliability
    abstaining: tuple[Abstaining, ...] = ()

    @property
    def applied(self) -> bool:
        """Whether the delivered head was divided by the temperature."""
        return self.temperature != 1.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one strategy gave.

    Attributes:
        strategy: Which; unique in its run.
        tap: Where the codes are read (probes only); of the probe at the best tap, the one that was chosen last: each
            training chooses its own.
        description: What was trained, in words.
        status: done, shortened (fewer epochs or splits than wanted), dropped (hopeless, so not repeated), left out
            (nothing was measured) or interrupted.
        note: Why; else empty.
        splits: On how many splits it was measured: the first ones of `RunRecord.splits`.
        accuracy: Fraction right of the images that its splits tested, an image that was tested more often with its
            mean; None if left out.
        interval: 95 % interval of the expected accuracy at the training size of a split; None below two splits.
        balanced_accuracy: Mean over classes of the fraction right of these images.
        log_loss: Mean negative log-likelihood of these images, nats; None for an SVM.
        predictions: For each split the predicted class index of its test images, in its order.
        log_likelihoods: For each split the log of the probability that each image's own class was given, nats; empty
            for an SVM.
        confirmation: On the user's own test folder; None without one, or where nothing was trained on everything.
        cost: What it took.
        settings: How it was fitted or trained; None where that is not known, as in simulations.
        audit: Of its trainings, the first that failed or else the last; None for probes, which train nothing in the
            network.
        curve: Mean training loss of every epoch of the last training; if it did not train, after the loss of its start.
        model_cost: What using its model takes; None where there is none. Of the probe at the best tap that of the
            latest training, which chose its own.
        calibration: What one temperature does to its probabilities; None for what is not delivered, for an SVM, and
            where nothing was held out.
    """

    strategy: StrategyId
    description: str
    tap: str | None = None
    status: Status = "done"
    note: str = ""
    splits: int = 0
    accuracy: float | None = None
    interval: Interval | None = None
    balanced_accuracy: float | None = None
    log_loss: float | None = None
    predictions: tuple[tuple[int, ...], ...] = ()
    log_likelihoods: tuple[tuple[float, ...], ...] = ()
    confirmation: Confirmation | None = None
    cost: Cost = field(default_factory=Cost)
    settings: ProbeSettings | TrainingSettings | None = None
    audit: Audit | None = None
    curve: tuple[float, ...] = ()
    model_cost: ModelCost | None = None
    calibration: Calibration | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.strategy.label

    @property
    def kind(self) -> Kind:
        """Of its strategy."""
        return self.strategy.kind

    @property
    def measured(self) -> bool:
        """Whether there are predictions."""
        return bool(self.predictions)

    def score(self, metric: Metric) -> float | None:
        """A metric over the images that its splits tested, as shown: a log-loss is a loss. None where there is none."""
        scores = {"accuracy": self.accuracy, "balanced accuracy": self.balanced_accuracy, "log-loss": self.log_loss}
        return scores[metric]


@dataclass(frozen=True, kw_only=True)
class SplitRecord:
    """One of the splits that all strategies share.

    Attributes:
        number: Its place, from 0.
        test: Places in `RunRecord.train_images` of the images that it tests on, ascending; the others train.
    """

    number: int
    test: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Settling:
    """What would settle a step that cannot be told.

    Attributes:
        kind: few (one split says too little), splits (more splits of the same images can), images (more images can),
            beyond (not even four times as many images), dropped (one side was dropped and is not measured further).
        low: Of images to add, the lower end of a rounded range; None unless images.
        high: Its upper end.
        splits: How many common splits can; None unless splits.
        seconds: What they would take both sides, beyond what was measured; None unless few or splits.
    """

    kind: Literal["few", "splits", "images", "beyond", "dropped"]
    low: int | None = None
    high: int | None = None
    splits: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A step: the second strategy against the first, on common splits, in the metric that decides.

    Attributes:
        first: The strategy compared against.
        second: The strategy that is asked about.
        difference: Expected score of the second minus that of the first at the training size of a split; accuracies as
            fractions, log-loss in nats with its sign turned, so that more is better.
        interval: 95 % interval of it, from the paired differences of images (`metrics.repeated.compare_folds`); with
            one split a paired bootstrap over its test images, which leaves out the variance over training sets.
        splits: On how many common splits.
        worse: Probability that the second is worse by more than the margin; None with a single split.
        equivalent: Probability that the two are within the margin; None with a single split.
        better: Probability that the second is better by more than the margin; None with a single split.
        answer: worth it, not worth it, equivalent, cannot tell, or same: the two are one function, so there is no
            step.
        disagreements: Number of predictions, over all common splits, that differ.
        predictions: Number of predictions that were compared.
        settling: What would settle it; None unless it cannot be told.
    """

    first: StrategyId
    second: StrategyId
    difference: float
    interval: Interval
    splits: int
    worse: float | None
    equivalent: float | None
    better: float | None
    answer: Answer
    disagreements: int
    predictions: int
    settling: Settling | None = None


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The score of the best strategy, with and without the optimism of having been chosen as the best.

    Attributes:
        strategy: The one with the best measured score among those that have a whole round of
            splits (or as many as any has).
        naive: Its score as measured: the mean over images of each image's mean over the common splits.
        corrected: The same by bootstrap bias-corrected cross-validation (Tsamardinos et al. 2018).
        interval: 95 % interval of `corrected`.
        among: How many strategies it was the best of.
    """

    strategy: StrategyId
    naive: float
    corrected: float
    interval: Interval
    among: int


@dataclass(frozen=True, kw_only=True)
class DepthPoint:
    """One point of the depth curve: a probe at a tap.

    Attributes:
        tap: Name of the tap, shallow to deep.
        width: Number of code values.
        loss: softmax or svm.
        C: The regularisation that was chosen (scikit-learn's convention); the median over splits.
        cv_accuracy: Its cross-validated accuracy inside the training side of a split; mean over splits.
        accuracy: Its accuracy on the test side of a split; mean over splits.
    """

    tap: str
    width: int
    loss: Loss
    C: float
    cv_accuracy: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """Scores of one strategy by number of training images, and what is expected of more.

    Attributes:
        strategy: Which.
        splits: On how many splits it was measured at every size.
        sizes: Numbers of training images, ascending; means over splits.
        scores: At each of `sizes`; means over splits.
        bands: 95 % interval of each.
        ahead: Numbers of training images beyond, four times the largest size at most; empty below three sizes.
        expected: Score at each of `ahead`.
        expected_bands: 95 % band of each.
    """

    strategy: StrategyId
    splits: int
    sizes: tuple[int, ...]
    scores: tuple[float, ...]
    bands: tuple[Interval, ...]
    ahead: tuple[int, ...] = ()
    expected: tuple[float, ...] = ()
    expected_bands: tuple[Interval, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LearningCurves:
    """The learning curves of the probe and of fine-tuning, and where the second overtakes the first.

    Attributes:
        metric: What the scores are: balanced accuracy where that decides, else accuracy.
        probe: Of a softmax on the last codes.
        fine_tuning: Of the best strategy that trains more than the head; None where none was measured on two splits.
        overtakes: Whether fine-tuning is ahead at the training size of a split, gets ahead within four times as many
            images, or does not; None without its curve.
        between: Where it gets ahead, numbers of training images; None unless that is within four times as many.
        note: Why fine-tuning was measured at one size only; else empty.
    """

    metric: Metric
    probe: LearningCurve
    fine_tuning: LearningCurve | None
    overtakes: Literal["already ahead", "within", "not within", "cannot tell"] | None
    between: tuple[int, int] | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Screened:
    """A network at a size of its input that could have been raced.

    Attributes:
        name: The network, and its size where several are screened.
        backbone: Name of the network.
        size: Side of its input, pixels.
        parameters: How many the network has.
        seconds_an_image: Processor time of one image through the network, float32, in small batches.
        splits: On how many common splits its probe was measured; 0 if it was left out, and all below are None then.
        score: Of a softmax on its last codes, in the metric that decides, over all images that the splits tested; of
            log-loss the negative, so that more is better.
        difference: To the best score; 0 or less.
        standard_error: Of that difference, paired by image, with an allowance for training sets.
        log_maximum_evidence: LogME of the last codes of the train part.
        h_score: Their H-score.
        neighbour_accuracy: Leave-one-out accuracy of the nearest neighbours.
        largest: What the static rule takes: the network with most parameters, at the largest size.
        picked: Whether it was raced.
        note: Why it was left out; else empty.
    """

    name: str
    backbone: str
    size: int
    parameters: int
    seconds_an_image: float
    splits: int = 0
    score: float | None = None
    difference: float | None = None
    standard_error: float | None = None
    log_maximum_evidence: float | None = None
    h_score: float | None = None
    neighbour_accuracy: float | None = None
    largest: bool = False
    picked: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ScreenedResize:
    """A way in which photos become squares, measured by a softmax on the last codes.

    Attributes:
        resize: crop, squash or pad.
        splits: On how many common splits.
        score: In the metric that decides, over all images that the splits tested; of log-loss the negative, so that
            more is better.
        difference: To the network's usual way, paired by image.
        interval: 95 % interval of it; None of the usual way.
        standard_error: Of the difference; None of the usual way.
        picked: Whether it is used.
    """

    resize: ResizeWord
    splits: int
    score: float
    difference: float
    interval: Interval | None
    standard_error: float | None
    picked: bool = False


def plain(value: Any) -> Any:
    """`value` as JSON has it: dataclasses as dictionaries, strategies as their keys, tuples as lists.

    A byte of a file name that is no text becomes a backslash and its number, since JSON has no place for it.
    """
    if isinstance(value, StrategyId):
        return value.key
    if isinstance(value, (str, PurePath)):
        return str(value).encode("utf-8", "backslashreplace").decode()
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value
