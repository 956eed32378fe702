"""What every strategy of a run shares: the task, the source network, its codes, the pixels."""

from dataclasses import dataclass
from pathlib import Path

from unfreeze.core.plans import LIGHT, Arithmetic, Augmentation
from unfreeze.core.progress import Progress
from unfreeze.core.settings import Metric
from unfreeze.data.squares import Squares
from unfreeze.data.tasks import Task
from unfreeze.features.engines import Engine
from unfreeze.features.extraction import Codes
from unfreeze.features.resources import Resources
from unfreeze.training.examples import Pixels
from unfreeze.training.trials import IN_THIS_PROCESS, Trainer
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device


@dataclass(frozen=True, eq=False, kw_only=True)
class Experiment:
    """One task, one source network, and what is shared between all strategies on them.

    Attributes:
        task: Rows and splits.
        source: The pretrained network with its own head.
        codes: Of every row, at every tap of `source`.
        squares: Decoded images.
        augmentation: Of training images.
        metric: What decides, and so what is trained and fitted for.
        seed: The run's seed.
        device: Where networks learn, and where torch runs the frozen layers.
        resources: Decoders, progress, and what is kept between runs.
        pinned: How trainings compute, in place of what is kept or fastest (`training.timing.time_training`); then all
            views are remembered too, whatever time that takes.
        trainer: Where trainings are carried out.
    """

    task: Task
    source: Backbone
    codes: Codes
    squares: Squares
    augmentation: Augmentation = LIGHT
    metric: Metric = "accuracy"
    seed: int
    device: Device
    resources: Resources
    pinned: Arithmetic | None = None
    trainer: Trainer = IN_THIS_PROCESS

    @property
    def progress(self) -> Progress:
        """Reports progress."""
        return self.resources.progress

    @property
    def cache(self) -> Path | None:
        """Folder of what is kept between runs; the user's cache if None."""
        return self.resources.cache

    @property
    def balanced(self) -> bool:
        """Whether all classes count the same in training and fits, however many images each has."""
        return self.metric == "balanced accuracy"

    @property
    def engine(self) -> Engine:
        """What runs frozen layers in this experiment: what the codes came from."""
        return self.codes.engine

    @property
    def pixels(self) -> Pixels:
        """The images as the network's input."""
        return Pixels(self.squares, self.source.card, self.augmentation, self.seed, self.device)
