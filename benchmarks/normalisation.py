"""What a wrong mean and standard deviation cost: a probe on the network's own, asked about images with ImageNet's.

    python benchmarks/normalisation.py --panel PANEL --sets trashnet

PANEL holds a folder a set with a `list.csv` (path, label, split, group). Regularisation is chosen on the train part.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from panel import code_version, is_there, keep

from unfreeze.data.inspection import read_image_set
from unfreeze.data.tasks import make_task
from unfreeze.features.frozen import read_codes
from unfreeze.images.pool import DecoderPool
from unfreeze.probes.search import search_probe
from unfreeze.zoo.backbones import load_backbone

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
MEASURE = "normalisation"


def measure(source: Path) -> dict[str, float]:
    """Test accuracy of one probe on codes read rightly and wrongly."""
    right = load_backbone()
    wrong = replace(right, card=replace(right.card, **IMAGENET))
    with DecoderPool() as pool:
        task = make_task(read_image_set(source, pool=pool), seed=0)
        own, foreign = (read_codes(task.image_set, network, pool=pool).last for network in (right, wrong))
    train, test = task.train_rows, task.test_rows
    search = search_probe(
        own[train], task.labels[train], task.everything().folds_in_learn, loss="softmax", class_count=task.class_count
    )
    accuracies = [float(np.mean(search.probe.predict(codes[test]) == task.labels[test])) for codes in (own, foreign)]
    return {"own": accuracies[0], "imagenet": accuracies[1], "test_images": len(test)}


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="hymenoptera,trashnet,omniglot,magtile,eurosat,cifar10")
    asked = parser.parse_args()
    for name in asked.sets.split(","):
        key = {"measure": MEASURE, "set": name, "code": code_version()}
        if not is_there(key):
            keep({**key, **measure(asked.panel / name / "list.csv")})


if __name__ == "__main__":
    main()
