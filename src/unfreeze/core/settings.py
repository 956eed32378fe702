"""What a run is asked to do: plain words and numbers, checked before anything heavy is imported."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unfreeze.core.errors import InputError

SMALLEST_SIZE, LARGEST_SIZE = 16, 4096  # pixels, of a network's input
DEFAULT_BACKBONE = "tf_efficientnet_lite0"  # its weights are in a package that unfreeze depends on

Metric = Literal["accuracy", "balanced accuracy", "log-loss"]
ENGINES = ("auto", "openvino", "torch")
PRECISIONS = ("auto", "f32", "bf16", "int8")
DEVICES = ("auto", "cpu", "cuda", "mps")
AugmentWord = Literal["light", "standard", "strong", "none"]
ResizeWord = Literal["crop", "squash", "pad"]
GroupsWord = Literal["given", "guessed"]


@dataclass(frozen=True)
class EngineSettings:
    """What the user asks of the frozen layers, and where all layers run.

    Attributes:
        engine: auto, openvino or torch.
        precision: auto, f32, bf16 or int8; auto measures what is fast and accurate enough.
        device: auto, cpu, cuda or mps, for PyTorch, in training too; whether it is there is asked when work begins.

    Raises:
        InputError: A word is unknown.
    """

    engine: str = "auto"
    precision: str = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse words that nobody knows."""
        words = (
            ("engine", self.engine, ENGINES),
            ("precision", self.precision, PRECISIONS),
            ("device", self.device, DEVICES),
        )
        for kind, given, known in words:
            if given not in known:
                msg = f"Unknown {kind} {given!r}. Choose one of {', '.join(known)}."
                raise InputError(msg)


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Which images, which network and which engine: what codes, probe and tune begin with.

    Attributes:
        source: Folder or list of labelled images.
        backbone: Name of the network.
        weights: File of weights, instead of the network's usual ones.
        size: Side of the network's input in pixels, instead of its usual one.
        resize: How photos become squares (`core.cards.Card.resized_by`), instead of the network's usual way.
        seed: Of every random choice.
        max_bad: Largest share of files that may be unreadable.
        request: Engine, precision and device.
        test: Folder of class folders, whose images are the test part of `source`, which must have none then.
        exclude: Classes that are left out.
    """

    source: Path
    backbone: str = DEFAULT_BACKBONE
    weights: Path | None = None
    size: int | None = None
    resize: ResizeWord | None = None
    seed: int = 0
    max_bad: float = 0.01
    request: EngineSettings = EngineSettings()
    test: Path | None = None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """How one strategy is trained alone.

    Attributes:
        strategy: What learns, as `core.strategies.parse_strategy` reads it: head, a number of blocks, full, scratch.
        budget_seconds: What it may take; fewer epochs fit a smaller budget.
        epochs: Passes over the images, instead of the plan's own number.
        augment: Augmentation of training images.
        metric: With balanced accuracy all classes count the same in training; None to go by the classes.
        like: Folder of a run in which the strategy was trained: layout, precision and threads are taken from there, so
            that the same seed and epochs give the same bits; None to take what is fastest.
        devices: Processes that share every batch, each on a GPU of its own, or on its part of the cores; None to train
            in this process.
    """

    strategy: str | int
    budget_seconds: float = 900.0
    epochs: int | None = None
    augment: AugmentWord = "light"
    metric: Metric | None = None
    like: Path | None = None
    devices: int | None = None


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What a run is asked to do.

    Attributes:
        source: Folder or list of labelled images.
        backbone: Name of the network; of several, the one is raced whose codes do best.
        weights: File of weights, instead of the network's usual ones; of one network only.
        size: Side of the network's input in pixels, instead of its usual one; of several, or with ``auto`` of up to
            three, the one is raced that does best.
        resize: How photos become squares (`core.cards.Card.resized_by`); with ``auto`` all ways are screened where the
            photos are not square.
        strategies: What is trained beyond step one, as `core.strategies.parse_strategy` reads it: numbers of blocks,
            full, scratch; None for 1, 2, 4 and full.
        metric: accuracy, balanced accuracy or log-loss; None for balanced accuracy where the classes are strongly
            imbalanced, else accuracy.
        margin: Differences up to this do not matter; percentage points, for log-loss hundredths of a nat.
        budget_seconds: What the run may take; None for as long as it takes.
        rounds: How many rounds of five splits each strategy gets, whatever comes of them; None to repeat what is open.
        epochs: Of every training of blocks; None for the plan's own number, or what fits the budget.
        seed: Of every random choice.
        max_bad: Largest share of files that may be unreadable.
        request: Engine and precision of the frozen layers, and the device of all.
        augment: light, standard, strong or none; of training images.
        test: Folder of class folders, whose images are the test part of `source`, which must have none then.
        exclude: Classes that are left out.
        threads: Of PyTorch and of OpenVINO in the whole process, and number of decoders; None for one per core.
        photos: Whether the report may show photos and name their files.
        groups: ``given`` for the groups of a list and near copies; ``guessed`` for the series that photos seem to come
            in, too.
    """

    source: Path
    backbone: str | tuple[str, ...] = DEFAULT_BACKBONE
    weights: Path | None = None
    size: int | tuple[int, ...] | Literal["auto"] | None = None
    resize: ResizeWord | Literal["auto"] = "auto"
    strategies: tuple[str | int, ...] | None = None
    metric: Metric | None = None
    margin: float = 1.0
    budget_seconds: float | None = 900.0
    rounds: int | None = None
    epochs: int | None = None
    seed: int = 0
    max_bad: float = 0.01
    request: EngineSettings = EngineSettings()
    augment: AugmentWord = "light"
    test: Path | None = None
    exclude: tuple[str, ...] = ()
    threads: int | None = None
    photos: bool = True
    groups: GroupsWord = "given"

    @property
    def budget(self) -> float:
        """Seconds that the run may take, infinite without a budget."""
        return math.inf if self.budget_seconds is None else self.budget_seconds
