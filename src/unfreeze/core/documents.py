"""What the commands beside `run` give, as plain data: a record each, printed as one JSON document with ``--json``."""

from dataclasses import dataclass
from typing import Literal

from unfreeze.core.cards import Channels
from unfreeze.core.export_settings import ExportResize, ExportTarget
from unfreeze.core.findings import Finding
from unfreeze.core.photo_checks import LabelCheck
from unfreeze.core.records import (
    Abstaining,
    Answered,
    ClassScores,
    CodeCounts,
    DepthPoint,
    Duplicate,
    ImageCounts,
    Interval,
    Outcome,
    SetAside,
)
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import StrategyId


@dataclass(frozen=True, kw_only=True)
class ClassCounts:
    """Images of a class: all of them, and by the split that was given.

    Attributes:
        name: Of the class.
        images: All.
        train: Given as train.
        val: Given as val.
        test: Given as test.
    """

    name: str
    images: int
    train: int = 0
    val: int = 0
    test: int = 0


@dataclass(frozen=True, kw_only=True)
class GivenSplits:
    """Whether the source gives splits, and how many images each has."""

    given: bool
    images: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Smallest, median and largest of some numbers."""

    min: int
    median: float
    max: int


@dataclass(frozen=True, kw_only=True)
class GuessedSeries:
    """What photos seem to come in.

    Attributes:
        number: How many series.
        photos: How many photos lie in one of two or more.
        by: How it was guessed.
    """

    number: int
    photos: int
    by: str


@dataclass(frozen=True, kw_only=True)
class InspectRecord:
    """What is in a folder or a list, without training anything.

    Attributes:
        schema: Name and version of this document.
        source: What the user named.
        images: Where every file went.
        classes: Each with its images.
        splits: As given.
        groups: How many different ones, those of near copies among them.
        near_copies: Names of photos that are near copies of each other, a list each.
        series: What the photos seem to come in; None where there is no sign of any.
        width: Of the images, pixels; None without any.
        height: The same.
        modes: Number of images by Pillow's mode.
        flags: Number of images by what is worth knowing of them.
        set_aside: Files that cannot be used.
        duplicates: Images that were removed.
        skipped: Number of files that were not read, by reason.
        findings: What the user should know.
        label_check: Labels that look wrong; None without `--deep`.
    """

    schema: Literal["unfreeze.inspect/3"] = "unfreeze.inspect/3"
    source: str
    images: ImageCounts
    classes: tuple[ClassCounts, ...]
    splits: GivenSplits
    groups: int
    near_copies: tuple[tuple[str, ...], ...]
    series: GuessedSeries | None
    width: Spread | None
    height: Spread | None
    modes: dict[str, int]
    flags: dict[str, int]
    set_aside: tuple[SetAside, ...]
    duplicates: tuple[Duplicate, ...]
    skipped: dict[str, int]
    findings: tuple[Finding, ...]
    label_check: LabelCheck | None = None


@dataclass(frozen=True, kw_only=True)
class CodesRecord:
    """Codes that were written.

    Attributes:
        schema: Name and version of this document.
        source: What the user named.
        network: Name of the network.
        weights: Where its weights came from, and what was changed in them or left out.
        images: How many have codes.
        computed: How many of them ran through the network now.
        reused: How many had their codes from the store.
        files_found: Where every file went.
        set_aside: Files that cannot be used.
        skipped: Number of files that were not read, by reason.
        taps: Number of code values by tap, shallow to deep.
        files: What was written.
        phases: Seconds by phase; ``whole`` is all of it.
    """

    schema: Literal["unfreeze.codes/2"] = "unfreeze.codes/2"
    source: str
    network: str
    weights: str
    images: int
    computed: int
    reused: int
    files_found: ImageCounts
    set_aside: tuple[SetAside, ...]
    skipped: dict[str, int]
    taps: dict[str, int]
    files: tuple[str, ...]
    phases: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class ProbeRecord:
    """Linear classifiers at every tap: the depth curve.

    Attributes:
        schema: Name and version of this document.
        source: What the user named.
        network: Name of the network; empty where the source is a file of codes.
        weights: Where its weights came from, and what was changed in them or left out; empty where `network` is.
        images: Where every file went.
        skipped: Number of files that were not read, by reason.
        classes: Class names, in the order of the class indices.
        train_images: How many the classifiers learned from.
        test_images: How many they were measured on.
        depth_curve: A point a tap and loss.
        codes: How many codes were computed and reused.
        seed: Of every random choice.
        phases: Seconds by phase; ``whole`` is all of it.
    """

    schema: Literal["unfreeze.probe/2"] = "unfreeze.probe/2"
    source: str
    network: str
    weights: str
    images: ImageCounts
    skipped: dict[str, int]
    classes: tuple[str, ...]
    train_images: int
    test_images: int
    depth_curve: tuple[DepthPoint, ...]
    codes: CodeCounts
    seed: int
    phases: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class TuneRecord:
    """One strategy, trained and written as a model.

    Attributes:
        schema: Name and version of this document.
        weights: Where the network's weights came from, and what was changed in them or left out.
        images: Where every file went.
        skipped: Number of files that were not read, by reason.
        classes: Class names, in the order of the class indices.
        test_images: Names of the images of the test part.
        test_labels: Class index of each.
        strategies: The one that was trained.
        model: Folder of the model.
        phases: Seconds by phase; ``whole`` is all of it.
    """

    schema: Literal["unfreeze.tune/3"] = "unfreeze.tune/3"
    weights: str
    images: ImageCounts
    skipped: dict[str, int]
    classes: tuple[str, ...]
    test_images: tuple[str, ...]
    test_labels: tuple[int, ...]
    strategies: tuple[Outcome, ...]
    model: str
    phases: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A class, and what the model says of it: a probability or, with an SVM as its head, a decision score."""

    label: str
    probability: float | None = None
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Unlike:
    """Whether an image is unlike all in training.

    Attributes:
        likeness: Share of photos like those in training that would be at least as unlike them.
        marked: Whether that is no more than what was asked for.
    """

    likeness: float
    marked: bool


