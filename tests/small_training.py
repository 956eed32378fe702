"""A training that takes a second, for tests of how it is shared."""

import numpy as np

from unfreeze.core.plans import NONE, Plan, Rule
from unfreeze.core.strategies import FULL
from unfreeze.data.squares import Squares
from unfreeze.images.pool import DecoderPool
from unfreeze.training.examples import Pixels, Remembered
from unfreeze.training.trials import Inputs, TrainingRun
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.devices import CPU


def a_training() -> TrainingRun:
    """Four steps an epoch of a small network on dark and bright images, not begun."""
    start = load_backbone("test_resnet", pretrained=False, size=32).with_classes(2)
    labels = np.arange(24) % 2
    images = np.random.default_rng(0).normal(size=(24, 3, 32, 32)) + labels[:, None, None, None]
    given = Remembered(images.astype(np.float32), np.empty((0, 0, 3, 32, 32), np.float32), np.full(24, -1))
    pixels = Pixels(Squares((), start.card, DecoderPool()), start.card, NONE, 0, CPU)
    inputs = Inputs(cut=start.cuts[0], examples=given, features=given, pixels=pixels, labels=labels)
    plan = Plan(strategy=FULL, rules=(Rule(".*", 1e-3),), batch_size=5, warmup=4, augmentation=NONE)
    return TrainingRun(start, plan, inputs, np.arange(24), seed=0)
