"""What several folders of tests share."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SEEDS = [int(seed) for seed in os.environ.get("UNFREEZE_TEST_SEEDS", "0").split(",")]

PhotoFolder = Callable[..., Path]


@pytest.fixture(params=SEEDS, ids=[f"seed{seed}" for seed in SEEDS])
def seed(request: pytest.FixtureRequest) -> int:
    """Seed of a random test, printed when it fails; UNFREEZE_TEST_SEEDS=0,1,2 gives more than one."""
    value: int = request.param
    print(f"seed {value}")
    return value


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    """Random numbers of this test's seed."""
    return np.random.default_rng(seed)


@pytest.fixture(scope="session", autouse=True)
def _no_proxy() -> Iterator[None]:
    """Servers of tests are on this machine; where a proxy is set, it would be asked for them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the cache of the person who runs it; all tests of one process share one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNFREEZE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


def noisy_photo(rng: np.random.Generator, *, hue: int, side: int = 40) -> Image.Image:
    """A photo of one colour channel under noise: classes by `hue` are told apart by any network."""
    pixels = rng.integers(0, 90, (side, side, 3), dtype=np.uint8)
    pixels[:, :, hue % 3] += 120
    return Image.fromarray(pixels)


@pytest.fixture
def photo_folder(tmp_path: Path) -> PhotoFolder:
    """Makes a folder of class folders with small photos of noise."""

    def make(*classes: str, count: int = 12, name: str = "photos") -> Path:
        rng = np.random.default_rng(0)
        for hue, label in enumerate(classes):
            (tmp_path / name / label).mkdir(parents=True)
            for number in range(count):
                noisy_photo(rng, hue=hue).save(tmp_path / name / label / f"{number:03}.png")
        return tmp_path / name

    return make


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """What a test starts hears Ctrl-C, SIGTERM and SIGHUP, also where this process was told to pass over them.

    A shell's background job passes over Ctrl-C, and what nohup starts over SIGHUP; children inherit that.
    """
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler or signal.SIG_DFL)
