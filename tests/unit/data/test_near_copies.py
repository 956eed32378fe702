"""Near copies by small grey copies: what is found, and what is not taken for one."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.fft import dctn
from sklearn.datasets import load_digits

from unfreeze.data.leaves import TREES, draw_leaf
from unfreeze.data.near_copies import FINE, near_pairs, spectra
from unfreeze.images.small_copy import SIDE, small_copy

PHOTOS = 60


def scene(seed: int) -> Image.Image:
    """Colours whose amplitudes fall with frequency, as those of natural images do, 200 x 150."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(150)[:, None] * 150, np.fft.fftfreq(200)[None] * 200)
    frequency[0, 0] = np.inf
    planes = [np.fft.ifft2(np.fft.fft2(rng.standard_normal((150, 200))) / frequency).real for _ in range(3)]
    levels = np.stack([128 + 60 * (plane - plane.mean()) / plane.std() for plane in planes], axis=2)
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def again(image: Image.Image, quality: int) -> Image.Image:
    """Compressed anew."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def cropped(image: Image.Image) -> Image.Image:
    """A tenth of each side cut off, more on one side than on the other."""
    return again(image.crop((16, 3, 196, 138)), 80)


def copies_of(images: list[Image.Image]) -> np.ndarray:
    """Their small copies."""
    return np.stack([np.frombuffer(small_copy(image), np.uint8).reshape(SIDE, SIDE) for image in images])


def pairs_of(copies: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of square photos."""
    return {(one, two) for one, two in near_pairs(copies, np.ones(len(copies), np.float32)).tolist()}


def test_likenesses_are_those_of_a_cosine_transform() -> None:
    """Spectra are SciPy's two-dimensional DCT, without the mean, times the frequency, of length 1."""
    copies = copies_of([scene(1), scene(2)])
    expected = dctn(copies.astype(float), axes=(1, 2))[:, :FINE, :FINE]
    # SciPy's DCT-II has no factor that differs between the frequencies.
    weighted = (expected * np.hypot(*np.mgrid[:FINE, :FINE])).reshape(2, -1)

    found = spectra(copies, FINE)

    assert np.allclose(found, weighted / np.linalg.norm(weighted, axis=1, keepdims=True), atol=1e-4)


@pytest.mark.parametrize(
    ("change", "share"),
    [
        (lambda image: again(image, 40), 0.95),
        (lambda image: image.resize((90, 67), Image.Resampling.LANCZOS), 0.95),
        (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.9),
        (cropped, 0.9),
        (lambda image: cropped(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), 0.9),
    ],
    ids=["recompressed", "resized", "mirrored", "cropped", "mirrored and cropped"],
)
def test_changed_photos_are_found_and_no_others(change: Callable[[Image.Image], Image.Image], share: float) -> None:
    """Nearly every changed photo is a pair with its original, and at most one pair of a thousand is false."""
    photos = [scene(seed) for seed in range(PHOTOS)]

    found = pairs_of(copies_of([*photos, *map(change, photos)]))

    true = {(place, place + PHOTOS) for place in range(PHOTOS)}
    assert len(found & true) >= share * PHOTOS
    assert len(found - true) <= 0.001 * len(found)


def test_drawings_of_one_kind_are_no_copies() -> None:
    """Of 600 digits, drawn by hand with few pixels, hardly any is a near copy, and of drawn leaves none."""
    digits = [
        Image.fromarray((image * 255 / 16).astype(np.uint8)).convert("RGB") for image in load_digits().images[:600]
    ]
    leaves = [draw_leaf(tree, seed=seed) for tree in TREES[:2] for seed in range(12)]

    assert len({place for pair in pairs_of(copies_of(digits)) for place in pair}) < 0.05 * len(digits)
    assert not pairs_of(copies_of(leaves))


def signs(seed: int, people: int) -> list[Image.Image]:
    """One sign of a few strokes as several people draw it, black on white, 105 x 105: no corner lies where it did."""
    corners = np.random.default_rng(seed).uniform(20, 85, (4, 2))
    rng = np.random.default_rng([seed, 1])
    drawn = []
    for _ in range(people):
        image = Image.new("L", (105, 105), 255)
        ends = [(float(x), float(y)) for x, y in corners + rng.normal(0, 4, corners.shape)]
        ImageDraw.Draw(image).line(ends, fill=0, width=3)
        drawn.append(image.convert("RGB"))
    return drawn


def test_strokes_on_paper_are_no_copies() -> None:
    """Of 40 signs as 15 people draw them hardly any is a near copy; compressed or halved, each is one of its own."""
    images = [image for seed in range(40) for image in signs(seed, 15)]
    some = images[::15]

    again_drawn = copies_of([*some, *(again(image, 60) for image in some)])
    smaller = copies_of([*some, *(image.resize((52, 52), Image.Resampling.LANCZOS) for image in some)])

    assert len(pairs_of(copies_of(images))) <= 6
    for copies in (again_drawn, smaller):
        assert {(place, place + len(some)) for place in range(len(some))} <= pairs_of(copies)


def test_what_shows_nothing_is_like_nothing() -> None:
    """Photos of one grey, which differ in nothing that is seen, are no near copies; nor is a single photo."""
    flat = [Image.new("RGB", (64, 48), (level, level, level)) for level in range(100, 130)]

    assert pairs_of(copies_of(flat)) == set()
    assert pairs_of(copies_of([scene(1)])) == set()


def test_photos_of_other_shapes_are_no_copies() -> None:
    """A photo that is stretched to twice its width is not taken for a copy."""
    copies = copies_of([scene(1), scene(1)])

    assert len(near_pairs(copies, np.array([1.0, 1.1], np.float32))) == 1
    assert len(near_pairs(copies, np.array([1.0, 2.0], np.float32))) == 0