@dataclass(frozen=True, kw_only=True)
class PredictedImage:
    """What a model says of an image.

    Attributes:
        path: Of the image, as it was given.
        label: The likeliest class; None if its probability is below the threshold that was asked for.
        probability: Of the likeliest class; None with an SVM as the head.
        score: Its decision score, with an SVM as the head.
        top: The likeliest classes, as many as were asked for.
        unlike: How unlike those in training it is; None where that was not asked for, or the model does not know.
    """

    path: str
    label: str | None
    probability: float | None
    score: float | None
    top: tuple[Guess, ...]
    unlike: Unlike | None = None


@dataclass(frozen=True, kw_only=True)
class PredictRecord:
    """What a model says of images.

    Attributes:
        schema: Name and version of this document.
        classes: Of the model, in the order of the class indices.
        threshold: Probability below which the label is left open; None if it never is.
        unlike: Share of photos like those in training that may be marked as unlike them; None if none is marked.
        files_found: Where every file went.
        images: One a readable image, in the order in which they were given.
        set_aside: Files that cannot be read.
        skipped: Number of files that were not read, by reason.
    """

    schema: Literal["unfreeze.predict/4"] = "unfreeze.predict/4"
    classes: tuple[str, ...]
    threshold: float | None
    unlike: float | None = None
    files_found: ImageCounts
    images: tuple[PredictedImage, ...]
    set_aside: tuple[SetAside, ...]
    skipped: dict[str, int]

    @property
    def measure(self) -> Literal["probability", "score"]:
        """What the model says of a class."""
        return "score" if any(image.probability is None for image in self.images) else "probability"


@dataclass(frozen=True, kw_only=True)
class Confused:
    """How many images of one class were taken for another."""

    given: str
    predicted: str
    images: int


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """An image that a model takes for something else.

    Attributes:
        path: Of the image.
        given: Its class.
        predicted: What the model takes it for.
        probability: Of `predicted`; None with an SVM as the head.
        score: Decision score of `predicted`, with an SVM as the head.
    """

    path: str
    given: str
    predicted: str
    probability: float | None
    score: float | None


@dataclass(frozen=True, kw_only=True)
class Unfamiliar:
    """The images that are unlike anything in training, and the others.

    Attributes:
        share: Of images like those in training, how many are marked at most.
        marked: Those that are unlike.
        others: Those that are not.
    """

    share: float
    marked: Answered
    others: Answered


