"""Sample image sets: leaves that are drawn, the digits inside scikit-learn, and sets that torchvision can download."""

import difflib
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.files import disk_errors_explained
from unfreeze.core.progress import SILENT, Progress
from unfreeze.data.leaves import LEAVES_OF_A_TREE, TREES, draw_leaf

# The digits are 8 x 8 pixels with 17 grey levels. Enlarged smoothly they can be looked at; nothing is lost or added.
_DIGIT_SIDE = 32
_DIGIT_WHITE = 16
_NETWORK_SECONDS = 30.0
_JPEG_QUALITY = 90


@dataclass(frozen=True, kw_only=True)
class _Download:
    """How torchvision names a set and its parts.

    Attributes:
        dataset: Class in ``torchvision.datasets``.
        parts: Our split and the arguments that select it; an empty split for a set that has none.
    """

    dataset: str
    parts: tuple[tuple[str, dict[str, Any]], ...]


def _by_split(dataset: str, **names: str) -> _Download:
    return _Download(dataset=dataset, parts=tuple((split, {"split": name}) for split, name in names.items()))


def _by_flag(dataset: str) -> _Download:
    return _Download(dataset=dataset, parts=(("train", {"train": True}), ("test", {"train": False})))


def _whole(dataset: str) -> _Download:
    return _Download(dataset=dataset, parts=(("", {}),))


_DOWNLOADS = {
    item.dataset.lower(): item
    for item in (
        _by_split("Flowers102", train="train", val="val", test="test"),
        _by_split("OxfordIIITPet", train="trainval", test="test"),
        _by_split("DTD", train="train", val="val", test="test"),
        _by_split("FGVCAircraft", train="train", val="val", test="test"),
        _by_split("Food101", train="train", test="test"),
        _by_split("GTSRB", train="train", test="test"),
        _by_split("SVHN", train="train", test="test"),
        _by_split("STL10", train="train", test="test"),
        _by_flag("CIFAR10"),
        _by_flag("CIFAR100"),
        _by_flag("MNIST"),
        _by_flag("FashionMNIST"),
        _whole("EuroSAT"),
        _whole("Caltech101"),
    )
}
SAMPLE_NAMES = ("leaves", "digits", *(item.dataset for item in _DOWNLOADS.values()))


@runtime_checkable
class LabelledImages(Protocol):
    """What is needed of a data set of torchvision."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Any, Any]: ...


def write_sample(name: str, folder: Path, *, progress: Progress = SILENT) -> int:
    """Write a sample as class folders of image files, below ``train`` and ``test`` where the set has such parts.

    Args:
        name: One of `SAMPLE_NAMES`, in any case; ``leaves`` and ``digits`` need no internet.
        folder: Where to; made if missing, must be empty.
        progress: Reports progress per image.

    Returns:
        Number of images written.

    Raises:
        InputError: No sample has this name, or it could not be downloaded.
        OutputError: The folder holds something already.
    """
    at_hand = {"leaves": _write_leaves, "digits": _write_digits}
    if name.lower() not in at_hand and name.lower() not in _DOWNLOADS:
        near = difflib.get_close_matches(name.lower(), [known.lower() for known in SAMPLE_NAMES], n=1)
        hint = next((f" Did you mean {known}?" for known in SAMPLE_NAMES if known.lower() in near), "")
        msg = f"There is no sample {name!r}.{hint} Known: {', '.join(SAMPLE_NAMES)}."
        raise InputError(msg)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} is there already and not empty. Choose a new folder."
        raise OutputError(msg)
    with disk_errors_explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfreeze-tmp-", dir=folder.parent) as temporary:
            ready = Path(temporary) / "sample"
            if name.lower() in at_hand:
                count = at_hand[name.lower()](ready, progress)
            else:
                count = _write_download(_DOWNLOADS[name.lower()], ready, Path(temporary) / "download", progress)
            if folder.exists():
                folder.rmdir()
            ready.rename(folder)
    return count


def _write_leaves(folder: Path, progress: Progress) -> int:
    total = len(TREES) * LEAVES_OF_A_TREE
    with progress.phase("draw", total=total, unit="image") as advance:
        for kind, tree in enumerate(TREES):
            place = folder / tree.name
            place.mkdir(parents=True)
            for number in range(LEAVES_OF_A_TREE):
                draw_leaf(tree, seed=(kind, number)).save(place / f"{number:03d}.jpg", quality=_JPEG_QUALITY)
                advance(1)
    return total


def _write_digits(folder: Path, progress: Progress) -> int:
    from sklearn.datasets import load_digits  # half a second of import that no other command needs

    digits = load_digits()
    with progress.phase("write", total=len(digits.images), unit="image") as advance:
        for number, (grey, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            pixels = np.round(grey * (255 / _DIGIT_WHITE)).astype(np.uint8)
            place = folder / str(label)
            place.mkdir(parents=True, exist_ok=True)
            large = Image.fromarray(pixels).resize((_DIGIT_SIDE, _DIGIT_SIDE), Image.Resampling.BICUBIC)
            large.save(place / f"{number:04d}.png")
            advance(1)
    return len(digits.images)


def _write_download(download: _Download, folder: Path, cache: Path, progress: Progress) -> int:
    import torchvision.datasets  # seconds of import that no other sample needs

    kind = getattr(torchvision.datasets, download.dataset)
    count = 0
    for split, selection in download.parts:
        progress.say(f"Downloading {download.dataset} {split}".rstrip())
        with _download_explained(download.dataset):
            images = kind(root=str(cache), download=True, **selection)
        with progress.phase("write", total=len(images), unit="image") as advance:
            for _ in write_images(images, folder / split):
                advance(1)
                count += 1
    return count


@contextmanager
def _download_explained(name: str) -> Iterator[None]:
    """Turn whatever a download ends with into one sentence; a silent network ends it too."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_NETWORK_SECONDS)
    try:
        yield
    except (OSError, RuntimeError) as error:  # urllib's errors are OSErrors; torchvision raises RuntimeError
        msg = (
            f"{name} could not be downloaded ({error}): this sample needs internet. "
            "Use the sample leaves, or a folder of your own."
        )
        raise InputError(msg) from error
    finally:
        socket.setdefaulttimeout(before)


def write_images(images: LabelledImages, folder: Path) -> Iterator[Path]:
    """Write a data set of torchvision as class folders; files that it has on disk are copied as they are.

    Args:
        images: Pairs of a Pillow image and a class index.
        folder: Where the class folders go.

    Yields:
        Each file, as it is written.
    """
    names = getattr(images, "classes", None) or getattr(images, "categories", None)
    files = _files_of(images)
    for number in range(len(images)):
        picture, label = images[number]
        place = folder / _safe(str(names[int(label)] if names else label))
        place.mkdir(parents=True, exist_ok=True)
        suffix = Path(files[number]).suffix.lower() if files else ".png"
        path = place / f"{number:06d}{suffix}"
        if files:
            shutil.copyfile(files[number], path)
        else:
            picture.save(path)
        yield path


def _files_of(images: LabelledImages) -> Sequence[str | Path]:
    """Paths of the images where the data set keeps them; empty where it holds pixels."""
    for name in ("_image_files", "_images", "_samples", "samples"):
        found = getattr(images, name, None)
        if isinstance(found, list) and len(found) == len(images):
            paths = [item[0] if isinstance(item, tuple) else item for item in found]
            if all(isinstance(path, (str, Path)) for path in paths[:1]):
                return paths
    return ()


def _safe(name: str) -> str:
    """A class name as a folder name on every system."""
    return "".join("_" if character in '/\\:*?"<>|' else character for character in name).strip(" .") or "_"
