"""Delivered models as programs of OpenVINO that are kept."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unfreeze.core.readouts import Readout
from unfreeze.features import classifiers, delivered
from unfreeze.features.classifiers import KEPT, kept_classifier
from unfreeze.features.delivered import converted_classifier, torch_classifier
from unfreeze.features.engines import PrefixEngine
from unfreeze.features.openvino_graphs import COMPILED_SUFFIX
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU
from unfreeze.zoo.folders import save_model
from unfreeze.zoo.model_config import OUR_KEY, read_config
from unfreeze.zoo.tap_classifier import TapClassifier

pytestmark = pytest.mark.slow


def saved(tiny: Backbone, folder: Path, kind: str, *, seed: int = 0) -> dict[str, Any]:
    """Save a model, and give our part of its settings."""
    rng = np.random.default_rng(seed)
    model: Backbone | TapClassifier
    if kind == "whole":
        model = tiny.with_classes(3)
        weight = rng.normal(size=(3, tiny.card.num_features)).astype(np.float32)
        model.set_head(torch.from_numpy(weight), torch.zeros(3))
    else:
        readouts = tuple(Readout(tap.name) for tap in tiny.taps)
        width = sum(tap.channels for tap in tiny.taps)
        weight, bias = rng.normal(size=(3, width)).astype(np.float32), np.zeros(3, np.float32)
        model = TapClassifier(backbone=tiny, readouts=readouts, weight=weight, bias=bias)
    save_model(folder, model, class_names=("a", "b", "c"), card_text="")
    return dict(read_config(folder)[OUR_KEY])


def scores(engine: PrefixEngine | None) -> np.ndarray:
    """Of six images of noise."""
    assert engine is not None
    images = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), np.uint8)
    return np.stack([row for row, _ in engine.run(images)])


@pytest.mark.parametrize("kind", ["whole", "all taps"])
def test_the_kept_program_says_what_the_first_one_said(tiny: Backbone, tmp_path: Path, kind: str) -> None:
    """To the last bit, and what torch says up to rounding: 1e-4 of the largest score."""
    settings = saved(tiny, tmp_path / "model", kind)
    assert kept_classifier(settings, tmp_path) is None

    first = scores(converted_classifier(tmp_path / "model", CPU, cache=tmp_path))
    kept = scores(kept_classifier(settings, tmp_path))

    wanted = scores(torch_classifier(tmp_path / "model", CPU))
    assert kept.tobytes() == first.tobytes()
    assert np.ptp(wanted, axis=0).min() > 0
    np.testing.assert_allclose(kept, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_another_model_has_another_program(tiny: Backbone, tmp_path: Path) -> None:
    """Two models of the same network differ in their weights alone."""
    settings, other = (saved(tiny, tmp_path / f"{seed}", "whole", seed=seed) for seed in (0, 1))
    first = scores(converted_classifier(tmp_path / "0", CPU, cache=tmp_path))

    assert kept_classifier(other, tmp_path) is None
    second = scores(converted_classifier(tmp_path / "1", CPU, cache=tmp_path))
    assert (scores(kept_classifier(settings, tmp_path)) == first).all()
    assert (scores(kept_classifier(other, tmp_path)) == second).all()
    assert not (first == second).any()


def test_a_damaged_program_is_made_again(tiny: Backbone, tmp_path: Path) -> None:
    """One bit is noticed; what is made then says the same."""
    settings = saved(tiny, tmp_path / "model", "whole")
    first = scores(converted_classifier(tmp_path / "model", CPU, cache=tmp_path))
    (path,) = (tmp_path / "classifiers").iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    assert kept_classifier(settings, tmp_path) is None
    assert (scores(converted_classifier(tmp_path / "model", CPU, cache=tmp_path)) == first).all()
    assert (scores(kept_classifier(settings, tmp_path)) == first).all()


@pytest.mark.parametrize("fault", ["not converted", "other scores"])
def test_what_openvino_cannot_do_is_done_by_torch(
    tiny: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Nothing is kept but that it is so, and it is not tried again."""
    settings = saved(tiny, tmp_path / "model", "whole")
    wanted = scores(torch_classifier(tmp_path / "model", CPU))
    tried = []

    def convert(module: torch.nn.Module, side: int, *, batch_size: int) -> Any:
        tried.append(side)
        if fault == "not converted":
            raise RuntimeError
        shifted = saved_module(tiny, tmp_path / "other")
        return converted(shifted, side, batch_size=batch_size)

    converted = delivered.converted_module
    monkeypatch.setattr(delivered, "converted_module", convert)

    assert (scores(converted_classifier(tmp_path / "model", CPU, cache=tmp_path)) == wanted).all()
    assert (scores(converted_classifier(tmp_path / "model", CPU, cache=tmp_path)) == wanted).all()
    assert len(tried) == 1
    assert kept_classifier(settings, tmp_path) is None


def saved_module(tiny: Backbone, folder: Path) -> torch.nn.Module:
    """Of a model with other weights."""
    saved(tiny, folder, "whole", seed=9)
    return delivered.read_model(folder).module


def test_programs_that_were_used_last_stay(tiny: Backbone, tmp_path: Path) -> None:
    """Only so many are kept, and reading one counts as use."""
    settings = saved(tiny, tmp_path / "model", "whole")
    converted_classifier(tmp_path / "model", CPU, cache=tmp_path)
    folder = tmp_path / "classifiers"
    (ours,) = folder.iterdir()
    for number in range(KEPT):
        path = folder / f"{number:016}-0{COMPILED_SUFFIX}"
        path.write_bytes(b"")
        os.utime(path, (2 + number, 2 + number))
    os.utime(ours, (1, 1))

    kept_classifier(settings, tmp_path)
    classifiers._let_go(folder)

    assert ours.exists()
    assert not (folder / f"{0:016}-0{COMPILED_SUFFIX}").exists()
    assert len(list(folder.iterdir())) == KEPT


def test_predictions_need_no_place_to_keep_anything(tiny: Backbone, tmp_path: Path) -> None:
    """Where the cache cannot be written, the model is converted and says the same."""
    settings = saved(tiny, tmp_path / "model", "whole")
    wanted = scores(torch_classifier(tmp_path / "model", CPU))
    (tmp_path / "cache").write_bytes(b"a file where a folder should be")

    assert kept_classifier(settings, tmp_path / "cache") is None
    found = scores(converted_classifier(tmp_path / "model", CPU, cache=tmp_path / "cache"))

    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
