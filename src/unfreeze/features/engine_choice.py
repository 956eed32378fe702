"""Which engine and precision: measured once per store on a few of the user's own images."""

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from jaxtyping import UInt8
from numpy.typing import NDArray

from unfreeze.core.cards import Card
from unfreeze.core.files import sha256_of
from unfreeze.core.journal import MemoryJournal, once
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.settings import EngineSettings
from unfreeze.core.threads import torch_threads
from unfreeze.core.wording import milliseconds
from unfreeze.data.image_set import Image
from unfreeze.data.squares import decoded
from unfreeze.features.engines import Engine, Pixels, PrefixEngine
from unfreeze.features.networks import FrozenNetwork, compiled_for, details_of
from unfreeze.features.openvino_graphs import BATCH_SIZE
from unfreeze.features.provenance import made_by
from unfreeze.features.resources import Resources
from unfreeze.images.geometry import centre
from unfreeze.images.pool import DecoderPool
from unfreeze.store.codes import CodeStore, open_store
from unfreeze.store.documents import keep_document, kept_document
from unfreeze.store.eviction import store_folders
from unfreeze.store.manifests import new_manifest
from unfreeze.store.places import kept_beside, shared_stores, stores_folder
from unfreeze.store.shards import recorded_manifest
from unfreeze.store.shared import shared_manifests

# The least median cosine, over the sample, between codes and those of the reference, at every tap.
LEAST_COSINE = 0.99
SAMPLE = 16  # images of the user's: int8 takes its ranges from them
# Of these, engines are compared on one in a hundred of the images to come, within these bounds: torch in float32 needs
# as long for one image as the fastest engine for seven.
COMPARED = (4, 8)
# Milliseconds of work to come with the best candidate yet, from which another one is tried: timing takes a moment,
# compiling a minute, of which it may save a third.
WORTH_TIMING = 20_000.0
WORTH_COMPILING = 300_000.0
REQUEST = "wish"  # the name under which stores that exist have noted what was asked for


@dataclass(frozen=True, kw_only=True)
class MeasuredEngine:
    """One engine, measured.

    Attributes:
        engine: What ran.
        milliseconds: Wall time of one image, in whole batches.
        cosine: Median over the sample of the cosine to the reference, at the tap where it is least.
    """

    engine: Engine
    milliseconds: float
    cosine: float

    @property
    def is_accurate(self) -> bool:
        """Whether its codes may stand for float32's."""
        return self.cosine >= LEAST_COSINE


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """An engine and why it was chosen.

    Attributes:
        engine: Chosen.
        candidates: What was measured; empty if the user asked for exactly this one.
        because: One sentence for people.
    """

    engine: Engine
    candidates: tuple[MeasuredEngine, ...]
    because: str

    def to_json(self) -> dict[str, Any]:
        """As kept beside the codes."""
        return asdict(self)


def choice_from_json(document: dict[str, Any]) -> EngineChoice:
    """What `EngineChoice.to_json` wrote."""
    candidates = tuple(
        MeasuredEngine(engine=Engine(**c["engine"]), milliseconds=c["milliseconds"], cosine=c["cosine"])
        for c in document["candidates"]
    )
    return EngineChoice(engine=Engine(**document["engine"]), candidates=candidates, because=document["because"])


