"""What noticing the imbalance gives: probes for which all classes count the same, against plain ones.

    python benchmarks/imbalance.py --panel PANEL --sets magtile

All images of a set (train and test parts together), 20 of the splits that a run makes, whole groups on one side. The
plain probe is a softmax on the last codes whose C is chosen for accuracy; beside it stand the probes that a run fits
where imbalance is strong, at the last codes. Differences of balanced accuracy with the interval that a run prints: it
is one of the expected difference over training sets, where a single test part tells of its own few rare images only.
Rows are appended to `results.jsonl`; a set that is there is not measured again.
"""

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from panel import code_version, is_there, keep

from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.data.inspection import read_image_set
from unfreeze.features.extraction import geometry_of, read_codes
from unfreeze.metrics.repeated import compare_splits, metric_values
from unfreeze.strategies.depth import fit_tap_probes
from unfreeze.strategies.experiment import make_task
from unfreeze.zoo.backbones import load_backbone

MEASURE = "imbalance"
SPLITS = 20
PLAIN = "softmax, plain"

Values = dict[str, list[np.ndarray]]


def measure(source: Path) -> dict[str, Any]:
    """One set: balanced accuracies, and differences from the plain probe."""
    with DecoderPool() as pool:
        backbone = load_backbone()
        image_set = read_image_set(source, pool=pool, geometry=geometry_of(backbone.card))
        codes = read_codes(image_set, backbone, pool=pool).last
    together = replace(image_set, images=tuple(replace(image, split="train") for image in image_set.images))
    task = make_task(together, seed=0)
    scores: Values = defaultdict(list)
    splits = [task.split(number) for number in range(SPLITS)]
    for split in splits:
        for balanced in (False, True):
            for probe in fit_tap_probes({"last": codes}, task, split, balanced=balanced):
                said = probe.test_scores.argmax(axis=1)
                values = metric_values("balanced accuracy", task.labels[split.test], predictions=said)
                scores[f"{probe.loss}, {'balanced' if balanced else 'plain'}"].append(values)
    units, share = [task.units[split.test] for split in splits], task.tested_share(splits)
    row: dict[str, Any] = {"images": len(codes), "units": len(np.unique(task.units)), "splits": SPLITS}
    for name, values in scores.items():
        step = compare_splits(scores[PLAIN], values, units=units, test_fraction=share, margin=0.01)
        row[name] = round(float(np.mean([one.mean() for one in values])), 4)
        if name != PLAIN and step.interval is not None:
            row[f"{name}, gain"] = [round(x, 4) for x in (step.difference, step.interval.low, step.interval.high)]
    return row


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="magtile")
    asked = parser.parse_args()
    for name in asked.sets.split(","):
        key = {"measure": MEASURE, "set": name}
        if is_there(key):
            continue
        keep({**key, "code": code_version(), **measure(asked.panel / name / "list.csv")})


if __name__ == "__main__":
    main()
