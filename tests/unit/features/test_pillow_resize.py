"""Pillow's resizing as a graph, against Pillow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unfreeze.features.export_parts import IMAGE, SQUARE, of_any_size
from unfreeze.features.onnx_export import SIDES as ANY_SIDES
from unfreeze.features.onnx_export import converted
from unfreeze.features.openvino_export import PRECISION
from unfreeze.features.pillow_resize import PillowSquare
from unfreeze.features.runtime_resize import RuntimeSquare
from unfreeze.images.geometry import Geometry, centre, square

Draw = Callable[[np.random.Generator, int, int], np.ndarray]
# Beside random ones: one pixel; a strip; the shorter side fits already; an edge of 5 more pixels in height than in
# width, about where Pillow 13 begins to resize columns first; halves of a pixel (640 x 490 padded to 96: 73.5); windows
# of 200 pixels, whose sums are the largest.
SIZES = ((1, 1), (2, 150), (96, 130), (131, 113), (110, 99), (490, 640), (637, 640), (40, 9000), (9000, 31))


def noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """All levels."""
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def extremes(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Black and white alone: sums are largest, and many lie beyond 0 and 255."""
    return (255 * rng.integers(0, 2, (height, width, 3))).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("crop", "interpolation", "resize"),
    [
        ("center", "bicubic", 109),
        ("center", "bilinear", 96),
        ("squash", "bicubic", 96),
        ("border", "bicubic", 96),
        ("border", "bilinear", 105),
    ],
)
def test_the_graph_is_pillow_to_the_last_bit(
    crop: str, interpolation: str, resize: int, rng: np.random.Generator
) -> None:
    """Images of any size become the very squares that the decoder makes of them."""
    geometry = Geometry(size=96, resize=resize, interpolation=interpolation, crop=crop, border=(9, 100, 200))
    graph = of_any_size(PillowSquare(geometry)).module()
    sizes = [*SIZES, *(tuple(np.exp2(rng.uniform(3, 10, 2)).astype(int)) for _ in range(24))]

    wrong = []
    for number, (height, width) in enumerate(sizes):
        image = (noise, extremes)[number % 2](rng, int(height), int(width))
        expected = centre(square(Image.fromarray(image), geometry), 96)
        if not np.array_equal(graph(torch.from_numpy(image))[0].numpy(), expected):
            wrong.append((height, width))

    assert wrong == []


@pytest.mark.slow
def test_other_runtimes_are_pillow_too(tmp_path: Path, rng: np.random.Generator) -> None:
    """ONNX Runtime and OpenVINO, which optimise graphs in their own ways, give the same bits."""
    import onnxruntime
    import openvino

    geometry = Geometry(size=96, resize=105, crop="border", border=(9, 100, 200))
    model = converted(of_any_size(PillowSquare(geometry)), IMAGE, SQUARE, ANY_SIDES)
    (tmp_path / "square.onnx").write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(tmp_path / "square.onnx", providers=["CPUExecutionProvider"])
    program = openvino.Core().compile_model(tmp_path / "square.onnx", "CPU", PRECISION)

    for number, (height, width) in enumerate([*SIZES, (333, 500), (700, 411)]):
        image = (extremes, noise)[number % 2](rng, height, width)
        expected = centre(square(Image.fromarray(image), geometry), 96)
        np.testing.assert_array_equal(session.run(None, {IMAGE: image})[0][0], expected)
        np.testing.assert_array_equal(program(image)[0][0], expected)


@pytest.mark.parametrize("side", [8, 224, 225, 300, 331])
def test_halves_are_rounded_as_python_rounds_them(side: int) -> None:
    """Of all lengths whose share lies halfway, each becomes ``round(length / (longer / side))``, floats and all."""
    graph = PillowSquare(Geometry(size=side, resize=side, crop="border"))
    halves = [
        (length, longer)
        for longer in range(2, 700, 3)
        for length in range(1, longer + 1)
        if (2 * side * length) % (2 * longer) == longer
    ]
    found = [int(graph._divided(torch.tensor(length), torch.tensor(longer))) for length, longer in halves]

    assert len(halves) > 50
    assert found == [max(1, round(length / (longer / side))) for length, longer in halves]


@pytest.mark.slow
@pytest.mark.parametrize("crop", ["center", "border"])
def test_the_runtimes_resizing_is_close(crop: str, rng: np.random.Generator) -> None:
    """It shows the same part of the image: smooth pictures differ by three levels of 255 at most."""
    geometry = Geometry(size=96, resize=96 if crop == "border" else 109, crop=crop, border=(9, 100, 200))
    graph = of_any_size(RuntimeSquare(geometry)).module()

    for height, width in ((300, 200), (131, 640), (50, 40), (109, 218)):
        image = np.array(Image.fromarray(noise(rng, 7, 7)).resize((width, height)))
        expected = centre(square(Image.fromarray(image), geometry), 96).astype(int)
        assert np.abs(graph(torch.from_numpy(image))[0].numpy() - expected).max() <= 3
