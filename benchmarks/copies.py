"""How many near copies are found among real photos, and how many pairs are false.

Of each set some photos are taken, and each is changed in six ways; a changed photo and its original are a true pair. A
pair of an original and a changed photo is false if the two originals are no pair themselves. With ``--all`` the time
for all photos of a folder is told, from their small copies on.

    python benchmarks/copies.py PANEL/trashnet PANEL/eurosat
    python benchmarks/copies.py --all PANEL/cifar10
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from unfreeze.data.near_copies import near_pairs
from unfreeze.images.small_copy import SIDE, small_copy

PHOTOS = 500
SUFFIXES = {".jpg", ".png", ".bmp"}


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """Compressed anew as JPEG."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def halved(image: Image.Image) -> Image.Image:
    """Resized to half its sides."""
    return image.resize((max(8, image.width // 2), max(8, image.height // 2)), Image.Resampling.LANCZOS)


def cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Nine tenths of the sides, somewhere, compressed anew."""
    width, height = int(0.9 * image.width), int(0.9 * image.height)
    left, top = rng.integers(image.width - width + 1), rng.integers(image.height - height + 1)
    return compressed(image.crop((left, top, left + width, top + height)), 75)


def brighter(image: Image.Image) -> Image.Image:
    """Brighter by 15 %, with a tenth less contrast."""
    return ImageEnhance.Contrast(ImageEnhance.Brightness(image).enhance(1.15)).enhance(0.9)


def changes(rng: np.random.Generator) -> dict[str, Callable[[Image.Image], Image.Image]]:
    """What is done to photos, by name."""
    return {
        "JPEG 75": lambda image: compressed(image, 75),
        "JPEG 40": lambda image: compressed(image, 40),
        "half": halved,
        "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "cropped": lambda image: cropped(image, rng),
        "brighter": brighter,
    }


def copies_of(images: list[Image.Image]) -> np.ndarray:
    """Their small copies."""
    return np.frombuffer(b"".join(map(small_copy, images)), np.uint8).reshape(-1, SIDE, SIDE)


def pairs_of(copies: np.ndarray) -> set[tuple[int, int]]:
    """Near copies, whatever the shapes of the photos."""
    return {(one, two) for one, two in near_pairs(copies, np.ones(len(copies), np.float32)).tolist()}


def measure(folder: Path, files: list[Path]) -> None:
    """Print a line for each change."""
    rng = np.random.default_rng(0)
    images = [Image.open(files[place]).convert("RGB") for place in rng.permutation(len(files))[:PHOTOS]]
    originals, number = copies_of(images), len(images)
    before = pairs_of(originals)
    print(f"{folder.name}: {number} photos, {len(before)} pairs among them")
    for name, change in changes(rng).items():
        pairs = pairs_of(np.concatenate([originals, copies_of([change(image) for image in images])]))
        true = {(place, place + number) for place in range(number)} & pairs
        others = {tuple(sorted((one % number, two % number))) for one, two in pairs - true} - before
        print(f"  {name:9s} {len(true) / number:6.1%} found, {len(others)} other pairs", flush=True)


def main() -> None:
    """Measure the folders that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--all", action="store_true", help="tell the time for all photos")
    asked = parser.parse_args()
    for folder in asked.folders:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if asked.all:
            copies = copies_of([Image.open(path).convert("RGB") for path in files])
            begun = time.perf_counter()
            pairs = pairs_of(copies)
            print(f"{folder.name}: {len(files)} photos, {len(pairs)} pairs, {time.perf_counter() - begun:.1f} s")
        else:
            measure(folder, files)


if __name__ == "__main__":
    main()