def choose_engine(
    network: FrozenNetwork,
    images: Sequence[Pixels],
    request: EngineSettings,
    *,
    to_come: int = 0,
    details: bool = False,
    cache: Path | None = None,
    advance: Advance = ignore,
) -> tuple[EngineChoice, PrefixEngine]:
    """The fastest engine whose codes at every tap point where the reference's do.

    They are compared on a few of the images (`COMPARED`), spread over all that are given, and tried in the order in
    which they are expected to be fast. Once one is accurate, the others that were asked for are timed too only where so
    many images are to come that a wrong expectation would cost more than the timing. What was not asked for is tried if
    nothing that was is accurate.

    Args:
        network: The network.
        images: A sample of the user's own, uint8 [size, size, 3] each.
        request: Engine and precision.
        to_come: How many images the engine will be given.
        details: Whether it is to give the network's details too. They are timed; what is compared is the codes, so
            that the choice for a store does not depend on who asked first.
        cache: Folder where what is converted is kept; the user's cache if None.
        advance: Reports progress per candidate.

    Returns:
        The choice, and the engine compiled for codes at every tap; the reference if no other one is accurate.

    Raises:
        InputError: There is no such engine here.
    """
    asked, exact = network.engines(request), network.reference
    fitting = [*asked, *(other for other in network.engines(replace(request, precision="auto")) if other not in asked)]
    reference = compiled_for(network, exact, details=details)
    if list(asked) == [exact]:
        return EngineChoice(engine=exact, candidates=(), because=f"{exact}, as asked."), reference
    few, many = COMPARED
    compared = images[:: -(-len(images) // min(max(few, to_come // 100), many))]
    wanted = _outputs(reference, compared)[: len(network.taps)]
    measured: list[MeasuredEngine] = []
    best, chosen = None, reference
    for candidate in fitting:
        if not _is_worth_trying(candidate, asked, best, to_come):
            continue
        compiled = compiled_for(network, candidate, details=details, calibration=images, cache=cache)
        seen = _measured(compiled, compared, wanted)
        measured.append(seen)
        advance(1)
        if seen.is_accurate and (best is None or seen.milliseconds < best.milliseconds):
            best, chosen = seen, compiled
    because = _because(chosen.engine, measured)
    return EngineChoice(engine=chosen.engine, candidates=tuple(measured), because=because), chosen


def _is_worth_trying(candidate: Engine, asked: Sequence[Engine], best: MeasuredEngine | None, to_come: int) -> bool:
    """Whether what `candidate` may save, beside the best one yet, is more than it costs to find out."""
    if best is None:
        return not candidate.compiled  # what was not accurate is no more so when compiled
    worth = WORTH_COMPILING if candidate.compiled else WORTH_TIMING
    return candidate in asked and best.milliseconds * to_come >= worth


def _because(chosen: Engine, measured: Sequence[MeasuredEngine]) -> str:
    texts = (
        f"{seen.engine} {milliseconds(seen.milliseconds / 1000)} per image, cosine to float32 {seen.cosine:.4f}"
        + ("" if seen.is_accurate else f", below {LEAST_COSINE}: not taken")
        for seen in measured
    )
    return f"{chosen} ({'; '.join(texts)})."


def _measured(
    compiled: PrefixEngine, images: Sequence[Pixels], wanted: Sequence[NDArray[np.float32]]
) -> MeasuredEngine:
    _outputs(compiled, images[:1])  # the first batch pays for what is prepared once
    started = time.perf_counter()
    found = _outputs(compiled, images)
    seconds = time.perf_counter() - started
    padded = -(-len(images) // compiled.batch_size) * compiled.batch_size
    return MeasuredEngine(
        engine=compiled.engine,
        milliseconds=round(1000 * seconds / padded, 3),
        cosine=round(min(float(np.median(cosines(a, b))) for a, b in zip(found, wanted, strict=False)), 6),
    )


def _outputs(compiled: PrefixEngine, images: Sequence[Pixels]) -> list[NDArray[np.float32]]:
    return [np.stack(rows) for rows in zip(*compiled.run(images), strict=True)]


def cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine between the rows of two arrays [image, code]; 1 where both are zero, 0 where one is."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    same = (a == b).all(axis=1)
    return np.where(same, 1.0, (a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1.0))


@dataclass(frozen=True, eq=False, kw_only=True)
class ChosenEngine:
    """An engine, and whether it is compiled already.

    Attributes:
        choice: As kept in the store's manifest.
        request: What the user asked for.
        compiled: None if the choice was made in an earlier run.
        details: Whether it gives the network's details too.
    """

    choice: EngineChoice
    request: EngineSettings
    compiled: PrefixEngine | None
    details: bool = False

    def open_store(self, network: FrozenNetwork, cache: Path | None) -> CodeStore:
        """The store of what this engine gives for this network."""
        return self._store(network, {tap.name: tap.channels for tap in network.taps}, {}, cache)

    def open_details(self, network: FrozenNetwork, cache: Path | None) -> CodeStore | None:
        """The store of the details, beside that of the codes; None without any.

        Half precision costs no accuracy: of classifiers on all taps of six sets (397 to 10,000 images), held-out
        accuracy in float16 and float32 differed by one image of 244 in one group of one set and by 0.04 points in one
        of another, and test accuracy not at all.
        """
        widths = {readout.name: width for readout, width in details_of(network).items()}
        if not self.details or not widths:
            return None
        return self._store(network, widths, {"readouts": list(widths), "values": "float16"}, cache)

    def _store(
        self, network: FrozenNetwork, widths: dict[str, int], more: dict[str, Any], cache: Path | None
    ) -> CodeStore:
        description = {**_description(network), **_engine_part(self.choice.engine), **more}
        notes = {REQUEST: _as_noted(self.request), "choice": self.choice.to_json()}
        return open_store(description, widths, notes=notes, cache=cache)

    def engine_for(self, network: FrozenNetwork, images: Sequence[Image], resources: Resources) -> PrefixEngine:
        """The engine, compiled for the network's taps; int8 is calibrated on some of `images`."""
        if self.compiled is not None:
            return self.compiled
        engine, pool = self.choice.engine, resources.pool
        calibration = sample_pixels(images, network.card, pool) if engine.precision == "int8" else ()
        return compiled_for(network, engine, details=self.details, calibration=calibration, cache=resources.cache)


def chosen_engine(
    network: FrozenNetwork,
    images: Sequence[Image],
    request: EngineSettings,
    resources: Resources,
    *,
    to_come: int,
    details: bool = False,
) -> ChosenEngine:
    """The engine that this run has chosen before it was stopped, or that an earlier run chose for such a store.

    Else the one that a measurement on `images` chooses.
    """
    made: list[ChosenEngine] = []

    def choose() -> EngineChoice:
        made.append(_chosen_now(network, images, request, resources, to_come=to_come, details=details))
        return made[0].choice

    choice = once(resources.journal, _place_in_journal(network.card), EngineChoice, choose)
    return made[0] if made else ChosenEngine(choice=choice, request=request, compiled=None, details=details)


def dictated(card: Card, choice: EngineChoice) -> MemoryJournal:
    """A journal for another process, which is to run a network as it was chosen in this one."""
    return MemoryJournal({_place_in_journal(card): choice})


def _place_in_journal(card: Card) -> str:
    return f"engine-for-{network_key(card)}"


def network_key(card: Card) -> str:
    """What stands for a network with its weights and size in a journal, however photos are resized."""
    return sha256_of(f"{card.name} at {card.size} with {card.weights_sha256}".encode())[:12]


def _chosen_now(
    network: FrozenNetwork,
    images: Sequence[Image],
    request: EngineSettings,
    resources: Resources,
    *,
    to_come: int,
    details: bool,
) -> ChosenEngine:
    fitting = network.engines(request)
    earlier = _earlier_choice(network, request, resources.cache)
    if earlier is not None and (earlier.engine in fitting or earlier.engine == network.reference):
        return ChosenEngine(choice=earlier, request=request, compiled=None, details=details)
    sample = sample_pixels(images, network.card, resources.pool)
    cache, checkpoint = resources.cache, resources.progress.checkpoint
    choice, compiled = choose_engine(
        network, sample, request, to_come=to_come, details=details, cache=cache, advance=checkpoint
    )
    if choice.candidates:
        keep_document(_place_of_choice(network, request, cache), choice.to_json())
    return ChosenEngine(choice=choice, request=request, compiled=compiled, details=details)


def _as_noted(request: EngineSettings) -> list[str]:
    return [request.engine, request.precision]


def _earlier_choice(network: FrozenNetwork, request: EngineSettings, cache: Path | None) -> EngineChoice | None:
    description = new_manifest(_description(network), {})["description"]  # as JSON has it
    here = map(recorded_manifest, store_folders(stores_folder(cache)))
    for manifest in itertools.chain(here, shared_manifests(shared_stores(cache))):
        if manifest is None or manifest["notes"].get(REQUEST) != _as_noted(request):
            continue
        choice = choice_from_json(manifest["notes"]["choice"])
        if manifest["description"] == {**description, **_engine_part(choice.engine)}:
            return choice
    kept = kept_document(_place_of_choice(network, request, cache))
    return None if kept is None else choice_from_json(kept)


def _place_of_choice(network: FrozenNetwork, request: EngineSettings, cache: Path | None) -> Path:
    """Where a choice is kept that outlives the stores: measuring again takes PyTorch, for the reference."""
    key = [_description(network), _as_noted(request), made_by()]
    return kept_beside("networks", cache) / f"engine-{sha256_of(json.dumps(key).encode())[:32]}.json"


def sample_pixels(
    images: Sequence[Image], card: Card, pool: DecoderPool, count: int = SAMPLE
) -> list[UInt8[np.ndarray, "size size 3"]]:
    """Pixels of at most `count` images spread over all; without those that cannot be decoded."""
    chosen = [images[int(place)] for place in np.linspace(0, len(images) - 1, min(count, len(images)))]
    return [centre(square[None], card.size)[0] for _, square in decoded(chosen, card, pool, [])]


def _engine_part(engine: Engine) -> dict[str, Any]:
    """Torch adds in another order on another number of threads, which moves the last bits."""
    threads = {"threads": torch_threads()} if engine.name == "torch" else {}
    return {"engine": engine.name, "precision": engine.precision, "compiled": engine.compiled, **threads}


def _description(network: FrozenNetwork) -> dict[str, Any]:
    """Everything but the engine that decides the numbers. The images' decoding is Pillow's, so its version counts."""
    card = network.card
    images = [card.size, card.crop_pct, card.crop_mode, card.interpolation, card.mean, card.std]
    images += [*card.unusual_input, *card.unusual_levels]
    return {
        "weights": card.weights_sha256,
        "network": card.name,
        "taps": list(card.taps),
        "preprocessing": images,
        "pillow": PIL.__version__,
        "batch": BATCH_SIZE,
        **network.key,
    }
