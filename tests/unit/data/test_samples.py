"""Samples: the digits, and what is written of a downloaded set."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image
from sklearn.datasets import load_digits

from unfreeze.core.errors import InputError
from unfreeze.core.progress import SILENT
from unfreeze.data import samples
from unfreeze.data.leaves import SIDE, TREES
from unfreeze.data.samples import SAMPLE_NAMES, write_images, write_sample


def test_digits(tmp_path: Path) -> None:
    """All 1,797 digits are written into ten folders, as pictures that shrink to scikit-learn's own numbers."""
    count = write_sample("Digits", tmp_path / "digits", progress=SILENT)

    files = sorted((tmp_path / "digits").rglob("*.png"), key=lambda path: path.stem)
    digits = load_digits()
    assert count == len(files) == len(digits.target) == 1797
    assert [int(path.parent.name) for path in files] == digits.target.tolist()
    shrunk = np.asarray(Image.open(files[5]).resize((8, 8), Image.Resampling.BOX)) / (255 / 16)
    assert np.corrcoef(shrunk.ravel(), digits.images[5].ravel())[0, 1] > 0.98
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]


def test_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tree has a folder of as many JPEGs as are asked for, of one size."""
    monkeypatch.setattr(samples, "LEAVES_OF_A_TREE", 2)

    assert write_sample("Leaves", tmp_path / "leaves", progress=SILENT) == 2 * len(TREES)
    files = sorted((tmp_path / "leaves").rglob("*"))
    assert {path.name for path in files if path.is_dir()} == {tree.name for tree in TREES}
    assert {Image.open(path).size for path in files if path.is_file()} == {(SIDE, SIDE)}


class InMemory:
    """A set that holds pixels."""

    classes = ("a/b", "c")

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.new("RGB", (8, 8), (index, 0, 0)), index % 2


def test_pixels_become_png(tmp_path: Path) -> None:
    """A set that holds pixels is written without loss, and class names become safe folder names."""
    written = [path.relative_to(tmp_path).as_posix() for path in write_images(InMemory(), tmp_path)]

    assert written == ["a_b/000000.png", "c/000001.png", "a_b/000002.png"]
    assert Image.open(tmp_path / "c/000001.png").getpixel((0, 0)) == (1, 0, 0)


def test_files_are_copied(tmp_path: Path) -> None:
    """A set that has files on disk is copied byte for byte."""
    for label in "xy":
        (tmp_path / "from" / label).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "from" / label / "p.JPG", "JPEG")
    images = torchvision.datasets.ImageFolder(str(tmp_path / "from"))

    written = list(write_images(images, tmp_path / "to"))

    assert [path.relative_to(tmp_path / "to").as_posix() for path in written] == ["x/000000.jpg", "y/000001.jpg"]
    assert written[0].read_bytes() == (tmp_path / "from/x/p.JPG").read_bytes()


def test_every_download_exists_in_torchvision() -> None:
    """The names that are offered, but for those that need no download, are classes of torchvision."""
    assert SAMPLE_NAMES[:2] == ("leaves", "digits")
    for name in SAMPLE_NAMES[2:]:
        assert hasattr(torchvision.datasets, name)


def test_parts_become_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set with official parts is written below train and test; a failed download leaves nothing behind."""
    asked = []

    def fake(*, root: str, download: bool, train: bool) -> InMemory:
        asked.append(train)
        return InMemory()

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", fake)

    assert write_sample("cifar10", tmp_path / "new", progress=SILENT) == 6
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["test", "train"]
    assert asked == [True, False]


def test_no_internet_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without internet the error says what was tried and what works instead, and nothing is left behind."""

    def fake(**settings: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(samples, "_DOWNLOADS", {"eurosat": samples._whole("EuroSAT")})
    monkeypatch.setattr(torchvision, "datasets", SimpleNamespace(EuroSAT=fake))

    with pytest.raises(InputError, match=r"EuroSAT could not be downloaded \(no route to host\): this sample"):
        write_sample("EuroSAT", tmp_path / "new", progress=SILENT)
    assert list(tmp_path.iterdir()) == []
