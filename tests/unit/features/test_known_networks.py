"""Networks that are known from an earlier process."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from safetensors.torch import save_file

from unfreeze.core.settings import EngineSettings, ImageSettings
from unfreeze.features import known_networks
from unfreeze.features.engines import Engine, Outputs
from unfreeze.features.frozen import FrozenBackbone
from unfreeze.features.known_networks import KnownNetwork, known_network
from unfreeze.features.networks import DetailedNetwork, compiled_for
from unfreeze.features.openvino_graphs import COMPILED_SUFFIX, WEIGHTS
from unfreeze.workflows.loading import frozen_backbone
from unfreeze.zoo.backbones import Backbone

pytestmark = pytest.mark.slow

OPENVINO = Engine("openvino", "f32")

Asked = Callable[..., ImageSettings]


def never() -> NoReturn:
    """What no known network needs."""
    pytest.fail("the network was built")


@pytest.fixture
def asked(tiny: Backbone, tmp_path: Path) -> Asked:
    """Makes settings that ask for the tiny network with the weights of a file."""
    path = tmp_path / "weights.safetensors"
    save_file({name: value.clone() for name, value in tiny.network.state_dict().items()}, path)

    def build(**settings: object) -> ImageSettings:
        given = {"source": Path("photos"), "backbone": "test_resnet", "weights": path, "size": 32, **settings}
        return ImageSettings(**given)  # type: ignore[arg-type]

    return build


@pytest.fixture
def images() -> list[np.ndarray]:
    """Six images of noise, more than a batch."""
    return list(np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8))


def outputs(network: DetailedNetwork, images: list[np.ndarray], cache: Path, *, details: bool = False) -> list[Outputs]:
    """What OpenVINO in float32 gives."""
    return list(compiled_for(network, OPENVINO, details=details, cache=cache).run(images))


def found_again(asked: Asked, cache: Path, built: Callable[[], DetailedNetwork] = never) -> KnownNetwork:
    """The network, which must be known."""
    network = known_network(asked(), built, cache=cache)
    assert network is not None
    return network


def same(some: list[Outputs], others: list[Outputs]) -> bool:
    """Whether all outputs of all images are equal to the last bit."""
    return len(some) == len(others) and all(
        one.tobytes() == other.tobytes()
        for first, second in zip(some, others, strict=True)
        for one, other in zip(first, second, strict=True)
    )


def test_a_network_is_known_once_it_was_built(asked: Asked, tmp_path: Path) -> None:
    """It has the card, taps, details, key and engines of the network that was built, and counts as a network."""
    assert known_network(asked(), never, cache=tmp_path) is None
    built = frozen_backbone(asked(), tmp_path)

    known = found_again(asked, tmp_path)

    assert isinstance(known, DetailedNetwork)
    assert known.card == built.card
    assert [(tap.name, tap.channels) for tap in known.taps] == [(tap.name, tap.channels) for tap in built.taps]
    assert list(known.details.items()) == list(built.details.items())
    assert (known.key, known.reference) == (built.key, built.reference)
    assert known.engines(EngineSettings("openvino")) == built.engines(EngineSettings("openvino"))


@pytest.mark.parametrize("details", [False, True])
def test_its_codes_are_those_of_the_network_to_the_last_bit(
    asked: Asked, images: list[np.ndarray], tmp_path: Path, details: bool
) -> None:
    """From what is compiled and, where that is gone, from the graph; nothing is built for them."""
    wanted = outputs(frozen_backbone(asked(), tmp_path), images, tmp_path, details=details)

    from_compiled = outputs(found_again(asked, tmp_path), images, tmp_path, details=details)
    for path in tmp_path.rglob(f"*{COMPILED_SUFFIX}"):
        path.unlink()
    from_graph = outputs(found_again(asked, tmp_path), images, tmp_path, details=details)

    assert same(from_compiled, wanted)
    assert same(from_graph, wanted)


def test_a_damaged_graph_is_made_again(asked: Asked, images: list[np.ndarray], tmp_path: Path) -> None:
    """The network is built for it, once, and the codes are the same."""
    wanted = outputs(frozen_backbone(asked(), tmp_path), images, tmp_path)
    for path in [*tmp_path.rglob(f"*{COMPILED_SUFFIX}"), *tmp_path.rglob(WEIGHTS)]:
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    builds = []

    def built() -> DetailedNetwork:
        builds.append(1)
        return frozen_backbone(asked(), tmp_path)

    known = found_again(asked, tmp_path, built)

    assert same(outputs(known, images, tmp_path), wanted)
    assert same(outputs(known, images, tmp_path), wanted)
    assert len(builds) == 1


def test_what_the_graph_does_not_do_is_done_by_the_network(
    asked: Asked, images: list[np.ndarray], tmp_path: Path
) -> None:
    """Torch runs the network itself."""
    network = frozen_backbone(asked(), tmp_path)
    known = found_again(asked, tmp_path, lambda: network)

    found = list(known.compiled(known.reference).run(images))

    assert same(found, list(network.compiled(network.reference).run(images)))


def test_other_weights_are_another_network(asked: Asked, tiny: Backbone, tmp_path: Path) -> None:
    """A file that was written anew under the same name is noticed by its content, and one that is gone."""
    frozen_backbone(asked(), tmp_path)
    path = asked().weights
    assert path is not None
    other = {name: value.clone() for name, value in tiny.randomised(1).network.state_dict().items()}

    save_file(other, path)
    assert known_network(asked(), never, cache=tmp_path) is None
    assert frozen_backbone(asked(), tmp_path).card == found_again(asked, tmp_path).card

    path.unlink()
    assert known_network(asked(), never, cache=tmp_path) is None


@pytest.mark.parametrize("other", [{"size": 64}, {"backbone": "timm:test_resnet"}, {"weights": None}])
def test_what_was_asked_for_otherwise_is_not_known(asked: Asked, tmp_path: Path, other: dict[str, object]) -> None:
    """Another size, another name, or the library's own weights."""
    frozen_backbone(asked(), tmp_path)

    assert known_network(asked(**other), never, cache=tmp_path) is None


def test_another_library_makes_it_unknown(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version may build or convert the network otherwise."""
    frozen_backbone(asked(), tmp_path)
    made = known_networks.made_by()

    monkeypatch.setattr(known_networks, "made_by", lambda: {**made, "timm": "0.0.1"})

    assert known_network(asked(), never, cache=tmp_path) is None


def test_a_damaged_note_makes_it_unknown(asked: Asked, tmp_path: Path) -> None:
    """It is written again when the network is built."""
    frozen_backbone(asked(), tmp_path)
    (note,) = (tmp_path / "networks").iterdir()
    note.write_bytes(note.read_bytes()[:-20])

    assert known_network(asked(), never, cache=tmp_path) is None
    frozen_backbone(asked(), tmp_path)
    found_again(asked, tmp_path)


def test_a_network_on_a_gpu_is_not_noted(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its engine is torch, which has to be imported anyway."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    network = frozen_backbone(asked(), tmp_path)

    assert isinstance(network, FrozenBackbone)
    assert network.device.name == "cuda"
    assert known_network(replace(asked()), never, cache=tmp_path) is None
