"""The role of a frozen network: whatever makes codes of pixels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from unfreeze.core.cards import Card
from unfreeze.core.readouts import Readout
from unfreeze.core.settings import EngineSettings
from unfreeze.features.engines import Engine, Pixels, PrefixEngine
from unfreeze.zoo.devices import Device, find_device


@runtime_checkable
class Tap(Protocol):
    """A depth at which codes are read."""

    @property
    def name(self) -> str:
        """One of the card's taps."""
        ...

    @property
    def channels(self) -> int:
        """Width of the codes."""
        ...


@runtime_checkable
class FrozenNetwork(Protocol):
    """A network that gives codes and never learns."""

    @property
    def card(self) -> Card:
        """What is known of it; with the weights' hash and the input that it takes, it tells stores of codes apart."""
        ...

    def with_levels(self, levels: tuple[int, int]) -> "FrozenNetwork":
        """The same network, for photos of 16 bits that are scaled by another range; see `Card.levels`."""
        ...

    @property
    def key(self) -> dict[str, Any]:
        """What else tells stores of its codes apart, beside card and engine; for most networks nothing."""
        ...

    @property
    def taps(self) -> Sequence[Tap]:
        """Where codes are read, shallow to deep; their names are the card's."""
        ...

    @property
    def reference(self) -> Engine:
        """What gives the codes that those of every other engine must be close to."""
        ...

    def engines(self, request: EngineSettings) -> Sequence[Engine]:
        """What can run it and fits what the user asks for, expected to be fastest first.

        Raises:
            InputError: There is no such engine here.
        """
        ...

    def compiled(
        self, engine: Engine, *, calibration: Sequence[Pixels] = (), cache: Path | None = None
    ) -> PrefixEngine:
        """The network, ready to give codes at every tap.

        Args:
            engine: The reference, or one of `engines`.
            calibration: Images of the user's, uint8 [size, size, 3], red, green, blue, from which int8 takes its
                ranges.
            cache: Folder where what is converted is kept; the user's cache if None.
        """
        ...


@runtime_checkable
class DetailedNetwork(FrozenNetwork, Protocol):
    """A frozen network that can give more of its taps than the codes; others have those alone."""

    @property
    def details(self) -> Mapping[Readout, int]:
        """What else can be read at the taps, and its width; shallow to deep."""
        ...

    def compiled_with_details(
        self, engine: Engine, *, calibration: Sequence[Pixels] = (), cache: Path | None = None
    ) -> PrefixEngine:
        """As `FrozenNetwork.compiled`; the outputs are the codes at every tap, then the details."""
        ...


def details_of(network: FrozenNetwork) -> Mapping[Readout, int]:
    """What can be read of a network beside its codes; nothing of one that is no `DetailedNetwork`."""
    return network.details if isinstance(network, DetailedNetwork) else {}


def compiled_for(
    network: FrozenNetwork,
    engine: Engine,
    *,
    details: bool,
    calibration: Sequence[Pixels] = (),
    cache: Path | None = None,
) -> PrefixEngine:
    """The network, ready to give codes at every tap, then its details if they are wanted; see `FrozenNetwork`."""
    if details and isinstance(network, DetailedNetwork):
        return network.compiled_with_details(engine, calibration=calibration, cache=cache)
    return network.compiled(engine, calibration=calibration, cache=cache)


def device_key(device: Device) -> dict[str, Any]:
    """The device, for `FrozenNetwork.key`, unless it is the one that is taken where none is asked for."""
    return {} if device == find_device() else {"device": device.name}
