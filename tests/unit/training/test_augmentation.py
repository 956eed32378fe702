"""Augmentation: what never changes, and what changes as much as the recipe says."""

import numpy as np
import pytest

from unfreeze.core.plans import LIGHT, NONE, RECIPES, STANDARD, STRONG, Augmentation
from unfreeze.images.geometry import centre
from unfreeze.training.augmentation import augment

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_none_is_the_centre() -> None:
    """Without augmentation training sees exactly what evaluation sees."""
    seen = augment(NOISE, size=56, recipe=NONE, rng=np.random.default_rng(0))

    np.testing.assert_array_equal(seen, centre(NOISE, 56))
    assert not np.shares_memory(seen, NOISE)


def test_flip_mirrors() -> None:
    """A certain flip mirrors left and right, and nothing else."""
    seen = augment(NOISE, size=56, recipe=Augmentation(flip=1.0), rng=np.random.default_rng(0))

    np.testing.assert_array_equal(seen, centre(NOISE, 56)[:, ::-1])


@pytest.mark.parametrize("recipe", [LIGHT, STANDARD, STRONG])
def test_equal_states_give_equal_views(recipe: Augmentation) -> None:
    """Chance comes from the generator alone; another state gives another view."""
    views = [augment(NOISE, size=56, recipe=recipe, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)]

    np.testing.assert_array_equal(views[0], views[1])
    assert (views[0] != views[2]).any()
    assert views[0].shape == (56, 56, 3)
    assert views[0].dtype == np.uint8


def test_crops_take_the_stated_area() -> None:
    """The area that a crop covers lies within the recipe's scale: read off a ramp's range of values."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    both = np.dstack([ramp[..., 0], ramp[..., 0].T, ramp[..., 0]])
    rng = np.random.default_rng(0)
    recipe = Augmentation(scale=(0.3, 0.6), ratio=(0.75, 4 / 3))
    for _ in range(50):
        seen = augment(both, size=64, recipe=recipe, rng=rng).astype(float)
        # Values at pixel centres span (size - 1) / size of the crop.
        width, height = ((np.ptp(seen[..., channel])) * 64 / 63 for channel in (0, 1))
        assert 0.3 * 0.93 <= width * height / 256**2 <= 0.6 * 1.07
        assert 0.75 * 0.95 <= width / height <= 4 / 3 * 1.05


def test_colour_changes_equal_pillow() -> None:
    """Brightness, contrast and saturation in one pass equal torchvision's three, up to rounding and its clipping."""
    functional = pytest.importorskip("torchvision.transforms.functional")
    from PIL import Image

    soft = (NOISE // 3 + 80).astype(np.uint8)  # far from black and white, so that nothing is clipped on the way
    recipe = Augmentation(brightness=0.2, contrast=0.2, saturation=0.2)
    for seed in range(10):
        seen = augment(soft, size=64, recipe=recipe, rng=np.random.default_rng(seed)).astype(int)
        b, c, s = 1 + 0.2 * np.random.default_rng(seed).uniform(-1, 1, 3)
        image = functional.adjust_brightness(Image.fromarray(soft), b)
        image = functional.adjust_saturation(functional.adjust_contrast(image, c), s)
        assert np.abs(seen - np.asarray(image).astype(int)).max() <= 3


def test_random_operations_leave_the_global_generator_alone() -> None:
    """RandAugment's chance comes from the given generator; torch's own goes on as if nothing had happened."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    augment(NOISE, size=56, recipe=Augmentation(operations=2), rng=np.random.default_rng(0))

    assert torch.equal(torch.rand(3), expected)


def test_only_none_shows_images_as_they_are() -> None:
    """The recipes by name; mixing alone makes no views."""
    assert {name: recipe.varies for name, recipe in RECIPES.items()} == {
        "none": False,
        "light": True,
        "standard": True,
        "strong": True,
    }
    assert not Augmentation(mixup=0.2).varies