@dataclass(frozen=True, kw_only=True)
class EvaluateRecord:
    """How well a model does on labelled images that it has not learned from.

    Attributes:
        schema: Name and version of this document.
        model: Folder of the model.
        source: What the user named.
        part: ``test`` if the source gives a test part, which alone is scored then; else ``all``.
        images: Where every file of the source went.
        groups: Number of groups of the scored images; 0 where none are given.
        classes: Of the model, in the order of the class indices.
        scored: Number of images that the scores are of.
        right: How many of them are right.
        accuracy: ``right / scored``.
        interval: 95 % interval of the accuracy; over groups where they are given.
        balanced_accuracy: Mean of the recall of the classes that have images.
        log_loss: Mean negative log-likelihood, nats; None with an SVM as the head.
        abstaining: What is answered from a probability on, of some probabilities; empty with an SVM as the head.
        asked: The same of the probability that was asked for; None without.
        unfamiliar: Images that are unlike those in training; None where that was not asked for, or the model does not
            know.
        per_class: Of every class.
        confusion: Numbers of images: a row per given class, a column per predicted one.
        confusions: What is taken for what, the most frequent first.
        mistakes: The images of which the model is surest and wrong, as many as were asked for.
        set_aside: Files that cannot be used.
        duplicates: Images that were removed.
        skipped: Number of files that were not read, by reason.
        findings: What the user should know.
    """

    schema: Literal["unfreeze.evaluate/2"] = "unfreeze.evaluate/2"
    model: str
    source: str
    part: Literal["all", "test"]
    images: ImageCounts
    groups: int
    classes: tuple[str, ...]
    scored: int
    right: int
    accuracy: float
    interval: Interval
    balanced_accuracy: float
    log_loss: float | None
    abstaining: tuple[Abstaining, ...] = ()
    asked: Abstaining | None = None
    unfamiliar: Unfamiliar | None = None
    per_class: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    confusions: tuple[Confused, ...]
    mistakes: tuple[Mistake, ...]
    set_aside: tuple[SetAside, ...]
    duplicates: tuple[Duplicate, ...]
    skipped: dict[str, int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class SampleRecord:
    """A sample data set that was written: its name, its folder, and how many images it has."""

    schema: Literal["unfreeze.sample/1"] = "unfreeze.sample/1"
    name: str
    folder: str
    images: int


@dataclass(frozen=True, kw_only=True)
class ImportRecord:
    """A network that was imported.

    Attributes:
        schema: Name and version of this document.
        files: SHA-256 of the files that it came from, by name.
        folder: Where it is; its name for ``--backbone``.
        size: Side of its images, pixels.
        channels: Order in which it takes red, green and blue.
        scale: What pixels, 0 to 255, are divided by.
        mean: Then subtracted from each channel.
        std: Each channel is then divided by it.
        parameters: How many numbers it holds.
        classes: Of its classifier.
        cuts: How many.
        blocks: Their names, shallow to deep.
        taps: Width of the codes by tap, shallow to deep.
        head: Layer of the classifier.
        left_out: Layers behind the classifier that were left out.
    """

    schema: Literal["unfreeze.import/2"] = "unfreeze.import/2"
    files: dict[str, str]
    folder: str
    size: int
    channels: Channels
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    parameters: int
    classes: int
    cuts: int
    blocks: tuple[str, ...]
    taps: dict[str, int]
    head: str
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StoreRecord:
    """A store of codes.

    Attributes:
        folder: Where it is.
        description: What its codes are codes of; None if that is lost.
        widths: Number of code values by tap.
        notes: Of whoever made it.
        size: Bytes.
        shards: Number of its files of codes.
        images: Rows in them.
        last_used: Time of its last use, ISO 8601.
        in_use: Whether a process has it open.
    """

    folder: str
    description: dict[str, object] | None
    widths: dict[str, int] | None
    notes: dict[str, object] | None
    size: int
    shards: int
    images: int
    last_used: str
    in_use: bool

    @property
    def network(self) -> str:
        """Name of its network; a question mark where that is lost."""
        return str((self.description or {}).get("network", "?"))


@dataclass(frozen=True, kw_only=True)
class StoresRecord:
    """The stores of codes: their folder, the limit of all and their size in bytes, and each of them."""

    schema: Literal["unfreeze.cache-list/1"] = "unfreeze.cache-list/1"
    folder: str
    limit: int
    size: int
    stores: tuple[StoreRecord, ...]


@dataclass(frozen=True, kw_only=True)
class DamagedShard:
    """A shard, and what is wrong with it."""

    shard: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class VerifyRecord:
    """What a check of every store found.

    Attributes:
        schema: Name and version of this document.
        stores: How many were checked.
        shards: How many they have.
        damaged: Those that are not what was written.
        manifests_lost: Folders of stores whose manifest is lost or damaged.
        leftovers: Temporary files of processes that were killed.
    """

    schema: Literal["unfreeze.cache-verify/1"] = "unfreeze.cache-verify/1"
    stores: int
    shards: int
    damaged: tuple[DamagedShard, ...]
    manifests_lost: tuple[str, ...]
    leftovers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RepairRecord:
    """What was mended.

    Attributes:
        schema: Name and version of this document.
        removed: Damaged shards.
        leftovers: Temporary files that were removed.
        rebuilt: Stores whose manifest was written anew.
        emptied: Stores that were removed, since nothing was left of them.
    """

    schema: Literal["unfreeze.cache-repair/1"] = "unfreeze.cache-repair/1"
    removed: tuple[DamagedShard, ...]
    leftovers: tuple[str, ...]
    rebuilt: tuple[str, ...]
    emptied: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PruneRecord:
    """Stores that were removed, those that were kept since a process uses them, and the bytes that were freed."""

    schema: Literal["unfreeze.cache-prune/1"] = "unfreeze.cache-prune/1"
    removed: tuple[StoreRecord, ...]
    kept_in_use: tuple[str, ...]
    freed: int


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """One of two runs that are compared.

    Attributes:
        run: What the user named.
        network: Its name.
        picked: The strategy that was picked.
        splits: On how many splits that was measured.
        score: Of that strategy on the common images, in the metric; of log-loss the loss.
    """

    run: str
    network: str
    picked: StrategyId
    splits: int
    score: float


@dataclass(frozen=True, kw_only=True)
class CompareRecord:
    """Two runs, compared on the images that both of them tested.

    Attributes:
        schema: Name and version of this document.
        first: What is compared against.
        second: What is asked about.
        metric: In which they are compared: that of both runs, else accuracy.
        images: How many were compared.
        relabelled: Images of both runs that are left out since their class differs.
        difference: Second minus first, in the metric, more being better (log-loss has its sign turned).
        interval: 95 % interval of it.
        same_splits: Whether the common splits of both runs tested the same of these images.
        verdict: The answer in a sentence.
    """

    schema: Literal["unfreeze.compare/1"] = "unfreeze.compare/1"
    first: ComparedRun
    second: ComparedRun
    metric: Metric
    images: int
    relabelled: int
    difference: float
    interval: Interval
    same_splits: bool
    verdict: str


Decoding = Literal["predict", "pillow", "full"]


@dataclass(frozen=True, kw_only=True)
class ExportParity:
    """What an exported model says of the user's own photos, against what `unfreeze predict` says.

    Attributes:
        decoding: How photos were decoded for it: ``predict`` as unfreeze does, ``pillow`` by the code in the card of
            the export, ``full`` by the same code with large JPEGs decoded at full size.
        photos: How many were compared.
        same_top: On how many of them the likeliest class is the same.
        largest_difference: Of a probability; with an SVM, of a score as a fraction of the largest.
        likeness_difference: The largest, of likeness; None of a model that does not say it.
    """

    decoding: Decoding
    photos: int
    same_top: int
    largest_difference: float
    likeness_difference: float | None = None


@dataclass(frozen=True, kw_only=True)
class Int8Cost:
    """What int8 costs on photos that it was not calibrated on, against the same model in float32.

    Attributes:
        calibrated_on: Photos from which the ranges of activations were found.
        photos: Others, that it was measured on.
        learned: How many of these the model has learned from.
        same_top: On how many the likeliest class is the same.
        same_interval: 95 % interval of their fraction.
        accuracy: In float32; None where the photos have no labels.
        int8_accuracy: In int8; the same.
        difference: The second less the first; the same.
        interval: 95 % interval of the difference, paired by photo; the same.
    """

    calibrated_on: int
    photos: int
    learned: int
    same_top: int
    same_interval: Interval
    accuracy: float | None
    int8_accuracy: float | None
    difference: float | None
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class ExportRecord:
    """A model that was exported.

    Attributes:
        schema: Name and version of this document.
        model: Folder of the model.
        target: What it was exported to.
        resize: How the exported model resizes photos.
        int8: Whether its weights and activations are in int8.
        folder: What was written.
        files: In it.
        megabytes: Of the model alone.
        takes: The input, in words.
        gives: The output, in words.
        classes: In the order of the outputs.
        unlike: Likeness up to which a photo counts as unlike anything in training; None where the exported model does
            not say how like those in training a photo is.
        reduced: Photos that `unfreeze predict` decodes at less than their full size, of those that were compared.
        milliseconds: Of one photo in the exported model on this machine, resizing included, decoding not: the median
            over photos of their own sizes. None where nothing could run the model.
        parity: By way of decoding; empty where nothing could run the model.
        int8_cost: None in float32.
        note: What else there is to know, a sentence; else empty.
    """

    schema: Literal["unfreeze.export/1"] = "unfreeze.export/1"
    model: str
    target: ExportTarget
    resize: ExportResize
    int8: bool
    folder: str
    files: tuple[str, ...]
    megabytes: float
    takes: str
    gives: str
    classes: tuple[str, ...]
    unlike: float | None
    reduced: int
    milliseconds: float | None
    parity: tuple[ExportParity, ...]
    int8_cost: Int8Cost | None
    note: str
