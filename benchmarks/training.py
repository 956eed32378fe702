"""One epoch of full fine-tuning as unfreeze does it, against a plain loop, on the same cores.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/training.py --panel PANEL --sets hymenoptera,trashnet

Both sides: EfficientNet-Lite0 with the same weights and a zero head, batches of 32 at 224 px, standard augmentation,
AdamW at one rate for all layers, BatchNorm with frozen statistics. The plain side is a timm model in float32 and NCHW,
torchvision's ImageFolder and transforms, and a DataLoader with two workers. Ours is a trial with the layout and
precision that it measures to be fastest. Clocks start after imports, loading and inspection; the sides alternate. Our
first epoch decodes the images, the second one finds them in memory: both are timed. Processor time of the training
process is noted beside wall time, since a busy machine stretches the latter: it leaves out decoding on both sides, and
augmentation on the plain side only, where that is done by the DataLoader's workers. Then, for each seed, about 50 steps
of each side: the mean loss of the last epoch. There is a third side, the plain loop with its crops taken from the
centre square that evaluation sees, as ours are: crops of whole photos show other, on average larger, parts.

PANEL holds a folder a set with `train/` and its class folders. Rows are appended to `results.jsonl` beside this file; a
row that is there already for this commit is not measured again.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from panel import code_version, is_there, keep
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from unfreeze.core.plans import STANDARD, Plan, Rule
from unfreeze.core.progress import SILENT
from unfreeze.core.strategies import FULL
from unfreeze.core.versions import versions
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import Squares, geometry_of
from unfreeze.images.pool import DecoderPool
from unfreeze.training.examples import Pixels
from unfreeze.training.timing import time_training
from unfreeze.training.trials import Inputs, run_trial
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import find_device

IMAGES = 300  # at most, evenly through the train part, so that a repeat takes less than a minute
BATCH, RATE, DECAY, STEPS = 32, 1e-4, 0.01, 50  # at 1e-3 the loss of either side jumps by 0.2 between epochs
PLAN = Plan(
    strategy=FULL,
    rules=(Rule(".*", RATE),),
    weight_decay=DECAY,
    batch_size=BATCH,
    warmup=0,
    averaging=None,
    label_smoothing=0.0,
    augmentation=STANDARD,
)


@dataclass(frozen=True)
class Epoch:
    """One epoch: wall time, processor time of the training process alone, mean training loss."""

    seconds: float
    processor: float
    loss: float


Train = Callable[[int, int], list[Epoch]]  # number of epochs and seed


def copy_images(source: Path, folder: Path) -> None:
    """A folder of classes with at most IMAGES of the train part."""
    files = sorted(path for path in (source / "train").glob("*/*") if path.is_file())
    for path in files[:: -(-len(files) // IMAGES)]:
        place = folder / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())


def plain_loader(folder: Path, backbone: Backbone, *, squares: bool = False) -> DataLoader[Any]:
    """What a tutorial would write, with the augmentation of STANDARD; from centre squares if asked."""
    size, recipe = backbone.card.size, STANDARD
    steps = [
        transforms.RandomResizedCrop(size, scale=recipe.scale, ratio=recipe.ratio),
        transforms.RandomHorizontalFlip(recipe.flip),
        transforms.ColorJitter(recipe.brightness, recipe.contrast, recipe.saturation),
        transforms.ToTensor(),
        transforms.Normalize(backbone.card.mean, backbone.card.std),
    ]
    if squares:
        geometry = geometry_of(backbone.card)
        steps = [transforms.Resize(geometry.resize), transforms.CenterCrop(geometry.side), *steps]
    images = datasets.ImageFolder(str(folder), transforms.Compose(steps))
    return DataLoader(images, batch_size=BATCH, shuffle=True, num_workers=2, drop_last=True)


def plain_network(backbone: Backbone) -> nn.Module:
    """The same weights; BatchNorm keeps its statistics, its scale and shift learn."""
    network: nn.Module = timm.create_model(backbone.card.name, pretrained=False, num_classes=backbone.classes)
    network.load_state_dict(backbone.network.state_dict())
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return network


def plain_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """AdamW; vectors are not decayed."""
    vectors = [p for p in network.parameters() if p.ndim == 1]
    weights = [p for p in network.parameters() if p.ndim > 1]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=RATE)


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def plain_training(folder: Path, backbone: Backbone, *, squares: bool = False) -> Train:
    """The plain loop."""
    loader = plain_loader(folder, backbone, squares=squares)

    def train(epochs: int, seed: int) -> list[Epoch]:
        torch.manual_seed(seed)
        network = plain_network(backbone)
        optimizer, done = plain_optimizer(network), []
        for _ in range(epochs):
            started, losses = _clocks(), []
            for images, labels in loader:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(network(images), labels)
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                losses.append(loss.item())
            seconds, processor = np.subtract(_clocks(), started).tolist()
            done.append(Epoch(seconds, processor, statistics.fmean(losses)))
        return done

    return train


def our_training(
    image_set: ImageSet, backbone: Backbone, pool: DecoderPool, *, cache: Path
) -> tuple[Train, dict[str, Any]]:
    """A trial of unfreeze, and what it chose."""
    every = np.arange(len(image_set.images))

    def inputs(seed: int) -> Inputs:
        """With nothing decoded yet."""
        pixels = Pixels(Squares(image_set.images, backbone.card, pool), backbone.card, STANDARD, seed, find_device())
        return Inputs(cut=backbone.cuts[0], examples=pixels, features=pixels, pixels=pixels, labels=image_set.labels())

    started = time.perf_counter()
    chosen, timed = time_training(backbone, PLAN, inputs(0), cache=cache)
    settings = {
        **asdict(chosen.arithmetic),
        "choice": round(time.perf_counter() - started, 1),
    }
    settings["candidates"] = [{**asdict(one.arithmetic), "seconds": one.seconds, "cost": one.cost} for one in timed]
    an_epoch = len(every) // BATCH

    def train(epochs: int, seed: int) -> list[Epoch]:
        plan = replace(PLAN, epochs=epochs, arithmetic=chosen.arithmetic)
        stamps = [_clocks()]

        def stamp(images: int) -> None:
            if images:  # after a step; with 0 it only looks at the stop
                stamps.append(_clocks())

        trial = run_trial(backbone, plan, inputs(seed), every, seed=seed, advance=stamp)
        spent = np.diff(np.array(stamps[::an_epoch]), axis=0).tolist()
        return [Epoch(*both, loss) for both, loss in zip(spent, trial.curve, strict=True)]

    return train, settings


def spread(values: list[float]) -> dict[str, Any]:
    """Median and range."""
    return {"median": round(statistics.median(values), 3), "range": [round(min(values), 3), round(max(values), 3)]}


def time_epochs(ours: Train, plain: Train, *, repeats: int) -> dict[str, Any]:
    """Both sides in turn."""
    first, later, other = [], [], []
    for repeat in range(repeats):
        for epochs, found in (((first, later), ours(2, repeat)), ((other,), plain(1, repeat))):
            for epoch_list, epoch in zip(epochs, found, strict=True):
                epoch_list.append(epoch)
    return {
        "first_epoch": spread([epoch.seconds for epoch in first]),
        "later_epoch": spread([epoch.seconds for epoch in later]),
        "plain_epoch": spread([epoch.seconds for epoch in other]),
        "ratio_first": spread([a.seconds / c.seconds for a, c in zip(first, other, strict=True)]),
        "ratio_later": spread([b.seconds / c.seconds for b, c in zip(later, other, strict=True)]),
        "ratio_processor": spread([b.processor / c.processor for b, c in zip(later, other, strict=True)]),
    }


def loss_after(train: Train, *, an_epoch: int, seed: int) -> dict[str, Any]:
    """Mean loss of the last of as many epochs as make STEPS steps."""
    epochs = train(max(1, round(STEPS / an_epoch)), seed)
    curve = [round(epoch.loss, 4) for epoch in epochs]
    return {"steps": len(epochs) * an_epoch, "loss": curve[-1], "curve": curve}


def note(key: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> None:
    """Measure and append what is not there yet."""
    key = {**key, "threads": torch.get_num_threads(), "code": code_version()}
    if is_there(key):
        return
    keep({**key, **measure(), "versions": versions()})


def measure_set(source: Path, *, seeds: list[int], repeats: int) -> None:
    """All rows of one set."""
    with tempfile.TemporaryDirectory() as name, DecoderPool() as pool:
        folder = Path(name) / "images"
        copy_images(source, folder)
        image_set = read_image_set(folder, pool=pool, progress=SILENT)
        backbone = load_backbone().with_classes(len(image_set.classes))
        ours, settings = our_training(image_set, backbone, pool, cache=Path(name))
        plain = plain_training(folder, backbone)
        sides = {"unfreeze": ours, "plain": plain}
        sides["plain, from squares"] = plain_training(folder, backbone, squares=True)
        about = {"images": len(image_set.images), **settings}
        if repeats:
            note(
                {"measure": "training time", "set": source.name},
                lambda: about | time_epochs(ours, plain, repeats=repeats),
            )
        for seed in seeds:
            for side, train in sides.items():
                note(
                    {"measure": "training loss", "set": source.name, "side": side, "seed": seed, "rate": RATE},
                    lambda train=train, seed=seed: (
                        about | loss_after(train, an_epoch=about["images"] // BATCH, seed=seed)
                    ),
                )


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="hymenoptera,trashnet")
    parser.add_argument("--seeds", default="0,1,2", help="of the losses; empty for none")
    parser.add_argument("--repeats", type=int, default=3, help="of the times; 0 for none")
    asked = parser.parse_args()
    for name in asked.sets.split(","):
        seeds = [int(seed) for seed in asked.seeds.split(",") if seed]
        measure_set(asked.panel / name, seeds=seeds, repeats=asked.repeats)


if __name__ == "__main__":
    main()
