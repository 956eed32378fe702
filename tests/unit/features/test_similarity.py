"""Similarity to the source: closed forms, and photographs and drawings that ship with scikit-learn."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images
from torch.distributions import Normal, kl_divergence

from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.features.openvino_graphs import BATCH_SIZE
from unfreeze.features.similarity import (
    ALIKE,
    UNLIKE,
    gaussian_divergence,
    living,
    measure_similarity,
    on_scale,
    similarity_of,
)
from unfreeze.images.geometry import square
from unfreeze.images.pool import DecoderPool
from unfreeze.zoo.backbones import Backbone, load_backbone

SIZE = 128
PhotoFolder = Callable[..., Path]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """The default network with its real weights, at a size that is quick."""
    return load_backbone(size=SIZE)


def photos(count: int = 40, side: int = 240) -> list[Image.Image]:
    """Crops of the two photographs of scikit-learn, a temple and a flower."""
    draws = np.random.default_rng(0)
    found = []
    for number in range(count):
        whole = Image.fromarray(load_sample_images().images[number % 2])
        left, top = (int(draws.integers(0, length - side + 1)) for length in whole.size)
        found.append(whole.crop((left, top, left + side, top + side)))
    return found


def drawings(count: int = 40) -> list[Image.Image]:
    """Handwritten digits, in grey on black."""
    return [Image.fromarray((grey * 15).astype(np.uint8)).convert("RGB") for grey in load_digits().images[:count]]


def pixels(images: list[Image.Image], backbone: Backbone) -> np.ndarray:
    """Cut as the network wants them."""
    geometry = replace(geometry_of(backbone.card), resize=SIZE)
    return np.stack([square(image, geometry) for image in images])


def value(images: list[Image.Image], backbone: Backbone) -> float:
    """Similarity on the scale."""
    found = similarity_of(backbone, pixels(images, backbone)).value
    assert found is not None
    return found


def compressed(image: Image.Image) -> Image.Image:
    """As a JPEG of quality 50."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


def test_divergence_is_torchs(rng: np.random.Generator) -> None:
    """The divergence of two Gaussians is the one that torch has, channel by channel."""
    means, deviations = rng.normal(size=(2, 20)), rng.uniform(0.1, 3, (2, 20))
    first, second = (Normal(torch.tensor(m), torch.tensor(s)) for m, s in zip(means, deviations, strict=True))

    ours = gaussian_divergence(means[0], deviations[0] ** 2, means[1], deviations[1] ** 2)
    np.testing.assert_allclose(ours, kl_divergence(first, second).numpy(), rtol=1e-9)


def test_scale_is_linear_in_the_logarithm() -> None:
    """Its ends are 1 and 0, the geometric middle is one half, and nothing leaves the range."""
    divergences = (0.0, ALIKE, (ALIKE * UNLIKE) ** 0.5, UNLIKE, 50.0)

    assert [on_scale(divergence) for divergence in divergences] == pytest.approx([1, 1, 0.5, 0, 0])


def test_dead_channels_do_not_count() -> None:
    """A channel whose variance on the source is a rounding error is left out; a quiet one is not."""
    assert living(np.array([1.0, 0.9, 1e-3, 1e-9])).tolist() == [True, True, True, False]


def test_images_that_made_the_statistics_are_alike(rng: np.random.Generator) -> None:
    """A network whose BatchNorm layers learnt from these very images finds them alike, whatever they show."""
    network = load_backbone("resnet18", size=64, pretrained=False)
    images = rng.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    for module in network.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    network.network.train()
    with torch.no_grad():
        network.network((torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean(network)) / std(network))
    network.network.eval()

    found = similarity_of(network, images)
    assert found.value == pytest.approx(1.0)
    assert found.layers == 20  # of a ResNet-18: one at the start, two in each of eight blocks, three on shortcuts
    assert found.channels == 64 + 4 * 64 + 5 * (128 + 256 + 512)


def mean(network: Backbone) -> torch.Tensor:
    """Of the card, per channel."""
    return torch.tensor(network.card.mean).reshape(1, 3, 1, 1)


def std(network: Backbone) -> torch.Tensor:
    """Of the card, per channel."""
    return torch.tensor(network.card.std).reshape(1, 3, 1, 1)


@pytest.mark.slow
def test_photographs_are_more_like_the_source_than_drawings(backbone: Backbone) -> None:
    """Crops of photographs are nearer to ImageNet than digits, and its head is surer of them than chance."""
    near, far = (similarity_of(backbone, pixels(images, backbone)) for images in (photos(), drawings()))

    assert near.value is not None
    assert far.value is not None
    assert near.value > far.value + 0.2
    assert near.confidence is not None
    assert 1 / 1000 < near.confidence < 1


@pytest.mark.slow
@pytest.mark.parametrize("make", [photos, drawings])
def test_value_is_stable(backbone: Backbone, make: Callable[[], list[Image.Image]]) -> None:
    """Compression, half the size and half the images move the value by at most a tenth."""
    images = make()
    whole = value(images, backbone)

    assert value([compressed(image) for image in images], backbone) == pytest.approx(whole, abs=0.1)
    assert value([image.reduce(2) for image in images], backbone) == pytest.approx(whole, abs=0.1)
    assert value(images[: len(images) // 2], backbone) == pytest.approx(whole, abs=0.1)


@pytest.mark.slow
def test_low_resolution_is_not_dissimilarity(backbone: Backbone) -> None:
    """Photographs of 48 pixels, blown up, stay nearer to the source than drawings."""
    assert value([image.resize((48, 48)) for image in photos()], backbone) > value(drawings(), backbone) + 0.1


def test_measuring_changes_nothing_and_follows_content(backbone: Backbone, photo_folder: PhotoFolder) -> None:
    """Order and number of the images offered decide nothing, weights stay, and no hook stays behind."""
    before = {name: tensor.clone() for name, tensor in backbone.network.state_dict().items()}
    with DecoderPool(workers=1) as pool:
        images = read_image_set(photo_folder("a", "b", count=4), pool=pool).images
        first = measure_similarity(backbone, images, pool=pool, count=6)
        second = measure_similarity(backbone, images[::-1], pool=pool, count=6)

    assert first == second
    assert first.images == 6
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.network.state_dict().items())
    assert not any(module._forward_pre_hooks for module in backbone.network.modules())


def test_every_batch_is_reported(backbone: Backbone) -> None:
    """Of each pass every image is counted, so that whoever counts may leave in between."""
    done: list[int] = []
    pixels = np.zeros((2 * BATCH_SIZE, backbone.card.size, backbone.card.size, 3), np.uint8)

    similarity_of(backbone, pixels, done.append)

    assert done[:2] == [BATCH_SIZE, BATCH_SIZE]


@pytest.mark.parametrize("name", ["convnext_atto", "resnet18"])
def test_networks_without_statistics_say_so(name: str) -> None:
    """Without BatchNorm, or with random weights, the reason names the network, and there is no number."""
    with DecoderPool(workers=1) as pool:
        found = measure_similarity(load_backbone(name, size=64, pretrained=False), [], pool=pool)

    assert found.value is None
    assert found.because == f"{name} has no BatchNorm layers with statistics of a source"
