"""The role of a frozen network: whatever makes codes of pixels, and today's backbones in this role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

from unfreeze.core.cards import Card
from unfreeze.core.readouts import GRID, Readout
from unfreeze.core.settings import EngineSettings
from unfreeze.features.engines import REFERENCE, Engine, Pixels, PrefixEngine, compile_prefix, engines_for
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device, find_device
from unfreeze.zoo.graph import Cut


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


@final
@dataclass(frozen=True, eq=False)
class FrozenBackbone:
    """A backbone whose head is not used and in which nothing learns.

    Attributes:
        backbone: The network.
        device: Where torch runs it.
    """

    backbone: Backbone
    device: Device

    @property
    def card(self) -> Card:
        """The backbone's."""
        return self.backbone.card

    @property
    def key(self) -> dict[str, Any]:
        """The device, unless it is the one that is taken where none is asked for; others round otherwise."""
        return {} if self.device == find_device() else {"device": self.device.name}

    @property
    def taps(self) -> tuple[Cut, ...]:
        """The backbone's."""
        return self.backbone.taps

    @property
    def reference(self) -> Engine:
        """Torch in float32."""
        return REFERENCE

    def engines(self, request: EngineSettings) -> list[Engine]:
        """OpenVINO or torch, in what this machine computes fast; see `FrozenNetwork`."""
        return engines_for(request, self.device)

    def compiled(
        self, engine: Engine, *, calibration: Sequence[Pixels] = (), cache: Path | None = None
    ) -> PrefixEngine:
        """The layers up to the last tap; see `FrozenNetwork`."""
        return self._compiled((), engine, calibration, cache)

    @property
    def details(self) -> dict[Readout, int]:
        """Deviation, maximum and grid of every tap that is a map."""
        widths = {tap.name: tap.channels for tap in self.taps}
        return {one: widths[one.tap] * (GRID**2 if one.statistic == "grid" else 1) for one in self.backbone.details}

    def compiled_with_details(
        self, engine: Engine, *, calibration: Sequence[Pixels] = (), cache: Path | None = None
    ) -> PrefixEngine:
        """In the same pass; see `DetailedNetwork`."""
        return self._compiled(self.backbone.details, engine, calibration, cache)

    def _compiled(
        self, details: Sequence[Readout], engine: Engine, calibration: Sequence[Pixels], cache: Path | None
    ) -> PrefixEngine:
        return compile_prefix(
            self.backbone,
            codes=self.backbone.taps,
            details=details,
            engine=engine,
            device=self.device,
            calibration=calibration,
            cache=cache,
        )
