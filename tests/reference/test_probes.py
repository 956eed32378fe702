"""Our probes against scikit-learn's LogisticRegression and LinearSVC: the same minimum, the same predictions."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from unfreeze.core.progress import SILENT
from unfreeze.data.inspection import read_image_set
from unfreeze.data.samples import write_sample
from unfreeze.features.frozen import read_codes
from unfreeze.images.pool import DecoderPool
from unfreeze.probes.search import DEFAULT_CS
from unfreeze.probes.solver import LinearProbe, Loss, fit_probe
from unfreeze.zoo.backbones import load_backbone

Task = tuple[np.ndarray, np.ndarray, np.ndarray]  # training codes, their labels, held-out codes


def digits() -> Task:
    """A thousand digits; three of the 64 pixels are constant."""
    codes, labels = load_digits(return_X_y=True)
    return codes[:1000].astype(np.float32), labels[:1000].astype(np.int64), codes[1000:].astype(np.float32)


def made(images: int, width: int, classes: int) -> Task:
    """Gaussian clusters with redundant directions, shifted and scaled very unequally, one code constant."""
    codes, labels = make_classification(
        images + 500,
        width,
        n_informative=min(width // 2, 12),
        n_redundant=width // 4,
        n_classes=classes,
        n_clusters_per_class=1,
        flip_y=0.05,
        random_state=images,
    )
    codes = codes * np.geomspace(0.01, 100, width) + np.linspace(-30, 30, width)
    codes[:, 3] = 7.1
    codes = codes.astype(np.float32)
    return codes[:images], labels[:images].astype(np.int64), codes[images:]


TASKS = {
    "digits, constant codes": digits,
    "two classes": lambda: made(400, 30, 2),
    "fewer images than codes": lambda: made(120, 400, 3),
    "fewer images than codes, two classes": lambda: made(60, 200, 2),
    "many classes": lambda: made(800, 24, 12),
    "SVM by the Gram matrix of images": lambda: made(700, 500, 3),
    "SVM by the Hessian": lambda: made(1600, 160, 3),
}


def objective(probe: LinearProbe, codes: np.ndarray, labels: np.ndarray) -> float:
    """The objective in float64, evaluated on the weights of standardised codes."""
    deviation = codes.std(axis=0, dtype=np.float64)
    weight = probe.weight * np.where(deviation > 1e-5, deviation, 0)
    scores = codes.astype(np.float64) @ probe.weight.T + probe.bias
    true = np.eye(len(probe.bias))[labels]
    if probe.loss == "softmax":
        losses = np.logaddexp.reduce(scores, axis=1) - scores[true > 0]
    else:
        losses = (np.maximum(0, 1 - (2 * true - 1) * scores) ** 2).sum(axis=1)
    return float((weight**2).sum() / 2 + probe.C * losses.sum())


def reference(codes: np.ndarray, labels: np.ndarray, loss: str, C: float, *, tol: float = 1e-9) -> LinearProbe:
    """scikit-learn's solution, folded into raw codes."""
    scaler = StandardScaler().fit(codes.astype(np.float64))
    standardised = scaler.transform(codes.astype(np.float64))
    two = labels.max() == 1
    if loss == "softmax":
        model = LogisticRegression(C=2 * C if two else C, tol=1e-8, max_iter=20_000).fit(standardised, labels)
    else:
        model = LinearSVC(C=C, dual=False, tol=tol, max_iter=100_000, intercept_scaling=100).fit(standardised, labels)
    weight, bias = model.coef_, model.intercept_
    if two:
        half = 2 if loss == "softmax" else 1
        weight, bias = np.concatenate([-weight, weight]) / half, np.concatenate([-bias, bias]) / half
    weight = weight / scaler.scale_
    bias = bias - weight @ scaler.mean_
    return LinearProbe(loss, C, weight.astype(np.float32), bias.astype(np.float32))  # type: ignore[arg-type]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("loss", ["softmax", "svm"])
@pytest.mark.parametrize("C", [1e-3, 0.03, 1.0])
def test_same_minimum_and_predictions_as_scikit_learn(task: str, loss: str, C: float) -> None:
    """The objective is within 1e-4 of scikit-learn's minimum and 99.5 % of held-out rows get the same class."""
    codes, labels, held_out = TASKS[task]()
    theirs = reference(codes, labels, loss, C)

    ours = fit_probe(codes, labels, loss=loss, C=C, class_count=int(labels.max()) + 1)  # type: ignore[arg-type]

    assert objective(ours, codes, labels) <= objective(theirs, codes, labels) * (1 + 1e-4)
    assert np.mean(ours.predict(held_out) == theirs.predict(held_out)) >= 0.995


@pytest.fixture(scope="module")
def digit_codes(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Codes of the default network: 40 digits a class to learn, 40 held out."""
    folder = tmp_path_factory.mktemp("digits")
    write_sample("digits", folder / "digits", progress=SILENT)
    for label in (folder / "digits").iterdir():
        for file in sorted(label.iterdir())[80:]:
            file.unlink()
    with DecoderPool(workers=1) as pool:
        found = read_image_set(folder / "digits", pool=pool)
        codes = read_codes(found, load_backbone(size=64), pool=pool, engine="torch").last
    learn = np.arange(len(codes)) % 2 == 0
    return codes[learn], found.labels()[learn], codes[~learn]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["softmax", "svm"])
@pytest.mark.parametrize("C", DEFAULT_CS)
def test_same_minimum_and_predictions_on_codes_of_a_network(digit_codes: Task, loss: Loss, C: float) -> None:
    """On real codes and at every C of the grid: an objective within 1e-4, the same class for 99.5 % of new images."""
    codes, labels, held_out = digit_codes
    theirs = reference(codes, labels, loss, C, tol=1e-6)  # at 1e-9 LinearSVC takes minutes

    ours = fit_probe(codes, labels, loss=loss, C=C, class_count=10)

    assert objective(ours, codes, labels) <= objective(theirs, codes, labels) * (1 + 1e-4)
    assert np.mean(ours.predict(held_out) == theirs.predict(held_out)) >= 0.995


def test_class_weights_are_those_of_scikit_learn() -> None:
    """A class weight multiplies the loss of that class's images, as in scikit-learn."""
    codes, labels, held_out = made(300, 20, 3)
    scaler = StandardScaler().fit(codes)
    model = LogisticRegression(C=0.1, class_weight={0: 5.0, 1: 1.0, 2: 0.2}, tol=1e-8, max_iter=10_000)
    model.fit(scaler.transform(codes), labels)

    ours = fit_probe(codes, labels, loss="softmax", C=0.1, class_count=3, class_weight=np.array([5.0, 1.0, 0.2]))

    assert np.abs(ours.probabilities(held_out) - model.predict_proba(scaler.transform(held_out))).max() < 0.01
