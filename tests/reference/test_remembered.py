"""Training on remembered activations against training through the whole network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from unfreeze.core.plans import NONE, Arithmetic
from unfreeze.core.progress import SILENT
from unfreeze.core.settings import EngineSettings
from unfreeze.data.inspection import read_image_set
from unfreeze.features.engines import REFERENCE
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.preparation import prepare
from unfreeze.training.examples import Remembered, remember
from unfreeze.training.freezing import apply_plan
from unfreeze.training.loop import Data, Loop, make_optimizer
from unfreeze.training.plans import full_plan, full_rate, unfreeze_plan
from unfreeze.training.trials import Inputs, predict_rows, run_trial
from unfreeze.zoo.backbones import load_backbone

pytestmark = pytest.mark.slow

BFLOAT16 = Arithmetic(layout="channels_last", precision="bfloat16")


@pytest.fixture
def experiment(tmp_path: Path, rng: np.random.Generator) -> Experiment:
    """Forty-eight small images of three classes on the default network."""
    for label in range(3):
        (tmp_path / "photos" / str(label)).mkdir(parents=True)
        for number in range(16):
            pixels = rng.integers(0, 80 + 60 * label, (48, 48, 3), dtype=np.uint8)
            PillowImage.fromarray(pixels).save(tmp_path / "photos" / str(label) / f"{number}.png")
    with DecoderPool(workers=1) as pool:
        found = read_image_set(tmp_path / "photos", pool=pool, progress=SILENT)
        found = replace(found, images=tuple(replace(image, split="train") for image in found.images))
        experiment = prepare(
            found, load_backbone(size=64), Resources(pool=pool, cache=tmp_path), EngineSettings("torch")
        )
        list(experiment.squares.read(np.arange(48)))
    return replace(experiment, augmentation=NONE)


def losses(experiment: Experiment, *, remembered: bool) -> list[float]:
    """Loss of each step of unfreezing two blocks: one step an epoch."""
    backbone = experiment.source.with_classes(3)
    plan = replace(unfreeze_plan(backbone, 2, epochs=8), batch_size=48, warmup=24)
    cut = backbone.cut_before_blocks(2)
    examples, model = experiment.pixels, backbone.suffix(backbone.cuts[0])
    if remembered:
        rows = np.arange(48)
        (examples,) = remember(
            backbone, [cut], experiment.pixels, experiment.resources, train_rows=rows, views=0, engine=REFERENCE
        )
        model = backbone.suffix(cut)
    optimizer = make_optimizer(apply_plan(backbone.network, plan), plan)
    data = Data(examples=examples, labels=experiment.task.labels, rows=np.arange(48), class_count=3)
    loop = Loop(model, optimizer, data, plan, seed=0)
    return [loss for number in range(plan.epochs) for loss in loop.epoch(number)]


def test_the_loss_is_the_same_step_by_step(experiment: Experiment) -> None:
    """Remembering float32 activations changes nothing: the losses agree to 1e-5, and they fall."""
    torch.manual_seed(0)
    through_all = losses(experiment, remembered=False)

    assert losses(experiment, remembered=True) == pytest.approx(through_all, abs=1e-5)
    assert through_all[-1] < through_all[0] - 0.1


def test_what_bfloat16_training_learned_holds_in_float32(experiment: Experiment) -> None:
    """Each step runs on current weights: a network trained in bfloat16 knows its training images in float32 too."""
    start = experiment.source.with_classes(3)
    plan = full_plan(start, epochs=8, rate=full_rate(48))
    plan = replace(plan, batch_size=16, augmentation=NONE, arithmetic=BFLOAT16)
    pixels = experiment.pixels
    inputs = Inputs(cut=start.cuts[0], examples=pixels, features=pixels, pixels=pixels, labels=experiment.task.labels)
    trial = run_trial(start, plan, inputs, np.arange(48), seed=0, advance=lambda images: None)
    predictions = predict_rows(trial.backbone, inputs, np.arange(48)).argmax(axis=1)

    assert trial.curve[-1] < trial.curve[0]
    assert (predictions == experiment.task.labels).mean() > 0.9


def test_views_take_turns_and_differ_between_images() -> None:
    """Every view of an image comes up once in as many epochs, and not all images show the same one at once."""
    plain = np.zeros((4, 1), np.float32)
    views = np.stack([np.full((4, 1), v + 1, np.float32) for v in range(3)])
    examples = Remembered(plain, views, np.arange(4))
    shown = np.array(
        [next(examples.batches(np.arange(4), size=4, epoch=epoch)).numpy()[:, 0] for epoch in range(4)], dtype=int
    )

    assert (np.sort(shown, axis=0) == np.arange(4)[:, None]).all()
    assert all(len(set(row)) == 4 for row in shown.tolist())
