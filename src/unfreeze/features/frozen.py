"""Today's backbones in the role of a frozen network, and their codes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from unfreeze.core.cards import Card
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.readouts import GRID, Readout
from unfreeze.core.settings import EngineSettings
from unfreeze.data.image_set import ImageSet
from unfreeze.features.engines import REFERENCE, Engine, Pixels, PrefixEngine, engines_for
from unfreeze.features.extraction import Codes, codes_of
from unfreeze.features.networks import device_key
from unfreeze.features.prefixes import compile_prefix
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device, find_device
from unfreeze.zoo.graph import Cut


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

    def with_levels(self, levels: tuple[int, int]) -> "FrozenBackbone":
        """See `FrozenNetwork`."""
        return replace(self, backbone=self.backbone.with_levels(levels))

    @property
    def key(self) -> dict[str, Any]:
        """The device, unless it is the one that is taken where none is asked for; others round otherwise."""
        return device_key(self.device)

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


def read_codes(
    image_set: ImageSet,
    backbone: Backbone,
    *,
    pool: DecoderPool,
    progress: Progress = SILENT,
    engine: str = "auto",
    precision: str = "auto",
    device: str = "auto",
    cache: Path | None = None,
) -> Codes:
    """Codes of every image at every tap; what the store has is not computed again.

    Args:
        image_set: The images; splits and labels do not matter here.
        backbone: The network; its head is not used.
        pool: Decoder pool.
        progress: Reports progress per image.
        engine: auto, openvino or torch.
        precision: auto, f32, bf16 or int8.
        device: auto, cpu, cuda or mps; where PyTorch runs.
        cache: Folder of all stores; the user's cache if None.

    Returns:
        The codes, rows in the order of the image set.

    Raises:
        InputError: A word is unknown, or there is no such engine or device here.
    """
    resources = Resources(pool=pool, progress=progress, cache=cache)
    request = EngineSettings(engine, precision, device)
    return codes_of(image_set, FrozenBackbone(backbone, find_device(device)), resources, request)
