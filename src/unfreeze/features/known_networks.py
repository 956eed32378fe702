"""Networks that are known from an earlier process: what they are is kept beside their graphs, so that none is built.

Building a network takes PyTorch, and so seconds; its codes take the kept graph alone. A network is known by its name
and size, by the hash of the file that its weights were read from, and by what its graph was made by (`made_by`): if any
of these has changed, it is not known. Weights that its library downloads are kept by that library, which may replace
them, so such a network is built every time.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache as once_only
from pathlib import Path
from typing import Any, final

from unfreeze.core.cards import Card, card_from
from unfreeze.core.files import sha256_of, sha256_of_file
from unfreeze.core.readouts import Readout
from unfreeze.core.settings import EngineSettings, ImageSettings
from unfreeze.features.engines import REFERENCE, Engine, Pixels, PrefixEngine, engines_for, openvino_engine
from unfreeze.features.networks import DetailedNetwork, Tap, compiled_for, device_key
from unfreeze.features.openvino_graphs import compiled_graph, graph_folder, output_names
from unfreeze.features.provenance import made_by
from unfreeze.store.documents import keep_document, kept_document
from unfreeze.store.places import kept_beside
from unfreeze.zoo.devices import CPU
from unfreeze.zoo.kept import entry_meant

FORMAT = "unfreeze.network/1"


@final
@dataclass(frozen=True)
class KnownTap:
    """A depth at which codes are read; see `features.networks.Tap`."""

    name: str
    channels: int


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class KnownNetwork:
    """A network that is known, in the role of a `DetailedNetwork`; on the CPU.

    Attributes:
        card: What is known of it.
        taps: Where codes are read, shallow to deep.
        details: What else can be read there, and its width.
        graph: Name of the folder of its graph.
        built: Gives the network itself, for what the kept graph does not do: other engines, or if it is damaged.
    """

    card: Card
    taps: tuple[KnownTap, ...]
    details: Mapping[Readout, int]
    graph: str
    built: Callable[[], DetailedNetwork]

    def with_levels(self, levels: tuple[int, int]) -> "KnownNetwork":
        """See `FrozenNetwork`; what is built takes pixels, and need not know."""
        return replace(self, card=replace(self.card, levels=levels))

    @property
    def key(self) -> dict[str, Any]:
        """See `FrozenNetwork`."""
        return device_key(CPU)

    @property
    def reference(self) -> Engine:
        """Torch in float32."""
        return REFERENCE

    def engines(self, request: EngineSettings) -> list[Engine]:
        """OpenVINO or torch; see `FrozenNetwork`."""
        return engines_for(request, CPU)

    def compiled(
        self, engine: Engine, *, calibration: Sequence[Pixels] = (), cache: Path | None = None
    ) -> PrefixEngine:
        """From the kept graph if it can be; see `FrozenNetwork`."""
        kept = self._kept((), engine, cache)
        return kept or compiled_for(self.built(), engine, details=False, calibration=calibration, cache=cache)

    def compiled_with_details(
        self, engine: Engine, *, calibration: Sequence[Pixels] = (), cache: Path | None = None
    ) -> PrefixEngine:
        """In the same pass; see `DetailedNetwork`."""
        kept = self._kept(tuple(self.details), engine, cache)
        return kept or compiled_for(self.built(), engine, details=True, calibration=calibration, cache=cache)

    def _kept(self, details: Sequence[Readout], engine: Engine, cache: Path | None) -> PrefixEngine | None:
        if engine.name != "openvino" or engine.precision == "int8":
            return None
        names = output_names(self.taps, details, ())
        compiled = compiled_graph(graph_folder(self.graph, cache), names, engine.precision)
        return None if compiled is None else openvino_engine(compiled, engine)


def known_network(
    settings: ImageSettings, built: Callable[[], DetailedNetwork], *, cache: Path | None = None
) -> KnownNetwork | None:
    """The network that is asked for, if it is known.

    Args:
        settings: Its name, weights and size.
        built: Gives the network itself; called when something needs it, once.
        cache: Folder of all that is kept; the user's cache if None.

    Returns:
        The network; None if it is not known, has changed, or is an entry of a zoo, whose files are hashed every time.
    """
    if entry_meant(settings.backbone) is not None:
        return None
    kept = kept_document(_place(settings, cache))
    if kept is None or _hash_of(settings.weights or kept["file"]) != kept["file_sha256"]:
        return None
    return KnownNetwork(
        card=card_from(kept["card"]),
        taps=tuple(KnownTap(**tap) for tap in kept["taps"]),
        details={Readout(**readout): width for readout, width in kept["details"]},
        graph=kept["graph"],
        built=once_only(built),
    )


@final
@dataclass(frozen=True)
class WeightsFile:
    """A file of weights as it was before they were read.

    Attributes:
        path: Where it is.
        sha256: Of its bytes.
    """

    path: Path
    sha256: str


def weights_file(path: Path) -> WeightsFile | None:
    """A file of weights; None if it cannot be read, which whoever reads the weights will say."""
    found = _hash_of(path)
    return None if found is None else WeightsFile(path, found)


def take_note(
    settings: ImageSettings,
    card: Card,
    taps: Sequence[Tap],
    details: Mapping[Readout, int],
    *,
    graph: str,
    file: WeightsFile,
    cache: Path | None = None,
) -> None:
    """Make a network known to later processes.

    Args:
        settings: By which it was asked for.
        card: Of the network.
        taps: Of the network.
        details: Of the network.
        graph: Name of the folder of its graph, which need not be there yet.
        file: Where its weights were read.
        cache: Folder of all that is kept; the user's cache if None.

    Raises:
        DiskFullError: No space is left.
        OutputError: The cache cannot be written.
    """
    content = {
        "card": asdict(card),
        "taps": [asdict(KnownTap(tap.name, tap.channels)) for tap in taps],
        "details": [[asdict(readout), width] for readout, width in details.items()],
        "graph": graph,
        "file": str(file.path.absolute()),
        "file_sha256": file.sha256,
    }
    keep_document(_place(settings, cache), content)


def _place(settings: ImageSettings, cache: Path | None) -> Path:
    given = None if settings.weights is None else settings.weights.name  # which the card's source names
    folder = Path(settings.backbone)
    backbone = str(folder.resolve()) if folder.is_dir() else settings.backbone
    key = [FORMAT, backbone, settings.size, settings.resize, given, made_by()]
    return kept_beside("networks", cache) / f"{sha256_of(json.dumps(key).encode())[:32]}.json"


def _hash_of(path: Path | str) -> str | None:
    try:
        return sha256_of_file(Path(path))
    except OSError:
        return None
