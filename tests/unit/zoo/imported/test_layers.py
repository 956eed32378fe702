"""Layers of Caffe's: their values follow from Caffe's own loops and formulas."""

import itertools

import numpy as np
import pytest
import torch

from unfreeze.zoo.imported.layers import CaffePool, built

SHAPES = [
    (side, kernel, stride, pad)
    for side, kernel, stride, pad in itertools.product((4, 5, 7, 8), (1, 2, 3, 5), (1, 2, 3, 4), (0, 1, 2))
    if pad < kernel <= side + 2 * pad
]


def pooled_by_loops(image: np.ndarray, method: str, kernel: int, stride: int, pad: int) -> np.ndarray:
    """Caffe's pooling_layer.cpp, line by line."""
    side = image.shape[0]
    count = int(np.ceil((side + 2 * pad - kernel) / stride)) + 1
    if pad and (count - 1) * stride >= side + pad:
        count -= 1
    result = np.zeros((count, count))
    for ph, pw in itertools.product(range(count), range(count)):
        top, left = ph * stride - pad, pw * stride - pad
        bottom, right = min(top + kernel, side + pad), min(left + kernel, side + pad)
        size = (bottom - top) * (right - left)
        part = image[max(top, 0) : min(bottom, side), max(left, 0) : min(right, side)]
        if method == "MAX":
            result[ph, pw] = part.max(initial=-np.finfo(np.float32).max)
        else:
            result[ph, pw] = part.sum() / size if part.size else 0.0
    return result


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_pooling_is_caffes(method: str) -> None:
    """For every shape, stride above kernel included, windows begin, end and are divided as in Caffe's own loops."""
    draws = np.random.default_rng(0)
    for side, kernel, stride, pad in SHAPES:
        image = draws.standard_normal((side, side)).astype(np.float32)
        layer = CaffePool(method, (kernel, kernel), (stride, stride), (pad, pad))

        found = layer(torch.from_numpy(image)[None, None])[0, 0].numpy()

        expected = pooled_by_loops(image, method, kernel, stride, pad)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=str((side, kernel, stride, pad)))


def test_torch_rounds_otherwise() -> None:
    """Torch's ceil_mode leaves out a window that Caffe has: what this package's padding by hand is for."""
    x = torch.zeros(1, 1, 5, 5)
    theirs = torch.nn.functional.max_pool2d(x, 1, stride=3, ceil_mode=True)

    assert CaffePool("MAX", (1, 1), (3, 3), (0, 0))(x).shape != theirs.shape


X = np.random.default_rng(1).uniform(0.1, 2.0, (2, 4, 3, 3)).astype(np.float32)
FORMULAS = {
    "power": ("Elementwise", {"function": "power", "scale": 2.0, "shift": 1.0, "base": 3.0}, (2 * X + 1) ** 3),
    "exp": ("Elementwise", {"function": "exp", "scale": 0.5, "shift": 1.0, "base": 2.0}, 2 ** (0.5 * X + 1)),
    "natural exp": ("Elementwise", {"function": "exp", "base": -1.0}, np.exp(X)),
    "log": ("Elementwise", {"function": "log", "scale": 2.0, "shift": 1.0, "base": 10.0}, np.log10(2 * X + 1)),
    "abs": ("Elementwise", {"function": "abs"}, np.abs(X)),
    "elu": ("ELU", {"alpha": 0.5}, X),
    "global maximum": ("GlobalPool", {"method": "MAX"}, X.max((2, 3), keepdims=True)),
    "reshape": ("Reshape", {"shape": [0, 2, -1]}, X.reshape(2, 2, 18)),
    "within a channel": (
        "LRN",
        {"size": 1, "alpha": 0.5, "beta": 0.75, "k": 1.0, "within": True},
        X * (1 + 0.5 * X**2) ** -0.75,
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas(name: str) -> None:
    """A layer of one formula gives what the formula says."""
    kind, settings, expected = FORMULAS[name]

    found = built(kind, settings)(torch.from_numpy(X)).numpy()

    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_norm_across_channels() -> None:
    """Across channels a value is divided by the mean square of its neighbours, zeros beyond the ends."""
    settings = {"size": 3, "alpha": 0.5, "beta": 0.75, "k": 2.0, "within": False}
    squares = np.pad(X**2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    sums = squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]

    found = built("LRN", settings)(torch.from_numpy(X)).numpy()

    np.testing.assert_allclose(found, X * (2.0 + 0.5 / 3 * sums) ** -0.75, rtol=1e-5)


def test_layers_of_several_inputs() -> None:
    """Sums have their coefficients, products and maxima are element by element, a crop has the other's sides."""
    a, b = torch.from_numpy(X), torch.from_numpy(X[::-1].copy())

    weighted = built("Combination", {"operation": "SUM", "coefficients": [1.0, -2.0]})(a, b)
    largest = built("Combination", {"operation": "MAX", "coefficients": []})(a, b)
    gated = built("Product", {"axis": 0, "missing": 2})(a, a[:, :, 0, 0])
    cropped = built("Crop", {"axis": 2, "offsets": [1, 0]})(a, a[:, :, :2, :1])

    np.testing.assert_allclose(weighted, X - 2 * X[::-1], rtol=1e-5)
    np.testing.assert_array_equal(largest, np.maximum(X, X[::-1]))
    np.testing.assert_allclose(gated, X * X[:, :, :1, :1], rtol=1e-6)
    np.testing.assert_array_equal(cropped, X[:, :, 1:, :1])
