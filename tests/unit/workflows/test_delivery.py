"""Delivering a classifier on taps, and what its card says is run as it stands."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unfreeze.core.cards import Card
from unfreeze.core.errors import AuditError
from unfreeze.core.progress import Advance
from unfreeze.core.readouts import Readout
from unfreeze.core.records import ImageCounts, Interval, Outcome
from unfreeze.core.settings import ResizeWord
from unfreeze.core.strategies import LINEAR_ON_ALL
from unfreeze.data.tasks import Split
from unfreeze.features.classifiers import kept_classifier
from unfreeze.images.pool import DecoderPool
from unfreeze.probes.solver import fit_probe
from unfreeze.report.model_card import PROGRAM_HEADING, model_card
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.measurement import Measurement
from unfreeze.strategies.model_size import cost_of
from unfreeze.strategies.predictions import Measured, predicted_of
from unfreeze.strategies.strategy import Fit
from unfreeze.workflows import delivery
from unfreeze.workflows.delivery import add_program, card_of, deliver
from unfreeze.workflows.prediction import predict_images
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import read_model, save_model
from unfreeze.zoo.model_config import OUR_KEY, read_config
from unfreeze.zoo.tap_classifier import TapClassifier

MakeExperiment = Callable[..., Experiment]
NAMES = ("ant", "bee", "Käfer")


@dataclass(frozen=True)
class OnTwoTaps:
    """A softmax on the codes of the first and the third tap."""

    experiment: Experiment
    outcome: Outcome = Outcome(strategy=LINEAR_ON_ALL, description="linear softmax on two taps")  # noqa: RUF009
    work: int = 0
    refit_seconds: float = 0.0
    training: None = None

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Fit, and predict by codes."""
        source, codes = self.experiment.source, self.experiment.codes.by_tap
        taps = [source.taps[place].name for place in (2, 0)]
        joined = np.concatenate([codes[tap] for tap in taps], axis=1)
        probe = fit_probe(
            joined[split.learn], self.experiment.task.labels[split.learn], loss="softmax", C=1.0, class_count=2
        )
        model = TapClassifier(backbone=source, readouts=tuple(map(Readout, taps)), weight=probe.weight, bias=probe.bias)
        return Fit(scores=probe.scores(joined[split.test]), model=model)


def measured(experiment: Experiment) -> Measurement:
    """The strategy, ready to be delivered."""
    strategy = OnTwoTaps(experiment)
    return Measurement(strategy, Measured(strategy.outcome))


def test_a_classifier_on_taps_is_delivered(make_experiment: MakeExperiment, tmp_path: Path) -> None:
    """Its folder confirms it on the test folder, and holds the network up to its deepest tap alone."""
    experiment = make_experiment(24, 12)

    outcome = deliver(experiment, measured(experiment), "It won.", tmp_path / "model", pool=experiment.squares.pool)

    saved = read_model(tmp_path / "model")
    deepest = experiment.source.taps[2].name
    assert outcome.confirmation is not None
    assert outcome.confirmation.accuracy == 1.0  # the classes differ in colour
    assert outcome.model_cost is not None
    assert outcome.model_cost.deepest_tap == deepest
    assert outcome.model_cost.milliseconds_an_image is not None
    assert not any(name.startswith("prefix.layer4") for name in saved.module.state_dict())
    text = (tmp_path / "model" / "README.md").read_text()
    assert f"the network ends at its tap `{deepest}`" in text
    assert "timm.create_model" not in text


def test_the_program_that_confirms_a_model_is_kept_for_predict(make_experiment: MakeExperiment, tmp_path: Path) -> None:
    """So that the first photo after a run does not wait for a conversion."""
    experiment = make_experiment(24, 12)

    deliver(experiment, measured(experiment), "It won.", tmp_path / "model", pool=experiment.squares.pool)

    assert kept_classifier(read_config(tmp_path / "model")[OUR_KEY], experiment.cache) is not None


def test_a_temperature_is_delivered_in_the_weights(make_experiment: MakeExperiment, tmp_path: Path) -> None:
    """Held-out scores that are far too sure: the folder gives the trained scores divided, and no other label."""
    experiment = make_experiment(40)
    task, ready = experiment.task, measured(experiment)
    held_out = []
    for split in map(task.split, range(2)):
        said = np.where(np.arange(len(split.test)) % 4 == 0, 1 - task.labels[split.test], task.labels[split.test])
        held_out.append(predicted_of(9 * np.eye(2, dtype=np.float32)[said], task, split))
    ready.measured = replace(ready.measured, predicted=tuple(held_out))
    assert ready.strategy is not None
    trained = ready.strategy.fit(task.everything(), advance=lambda _: None).model
    assert isinstance(trained, TapClassifier)

    outcome = deliver(experiment, ready, "", tmp_path / "model", pool=experiment.squares.pool)

    found, linear = outcome.calibration, read_model(tmp_path / "model").module.linear
    assert found is not None
    assert found.temperature > 2
    np.testing.assert_allclose(found.temperature * linear.weight.detach().numpy(), trained.weight, rtol=1e-5)
    np.testing.assert_allclose(found.temperature * linear.bias.detach().numpy(), trained.bias, rtol=1e-5)
    card = " ".join((tmp_path / "model" / "README.md").read_text().split())
    assert f"divided by a temperature of {found.temperature:.2f}" in card
    assert f"on {found.images} held-out images" in card


