"""One linear probe: what it returns, whatever the codes look like."""

import numpy as np
import pytest

from unfreeze.core.errors import InputError
from unfreeze.probes.solver import LinearProbe, Loss, fit_probe

LOSSES: tuple[Loss, ...] = ("softmax", "svm")


def clusters(rng: np.random.Generator, images: int = 90, width: int = 12, classes: int = 3) -> tuple:
    """Codes with one direction per class, and their labels."""
    labels = rng.integers(0, classes, images)
    codes = rng.normal(size=(images, width)) + 2 * np.eye(classes, width)[labels]
    return codes.astype(np.float32), labels


@pytest.mark.parametrize("loss", LOSSES)
def test_shift_and_scale_of_codes_do_not_matter(rng: np.random.Generator, loss: Loss) -> None:
    """Standardisation is part of the probe: codes in other units give the same scores."""
    codes, labels = clusters(rng)
    scale, shift = np.geomspace(0.1, 10, 12).astype(np.float32), np.linspace(-5, 5, 12).astype(np.float32)

    plain = fit_probe(codes, labels, loss=loss, C=0.1, class_count=3)
    moved = fit_probe(codes * scale + shift, labels, loss=loss, C=0.1, class_count=3)

    np.testing.assert_allclose(moved.scores(codes * scale + shift), plain.scores(codes), atol=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_codes_that_never_vary_get_no_weight(rng: np.random.Generator, loss: Loss) -> None:
    """A code that is constant in training cannot move a score later, however far it strays."""
    codes, labels = clusters(rng)
    codes[:, [2, 7]] = [0.0, 1234.567]

    probe = fit_probe(codes, labels, loss=loss, C=1.0, class_count=3)

    assert np.all(probe.weight[:, [2, 7]] == 0)
    assert np.isfinite(probe.weight).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_same_input_same_bits(rng: np.random.Generator, loss: Loss) -> None:
    """Two fits of the same codes agree in every bit."""
    codes, labels = clusters(rng, width=200)

    first = fit_probe(codes, labels, loss=loss, C=0.1, class_count=3)
    second = fit_probe(codes, labels, loss=loss, C=0.1, class_count=3)

    assert first.weight.tobytes() == second.weight.tobytes()
    assert first.bias.tobytes() == second.bias.tobytes()


@pytest.mark.parametrize("loss", LOSSES)
def test_repeated_images_weigh_like_a_larger_c(rng: np.random.Generator, loss: Loss) -> None:
    """The loss is a sum: every image twice equals every image once at twice the C."""
    codes, labels = clusters(rng)

    once = fit_probe(codes, labels, loss=loss, C=0.2, class_count=3)
    twice = fit_probe(np.tile(codes, (2, 1)), np.tile(labels, 2), loss=loss, C=0.1, class_count=3)

    np.testing.assert_allclose(twice.weight, once.weight, atol=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("images", "width"), [(300, 12), (60, 100)])
def test_block_size_does_not_matter(rng: np.random.Generator, loss: Loss, images: int, width: int) -> None:
    """Codes read 7 rows at a time give the probe of codes in memory, also where codes outnumber images."""
    codes, labels = clusters(rng, images, width)

    whole = fit_probe(codes, labels, loss=loss, C=0.1, class_count=3)
    blocks = fit_probe(codes, labels, loss=loss, C=0.1, class_count=3, block_rows=7)

    np.testing.assert_allclose(blocks.weight, whole.weight, atol=1e-4 * np.abs(whole.weight).max())


@pytest.mark.parametrize("loss", LOSSES)
def test_hard_cases_stay_finite(rng: np.random.Generator, loss: Loss) -> None:
    """No images of a class, all codes constant, one image, or hardly any penalty: the weights stay finite."""
    codes, labels = clusters(rng, images=40)
    for rows, C, classes in ((codes, 0.1, 5), (np.ones_like(codes), 0.1, 3), (codes[:1], 1.0, 3), (codes, 1e6, 3)):
        probe = fit_probe(rows, labels[: len(rows)], loss=loss, C=C, class_count=classes)

        assert np.isfinite(probe.weight).all()
        assert np.isfinite(probe.bias).all()
        assert probe.weight.shape == (classes, 12)


def test_two_classes_have_opposite_rows(rng: np.random.Generator) -> None:
    """With two classes a softmax still has a row each, and the penalty makes them opposite."""
    codes, labels = clusters(rng, classes=2)

    probe = fit_probe(codes, labels, loss="softmax", C=0.1, class_count=2)

    np.testing.assert_allclose(probe.weight[0], -probe.weight[1], atol=1e-5)


def test_probabilities_add_up_and_rank_like_scores(rng: np.random.Generator) -> None:
    """Rows of probabilities sum to one, and the likeliest class is the predicted one."""
    codes, labels = clusters(rng)
    probe = fit_probe(codes, labels, loss="softmax", C=0.1, class_count=3)

    probabilities = probe.probabilities(codes)

    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(probabilities.argmax(axis=1), probe.predict(codes))


def test_an_svm_has_no_probabilities() -> None:
    """Asking an SVM for probabilities is refused, with the way out."""
    probe = LinearProbe("svm", 1.0, np.zeros((2, 3), np.float32), np.zeros(2, np.float32))

    with pytest.raises(ValueError, match="loss='softmax'"):
        probe.probabilities(np.zeros((1, 3), np.float32))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"codes": np.zeros((0, 2), np.float32), "labels": np.zeros(0, np.int64)}, "one label per row"),
        ({"labels": np.array([0, 1, 3])}, "labels from 0 to 3"),
        ({"class_count": 1, "labels": np.zeros(3, np.int64)}, "at least two classes"),
        ({"codes": np.array([[1, np.nan], [1, 2], [np.inf, 0]], np.float32)}, "codes of 2 of 3 images"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change: dict, text: str) -> None:
    """Labels out of range and damaged codes are named instead of fitted."""
    given = {"codes": np.eye(3, 2, dtype=np.float32), "labels": np.array([0, 1, 2]), "class_count": 3} | change

    with pytest.raises(InputError, match=text):
        fit_probe(given["codes"], given["labels"], loss="softmax", C=1.0, class_count=given["class_count"])
