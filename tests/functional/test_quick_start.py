"""Commands that start without PyTorch once what they need is kept."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unfreeze.core.readouts import Readout
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import save_model
from unfreeze.zoo.tap_classifier import TapClassifier

pytestmark = pytest.mark.slow

HEAVY = ("torch", "torchvision", "timm", "sklearn", "pandas", "scipy.stats")
# The command, and then which of the libraries it has imported.
COMMAND = f"""
import sys
from unfreeze.cli.main import exit_code_of
code = exit_code_of(sys.argv[1:])
print("imported:", *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


class Ran(NamedTuple):
    """What a command printed, and which of `HEAVY` it imported."""

    document: dict[str, Any]
    heavy: list[str]


def ran(cache: Path, *arguments: str | Path) -> Ran:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments), "--json"],
        env={**os.environ, "UNFREEZE_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("imported:")]
    return Ran(json.loads(done.stdout), said.split()[1:])


@pytest.fixture(scope="module")
def network() -> Backbone:
    """A small network with random weights."""
    return load_backbone("test_resnet", pretrained=False, size=32)


@pytest.fixture
def weights(network: Backbone, tmp_path: Path) -> list[str | Path]:
    """Options that ask for this network, its weights in a file."""
    path = tmp_path / "weights.safetensors"
    save_file({name: value.clone() for name, value in network.network.state_dict().items()}, path)
    return ["--backbone", "test_resnet", "--size", "32", "--weights", path]


def test_codes_are_computed_without_torch_once_the_network_is_known(
    photo_folder: Callable[..., Path], weights: list[str | Path], tmp_path: Path
) -> None:
    """Of photos that were never seen, and of known ones once all stores were removed: equal to the last bit then."""
    photos, cache = photo_folder("ants", "bees", count=6), tmp_path / "cache"
    other = photo_folder("bees", "moths", count=4, name="other")

    first = ran(cache, "codes", photos, "--out", tmp_path / "first.parquet", *weights)
    unseen = ran(cache, "codes", other, "--out", tmp_path / "other.parquet", *weights)
    ran(cache, "cache", "prune", "--to", "0.001KB")
    again = ran(cache, "codes", photos, "--out", tmp_path / "again.parquet", *weights)

    assert "torch" in first.heavy
    assert unseen.heavy == again.heavy == []
    assert unseen.document["computed"] > 0
    assert again.document["computed"] == 12
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "first.parquet").read_bytes()


def test_probes_are_fitted_without_torch_once_the_network_is_known(
    photo_folder: Callable[..., Path], weights: list[str | Path], tmp_path: Path
) -> None:
    """With the same depth curve."""
    photos, cache = photo_folder("ants", "bees"), tmp_path / "cache"

    first = ran(cache, "probe", photos, *weights)
    quick = ran(cache, "probe", photos, *weights)

    assert "torch" in first.heavy
    assert quick.heavy == []
    assert quick.document["depth_curve"] == first.document["depth_curve"]


@pytest.mark.parametrize("kind", ["fine-tuned", "all taps"])
def test_a_model_predicts_and_is_scored_without_torch_once_it_was_used(
    photo_folder: Callable[..., Path], network: Backbone, tmp_path: Path, kind: str
) -> None:
    """Both a whole network and a classifier on taps, with the same answer."""
    rng, photos, cache = np.random.default_rng(0), photo_folder("ants", "bees", count=3), tmp_path / "cache"
    model: Backbone | TapClassifier = network.with_classes(2)
    if isinstance(model, Backbone) and kind == "fine-tuned":
        weight = rng.normal(size=(2, network.card.num_features)).astype(np.float32)
        model.set_head(torch.from_numpy(weight), torch.zeros(2))
    else:
        width = sum(tap.channels for tap in network.taps)
        model = TapClassifier(
            backbone=network,
            readouts=tuple(Readout(tap.name) for tap in network.taps),
            weight=rng.normal(size=(2, width)).astype(np.float32),
            bias=np.zeros(2, np.float32),
        )
    save_model(tmp_path / "model", model, class_names=("ants", "bees"), card_text="")

    first = ran(cache, "predict", tmp_path / "model", photos, "--top", "2")
    quick = ran(cache, "predict", tmp_path / "model", photos, "--top", "2")
    scored = ran(cache, "evaluate", tmp_path / "model", photos)

    assert "torch" in first.heavy
    assert quick.heavy == []
    assert len(quick.document["images"]) == 6
    assert quick.document == first.document
    assert scored.heavy == []
    assert scored.document["scored"] == 6