def test_the_card_says_first_that_the_test_folder_contradicts(make_experiment: MakeExperiment, tmp_path: Path) -> None:
    """All is right on the folder, where half was expected: the alarm of the run stands above what was trained."""
    experiment = make_experiment(24, 12)
    picked = measured(experiment)
    outcome = replace(picked.measured.outcome, accuracy=0.5, interval=Interval(0.45, 0.55), splits=1)
    expected = Measurement(picked.strategy, Measured(outcome))

    deliver(experiment, expected, "It won.", tmp_path / "model", pool=experiment.squares.pool, margin=0.01)

    text = (tmp_path / "model" / "README.md").read_text()
    assert text.index("Your own test folder contradicts the splits") < text.index("## What was trained")


def test_a_folder_that_says_something_else_is_not_delivered(
    make_experiment: MakeExperiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the saved weights are not those of the classifier, the scores show it."""
    experiment = make_experiment(24)

    def spoilt(folder: Path, model: Backbone | TapClassifier, **settings: object) -> None:
        assert isinstance(model, TapClassifier)
        save_model(folder, replace(model, weight=1.5 * model.weight), **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(delivery, "save_model", spoilt)

    with pytest.raises(AuditError, match="The saved model does not say what the trained network says"):
        deliver(experiment, measured(experiment), "", tmp_path / "model", pool=experiment.squares.pool)


def card_text(outcome: Outcome, card: Card) -> str:
    """The card of a model of which nothing was measured."""
    counts = ImageCounts(found=3, used=3, set_aside=0, duplicates_removed=0, skipped=0)
    return model_card(
        title="test", outcome=outcome, network=card, classes=NAMES, images=counts, test_size=0, measured=()
    )


@pytest.mark.slow
@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
@pytest.mark.parametrize("kind", ["whole", "cut"])
def test_the_code_in_the_card_runs(kind: str, resize: ResizeWord, tmp_path: Path, rng: np.random.Generator) -> None:
    """Copied out of README.md, with the paths put in, it names the class that unfreeze names, as probably."""
    backbone = load_backbone(size=64).resized_by(resize)
    weight = rng.normal(size=(3, 112), scale=0.1).astype(np.float32)
    model: Backbone | TapClassifier = TapClassifier(
        backbone=backbone, readouts=(Readout("blocks.4"),), weight=weight, bias=np.zeros(3, np.float32)
    )
    if kind == "whole":
        model = backbone.with_classes(3)
        model.set_head(torch.from_numpy(rng.normal(size=(3, 1280), scale=0.1).astype(np.float32)), torch.zeros(3))
    outcome = Outcome(strategy=LINEAR_ON_ALL, description="", model_cost=cost_of(model))
    save_model(tmp_path / "model", model, class_names=NAMES, card_text=card_text(outcome, backbone.card))
    assert add_program(tmp_path / "model") == ""
    Image.fromarray(rng.integers(0, 256, (90, 131, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    with DecoderPool(workers=1) as pool:
        expected = predict_images(tmp_path / "model", [tmp_path / "photo.png"], pool=pool)

    text = (tmp_path / "model" / "README.md").read_text()
    *loading, alone = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    said = []
    for code in (*loading, alone):
        ready = code.replace('"PATH"', '"model"').replace("local-dir:PATH", "local-dir:model").replace(".jpg", ".png")
        done = subprocess.run(
            [sys.executable, "-c", ready], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
        )
        said.append(done.stdout.split())

    name, likely = said[-1]
    assert name == NAMES[int(expected.scores.argmax())]
    assert float(likely) == pytest.approx(expected.probabilities.max(), abs=1e-5)
    assert len(said) == 2
    assert "unfreeze import" not in alone


def test_a_program_is_added_once(tmp_path: Path, rng: np.random.Generator) -> None:
    """A second call changes no byte, and the card without it is what was saved."""
    backbone = load_backbone("test_resnet", size=32, pretrained=False)
    weight = rng.normal(size=(3, backbone.taps[0].channels)).astype(np.float32)
    model = TapClassifier(
        backbone=backbone, readouts=(Readout(backbone.taps[0].name),), weight=weight, bias=np.zeros(3, np.float32)
    )
    save_model(tmp_path / "model", model, class_names=NAMES, card_text="# Mine\n")

    assert add_program(tmp_path / "model") == ""
    once = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    assert add_program(tmp_path / "model") == ""

    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == once
    assert once["README.md"].count(PROGRAM_HEADING.encode()) == 1
    assert card_of(tmp_path / "model") == "# Mine\n"
