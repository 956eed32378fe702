"""What was done with weights that the user brought is said, and stands in the record."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unfreeze.core.documents import CodesRecord, ProbeRecord, TuneRecord
from unfreeze.core.progress import Progress
from unfreeze.core.settings import EngineSettings, ImageSettings, TuneSettings
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.codes import write_codes
from unfreeze.workflows.probing import probe
from unfreeze.workflows.tuning import tune
from unfreeze.zoo.backbones import load_backbone

PhotoFolder = Callable[..., Path]
SAID = (
    "file w.ckpt (averaged weights (state_dict_ema); without the prefix net of their names; "
    "its head of 7 classes left out)"
)


@pytest.fixture
def settings(photo_folder: PhotoFolder, tmp_path: Path) -> ImageSettings:
    """Photos, and a checkpoint as a training program leaves it: averaged weights, under a prefix, of seven classes."""
    network = load_backbone("test_resnet", pretrained=False, size=32).with_classes(7).network
    weights = {f"net.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": weights, "state_dict_ema": weights}, tmp_path / "w.ckpt")
    return ImageSettings(
        source=photo_folder("ants", "bees", count=6),
        backbone="test_resnet",
        weights=tmp_path / "w.ckpt",
        size=32,
        request=EngineSettings("torch", "f32"),
    )


def work(
    command: str, settings: ImageSettings, resources: Resources, out: Path
) -> CodesRecord | ProbeRecord | TuneRecord:
    """What a command records."""
    if command == "codes":
        return write_codes(settings, resources, place=out / "c.parquet")
    if command == "probe":
        return probe(settings, resources)
    return tune(settings, TuneSettings(strategy="softmax-last"), resources, out=out / "model")


@pytest.mark.parametrize("command", ["codes", "probe", "tune"])
def test_what_was_done_with_weights_is_said(command: str, settings: ImageSettings, tmp_path: Path) -> None:
    """In one line, and in the record, word for word as the network's card has it; also where codes are known."""
    lines: list[str] = []
    with DecoderPool(workers=1) as pool:
        resources = Resources(
            pool=pool, progress=Progress(lambda event: lines.append(str(event))), cache=tmp_path / "cache"
        )
        record = work(command, settings, resources, tmp_path)

    assert record.weights == SAID
    assert sum(f"weights: {SAID}" in line for line in lines) == 1
