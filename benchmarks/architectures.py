"""Do networks that nobody chose work? Architectures drawn from all families of timm, with random weights.

    python benchmarks/architectures.py --count 30 --seed 0

Of each: cuts are found; the suffix after the prefix gives the network's own output at cuts from the first to the last;
`unfreeze tune --unfreeze 2` trains two blocks for an epoch on a few photos of noise, from a file of weights, and audits
what was frozen; the model that it saves gives, loaded by timm, the scores that it gives when we load it. Images are as
small as the network takes of 96, 128 and 224 pixels and its own size; networks are of at most 12 million parameters,
where a family has such.

A row each is appended to `results.jsonl` beside this file; an architecture that worked already for that seed is not
tried again. Each has a process and at most `--limit` seconds. What fails is in the row, with the reason; the latest row
of an architecture counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from panel import code_version, is_there, keep
from PIL import Image
from safetensors.torch import save_file

from unfreeze.core.errors import InputError
from unfreeze.core.settings import ImageSettings, TuneSettings
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.tuning import tune
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import load_model

MEASURE = "architectures"
SIZES = (96, 128, 224, None)  # pixels; None: its own
MOST_PARAMETERS = 12e6
MOST_DRAWN = 12  # of a family, until one is small enough
CUTS = 8  # that are tried
Row = dict[str, Any]


def drawn(count: int, seed: int) -> list[tuple[str, str]]:
    """Families and one architecture of each, drawn without replacement."""
    draws = np.random.default_rng(seed)
    families = draws.permutation(timm.list_modules())
    found: list[tuple[str, str]] = []
    for family in map(str, families):
        names = [str(name) for name in draws.permutation(timm.list_models(module=family))][:MOST_DRAWN]
        if names and len(found) < count:
            found.append((family, _small(names)))
    return found


def _small(names: list[str]) -> str:
    """The first that is small enough, else the smallest."""
    sizes: dict[str, float] = {}
    for name in names:
        with torch.device("meta"):
            sizes[name] = sum(one.numel() for one in timm.create_model(name).parameters())
        if sizes[name] <= MOST_PARAMETERS:
            return name
    return min(sizes, key=sizes.__getitem__)


def smallest(name: str) -> Backbone:
    """The network with random weights, for the smallest images that it takes."""
    for size in SIZES:
        try:
            return load_backbone(name, size=size, pretrained=False)
        except InputError:
            if size is None:
                raise
    raise AssertionError(name)


def difference_at_cuts(backbone: Backbone) -> float:
    """Largest difference of the suffix after the prefix from the network's own output, by its largest score."""
    side = backbone.card.size
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    places = sorted({round(place) for place in np.linspace(0, len(backbone.cuts) - 1, CUTS)})
    cuts = [backbone.cuts[place] for place in places]
    with torch.no_grad():
        expected = backbone.network(images)
        raws = backbone.prefix(cuts)(images)
        return max(_apart(backbone.suffix(cut)(raw), expected) for cut, raw in zip(cuts, raws, strict=True))


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max().clamp_min(1e-12))


def photos(folder: Path) -> Path:
    """Two classes of twelve photos of noise, told apart by colour."""
    draws = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green")):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            pixels = draws.integers(0, 90, (64, 64, 3), dtype=np.uint8)
            pixels[:, :, channel] += 120
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def tried(name: str, folder: Path) -> Row:
    """What one architecture does.

    Args:
        name: timm's.
        folder: Empty, for what is written.
    """
    started = time.perf_counter()
    backbone = smallest(name)
    card = backbone.card
    row: Row = {
        "size": card.size,
        "parameters": card.parameters,
        "cuts": len(backbone.cuts),
        "blocks": len(card.blocks),
        "taps": len(card.taps),
        "at_cuts": difference_at_cuts(backbone),
    }
    weights = {key: value.clone().contiguous() for key, value in backbone.network.state_dict().items()}
    save_file(weights, folder / "random.safetensors")
    settings = ImageSettings(
        source=photos(folder / "photos"), backbone=name, weights=folder / "random.safetensors", size=card.size
    )
    with DecoderPool(workers=1) as pool:
        tuning = TuneSettings(strategy=2, epochs=1, budget_seconds=600.0)
        record = tune(settings, tuning, Resources(pool=pool), out=folder / "model")
    audit = record.strategies[0].audit
    assert audit is not None
    row |= {"audit": audit.passed, "frozen_tensors": audit.frozen_tensors}
    ours, _ = load_model(folder / "model")
    theirs = timm.create_model(f"local-dir:{folder / 'model'}", pretrained=True).eval()
    images = torch.randn(2, 3, card.size, card.size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        row["by_timm"] = _apart(theirs(images), ours.network(images))
    return {**row, "seconds": round(time.perf_counter() - started, 1)}


def measured(name: str, limit: int) -> Row:
    """What one architecture does, in a process of its own; or why it failed."""
    command = [sys.executable, __file__, "--only", name]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "UNFREEZE_CACHE": cache}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment, check=False)
        except subprocess.TimeoutExpired:
            return {"failed": f"took more than {limit} s"}
    if done.returncode < 0:
        return {"failed": f"ended by signal {-done.returncode}"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["nothing was said"])[-1][:300]}
    row: Row = json.loads(done.stdout.splitlines()[-1])
    wrong = row["at_cuts"] > 1e-5 or row["by_timm"] > 1e-5 or not row["audit"]
    return {**row, "failed": "what it gives differs" if wrong else None}


def main() -> None:
    """Try what was not tried."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=240)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(tried(asked.only, Path(folder))))
        return
    for family, name in drawn(asked.count, asked.seed):
        key = {"measure": MEASURE, "seed": asked.seed, "family": family, "network": name}
        if not is_there({**key, "failed": None}):
            keep({**key, "code": code_version(), **measured(name, asked.limit)})


if __name__ == "__main__":
    main()
