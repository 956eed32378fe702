"""How fast a command computes on a quiet machine and on a busy one, beside what it would be without its settings.

    python benchmarks/busy.py --panel PANEL --set hymenoptera --repeats 3

Two sides, each repeat in a process of its own, in turn. *As it comes*: the C library's memory, OpenMP's waiting and
BLAS's threads as they are by default, one probe after the other. *unfreeze*: `cli.process.settle_process`, and probes
side by side. The job of each: all probes of a split at every tap, both losses; a pass of 32 images through the whole
network in float32, as `predict` does; steps of training the last two blocks and the whole network, in the layout and
precision that is fastest on that side. Beside two busy programs means two processes that do convolutions on all cores.
Milliseconds are of an image, medians over repeats; rows are appended to `results.jsonl`, and a machine that is there
already (same commit) is not measured again.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from panel import code_version, is_there, keep

from unfreeze.cli.process import settle_process

MEASURE = "busy machine"
SIDES = ("as it comes", "unfreeze")
MACHINES = ("quiet", "beside two busy programs")
PASSES = 3
BUSY = "import torch\nwhile True:\n    torch.nn.functional.conv2d(torch.ones(64, 3, 112, 112), torch.ones(32, 3, 3, 3))"


def measure_side(source: Path, side: str) -> dict[str, float]:
    """One side's figures, in this process, which nothing heavy has been imported into yet."""
    if side == "unfreeze":
        settle_process()
    from unfreeze.core.settings import EngineSettings
    from unfreeze.data.inspection import read_image_set
    from unfreeze.features.resources import Resources
    from unfreeze.images.pool import DecoderPool
    from unfreeze.strategies.preparation import prepare
    from unfreeze.zoo.backbones import load_backbone

    backbone = load_backbone()
    with DecoderPool() as pool:
        experiment = prepare(read_image_set(source, pool=pool), backbone, Resources(pool=pool), EngineSettings())
        return {
            "probes_seconds": probes_seconds(experiment, side),
            "prediction_ms": prediction_ms(backbone),
            "two_blocks_ms": training_ms(experiment, 2),
            "whole_network_ms": training_ms(experiment, None),
        }


def probes_seconds(experiment: Any, side: str) -> float:
    """All probes of a split."""
    from unfreeze.probes.search import search_probe
    from unfreeze.strategies.depth_curve import LOSSES, ProbeSpec, fit_tap_probes

    task, by_tap = experiment.task, experiment.codes.by_tap
    split = task.split(0)
    specs = [ProbeSpec(split, tap, loss) for tap in by_tap for loss in LOSSES]
    started = time.perf_counter()
    if side == "unfreeze":
        fit_tap_probes(by_tap, task, specs)
    else:
        for _, tap, loss in specs:
            codes, labels = by_tap[tap][split.learn], task.labels[split.learn]
            search_probe(codes, labels, split.folds_in_learn, loss=loss, class_count=task.class_count)
    return time.perf_counter() - started


def prediction_ms(backbone: Any) -> float:
    """The fastest of a few passes, after one that pays for what is prepared once."""
    import torch

    network, images = backbone.network.eval(), torch.rand(32, 3, backbone.card.size, backbone.card.size)
    seconds = []
    with torch.inference_mode():
        for _ in range(1 + PASSES):
            started = time.perf_counter()
            network(images)
            seconds.append(time.perf_counter() - started)
    return 1000 * min(seconds[1:]) / len(images)


def training_ms(experiment: Any, blocks: int | None) -> float:
    """Wall time of an image in an epoch, with the fastest arithmetic."""
    from unfreeze.core.strategies import FULL, unfreeze
    from unfreeze.strategies.catalogue import PhotoCatalogue

    with tempfile.TemporaryDirectory() as fresh:  # a choice that was kept would be that of the other side
        resources = replace(experiment.resources, cache=Path(fresh))
        catalogue = PhotoCatalogue(replace(experiment, resources=resources), losses=("softmax",))
        strategy = unfreeze(blocks) if blocks else FULL
        price: Any = catalogue.price(strategy, epochs=1, affordable=1e9)
        return float(1000 * min(timed.seconds for timed in price.timed))


@contextmanager
def machine(kind: str) -> Iterator[None]:
    """A quiet machine, or one with two other programs on it."""
    programs = [] if kind == "quiet" else [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
    try:
        if programs:
            time.sleep(5)  # until they have imported what they need
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def measure(source: Path, kind: str, repeats: int) -> dict[str, dict[str, Any]]:
    """Every side's medians and ranges."""
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    with machine(kind):
        for _ in range(repeats):
            for side, mine in found.items():
                command = [sys.executable, __file__, "--child", side, str(source)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                mine.append(json.loads(done.stdout.splitlines()[-1]))
    return {side: {name: spread([one[name] for one in mine]) for name in mine[0]} for side, mine in found.items()}


def spread(numbers: list[float]) -> dict[str, Any]:
    """Median and range."""
    ends = [float(f"{end:.3g}") for end in (np.min(numbers), np.max(numbers))]
    return {"median": float(f"{statistics.median(numbers):.3g}"), "range": ends}


def main() -> None:
    """Measure what is missing."""
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(measure_side(Path(sys.argv[3]), sys.argv[2])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--set", default="hymenoptera")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    for kind in MACHINES:
        key = {"measure": MEASURE, "set": asked.set, "machine": kind, "code": code_version()}
        if is_there(key):
            continue
        measured = measure(asked.panel / asked.set / "list.csv", kind, asked.repeats)
        for side, figures in measured.items():
            keep({**key, "side": side, "repeats": asked.repeats, **figures})


if __name__ == "__main__":
    main()
