"""The network's own mean and standard deviation matter, and a wrong pair is noticed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unfreeze.core.progress import SILENT
from unfreeze.data.inspection import read_image_set
from unfreeze.data.samples import write_sample
from unfreeze.features.frozen import read_codes
from unfreeze.images.pool import DecoderPool
from unfreeze.probes.solver import fit_probe
from unfreeze.zoo.backbones import load_backbone

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.mark.slow
def test_a_probe_sees_another_normalisation(tmp_path: Path) -> None:
    """Codes read with ImageNet's mean and std are stored apart, and a probe on the right codes does worse on them."""
    write_sample("digits", tmp_path / "digits", progress=SILENT)
    for label in (tmp_path / "digits").iterdir():
        for file in sorted(label.iterdir())[24:]:
            file.unlink()
    right = load_backbone(size=64)
    wrong = replace(right, card=replace(right.card, **IMAGENET))
    with DecoderPool(workers=1) as pool:
        found = read_image_set(tmp_path / "digits", pool=pool)
        codes = [read_codes(found, network, pool=pool, cache=tmp_path, engine="torch") for network in (right, wrong)]
    learn = np.arange(len(found.images)) % 2 == 0
    labels = found.labels()
    probe = fit_probe(codes[0].last[learn], labels[learn], loss="softmax", C=0.01, class_count=10)
    accuracies = [(probe.predict(c.last[~learn]) == labels[~learn]).mean() for c in codes]

    assert codes[1].computed == len(found.images)
    assert accuracies[0] > 0.85
    assert accuracies[1] < accuracies[0] - 0.05
