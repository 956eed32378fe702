"""Threads that load networks and predict at once, beside a thread that knows nothing of them."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import sqrt  # a global that torch.fx would wrap while it traces
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.prediction import predict_images
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import load_model, save_model
from unfreeze.zoo.networks import build_network, parse_name, seeded_network

THREADS = 4
CALL, GETATTR = nn.Module.__call__, nn.Module.__getattr__


class OwnLayer(nn.Module):
    """A layer of the user's own, with a parameter and a buffer."""

    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0, 3.0]))
        self.register_buffer("shift", torch.tensor([1.0, -1.0]))

    def forward(self, x: Tensor) -> Tensor:
        """Twice and three times x, shifted."""
        return x * self.weight * sqrt(4) + self.shift


class OwnNetwork(nn.Module):
    """A network of the user's own, with submodules."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(OwnLayer(), nn.ReLU(), OwnLayer())

    def forward(self, x: Tensor) -> Tensor:
        """All layers."""
        return self.layers(x)


@contextmanager
def bystander() -> Iterator[list[str]]:
    """A thread that runs a network and draws numbers as long as the block lasts; notes what went wrong."""
    faults: list[str] = []
    over = threading.Event()
    numbers = torch.Generator().manual_seed(7)

    def watch() -> None:
        try:
            torch.manual_seed(7)
            network = OwnNetwork().eval()
            while not over.is_set():
                # by hand: x = (1, 1): (1*4+1, 1*6-1) = (5, 5), then (5*4+1, 5*6-1)
                found = network(torch.ones(2))
                if type(found) is not Tensor or found.tolist() != [21.0, 29.0]:
                    faults.append(f"outputs: {found}")
                if not isinstance(network.layers[0].weight, nn.Parameter):
                    faults.append("a parameter is something else")
                if not torch.equal(torch.rand(3), torch.rand(3, generator=numbers)):
                    faults.append("somebody drew from the global generator, or rewound it")
                if len(faults) > 10:
                    return
        except Exception as error:
            faults.append(repr(error))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield faults
    finally:
        over.set()
        thread.join()


def at_once(work: Callable[[], None]) -> None:
    """Do the work in several threads that begin at the same time."""
    barrier = threading.Barrier(THREADS)

    def begin() -> None:
        barrier.wait()
        work()

    with ThreadPoolExecutor(THREADS) as threads:
        for done in [threads.submit(begin) for _ in range(THREADS)]:
            done.result()


def load_and_predict(photos: Path, folder: Path, rounds: int) -> None:
    """What the process does whose threads are tried."""
    paths = sorted(photos.rglob("*.png"))
    backbone = load_backbone("test_resnet", size=32, pretrained=False).with_classes(2)
    draws = torch.Generator().manual_seed(0)
    backbone.set_head(torch.randn(2, backbone.card.num_features, generator=draws), torch.randn(2, generator=draws))
    model = folder / "model"
    save_model(model, backbone, class_names=("ant", "bee"), card_text="")
    with DecoderPool(workers=1) as pool:
        alone = predict_images(model, paths, pool=pool)
    graph = load_model(model)[0].graph.code

    def work() -> None:
        with DecoderPool(workers=1) as pool:
            for _ in range(rounds):
                assert predict_images(model, paths, pool=pool).scores.tobytes() == alone.scores.tobytes()
                assert load_model(model)[0].graph.code == graph

    with bystander() as faults:
        at_once(work)

    assert faults == []
    assert len(alone.names) == 6
    assert np.ptp(alone.scores, axis=0).min() > 0
    assert nn.Module.__call__ is CALL
    assert nn.Module.__getattr__ is GETATTR


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_threads_load_and_predict_at_once(photo_folder: Callable[..., Path], tmp_path: Path, rounds: int) -> None:
    """Each gets the bits that one thread alone gets, and a bystander notices nothing.

    In a process of its own, as a user's program is: the type checker that tests run under has crashed in threads.
    """
    photos = photo_folder("ant", "bee", count=3)

    done = subprocess.run(
        [sys.executable, __file__, photos, tmp_path, str(rounds)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "torchvision:squeezenet1_1"])
def test_weights_of_a_seed_are_those_of_the_global_generator(name: str) -> None:
    """They are what the libraries draw after the same seed, and the global generator is not moved, nor is it read."""
    parsed = parse_name(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected = build_network(parsed).state_dict()
        before = torch.get_rng_state()
        found = seeded_network(parsed, seed=5).state_dict()
        assert torch.equal(torch.get_rng_state(), before)

    assert all(torch.equal(found[key], value) for key, value in expected.items())


if __name__ == "__main__":
    load_and_predict(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
