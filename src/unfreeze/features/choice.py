"""Which engine and precision: measured once per store on a few of the user's own images."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from unfreeze.core.errors import InputError
from unfreeze.features.engines import (
    REFERENCE,
    Engine,
    EngineName,
    Pixels,
    Precision,
    PrefixEngine,
    compile_prefix,
    openvino_is_installed,
    precisions_of,
)
from unfreeze.zoo.backbones import Backbone

EngineWish = Literal["auto", "openvino", "torch"]
PrecisionWish = Literal["auto", "f32", "bf16", "int8"]
# The least median cosine, over the sample, between codes and those of torch in float32, at every tap.
LEAST_COSINE = 0.99
SAMPLE = 16  # images of the user's: int8 takes its ranges from them
# Of these, engines are compared on one in a hundred of the images to come, within these bounds: torch in float32 needs
# as long for one image as the fastest engine for seven.
COMPARED = (4, 8)
# Milliseconds of work to come with the best candidate yet, from which another one is tried: timing takes a moment,
# compiling a minute, of which it may save a third.
WORTH_TIMING = 20_000.0
WORTH_COMPILING = 300_000.0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One engine, measured.

    Attributes:
        engine: What ran.
        milliseconds: Wall time of one image, in whole batches.
        cosine: Median over the sample of the cosine to torch in float32, at the tap where it is least.
    """

    engine: Engine
    milliseconds: float
    cosine: float

    @property
    def is_accurate(self) -> bool:
        """Whether its codes may stand for float32's."""
        return self.cosine >= LEAST_COSINE


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An engine and why it was chosen.

    Attributes:
        engine: Chosen.
        candidates: What was measured; empty if the user asked for exactly this one.
        because: One sentence for people.
    """

    engine: Engine
    candidates: tuple[Candidate, ...]
    because: str

    def to_json(self) -> dict[str, Any]:
        """As kept beside the codes."""
        return asdict(self)


def choice_from_json(document: dict[str, Any]) -> Choice:
    """What `Choice.to_json` wrote."""
    candidates = tuple(
        Candidate(engine=Engine(**c["engine"]), milliseconds=c["milliseconds"], cosine=c["cosine"])
        for c in document["candidates"]
    )
    return Choice(engine=Engine(**document["engine"]), candidates=candidates, because=document["because"])


def candidates_for(engine: str, precision: str) -> list[Engine]:
    """Engines that fit what the user asks for, expected to be fastest first.

    Args:
        engine: auto, openvino or torch.
        precision: auto, f32, bf16 or int8.

    Returns:
        At least one.

    Raises:
        InputError: A word is unknown, or there is no such engine here.
    """
    for kind, given, known in (("engine", engine, EngineWish), ("precision", precision, PrecisionWish)):
        if given not in get_args(known):
            msg = f"Unknown {kind} {given!r}. Choose one of {', '.join(get_args(known))}."
            raise InputError(msg)
    name = _engine_here(engine)
    variants = (False, True) if name == "torch" and torch.cuda.is_available() else (False,)
    found = [Engine(name, own, compiled) for own in _precisions(name, precision) for compiled in variants]
    if not found:
        msg = f"The engine {name} has no {precision} here. Choose another --precision."
        raise InputError(msg)
    return found


def _engine_here(wish: str) -> EngineName:
    """The engine that was asked for; if none was, torch on a GPU, and OpenVINO elsewhere if it is installed."""
    if wish == "openvino" and not openvino_is_installed():
        msg = "The engine openvino is not installed. Install it (pip install openvino), or choose --engine torch."
        raise InputError(msg)
    if wish == "auto":
        return "openvino" if openvino_is_installed() and not torch.cuda.is_available() else "torch"
    return cast("EngineName", wish)


def _precisions(name: EngineName, wish: str) -> list[Precision]:
    if wish == "auto":
        return list(precisions_of(name))
    able: set[str] = {"f32", "bf16"} | ({"int8"} if name == "openvino" else set())
    return [own for own in get_args(Precision) if own == wish and own in able]


def choose_engine(
    backbone: Backbone,
    images: Sequence[Pixels],
    *,
    engine: str = "auto",
    precision: str = "auto",
    to_come: int = 0,
    cache: Path | None = None,
) -> tuple[Choice, PrefixEngine]:
    """The fastest engine whose codes at every tap point where float32's do.

    They are compared on a few of the images (`COMPARED`), spread over all that are given, and tried in the order in
    which they are expected to be fast. Once one is accurate, the others that were asked for are timed too only where so
    many images are to come that a wrong expectation would cost more than the timing. What was not asked for is tried if
    nothing that was is accurate.

    Args:
        backbone: The network.
        images: A sample of the user's own, uint8 [size, size, 3] each.
        engine: auto, openvino or torch.
        precision: auto, f32, bf16 or int8.
        to_come: How many images the engine will be given.
        cache: Folder where what is converted is kept; the user's cache if None.

    Returns:
        The choice, and the engine compiled for codes at every tap; torch in float32 if no other one is accurate.

    Raises:
        InputError: There is no such engine here.
    """
    asked = candidates_for(engine, precision)
    fitting = [*asked, *(other for other in candidates_for(engine, "auto") if other not in asked)]
    reference = compile_prefix(backbone, codes=backbone.taps, engine=REFERENCE)
    if asked == [REFERENCE]:
        return Choice(engine=REFERENCE, candidates=(), because=f"{REFERENCE}, as asked."), reference
    few, many = COMPARED
    compared = images[:: -(-len(images) // min(max(few, to_come // 100), many))]
    wanted = _outputs(reference, compared)
    measured: list[Candidate] = []
    best, chosen = None, reference
    for candidate in fitting:
        if not _is_worth_trying(candidate, asked, best, to_come):
            continue
        compiled = compile_prefix(backbone, codes=backbone.taps, engine=candidate, calibration=images, cache=cache)
        seen = _measured(compiled, compared, wanted)
        measured.append(seen)
        if seen.is_accurate and (best is None or seen.milliseconds < best.milliseconds):
            best, chosen = seen, compiled
    because = _because(chosen.engine, measured)
    return Choice(engine=chosen.engine, candidates=tuple(measured), because=because), chosen


def _is_worth_trying(candidate: Engine, asked: Sequence[Engine], best: Candidate | None, to_come: int) -> bool:
    """Whether what `candidate` may save, beside the best one yet, is more than it costs to find out."""
    if best is None:
        return not candidate.compiled  # what was not accurate is no more so when compiled
    worth = WORTH_COMPILING if candidate.compiled else WORTH_TIMING
    return candidate in asked and best.milliseconds * to_come >= worth


def _because(chosen: Engine, measured: Sequence[Candidate]) -> str:
    texts = (
        f"{seen.engine} {seen.milliseconds:.1f} ms an image, cosine to float32 {seen.cosine:.4f}"
        + ("" if seen.is_accurate else f", below {LEAST_COSINE}: not taken")
        for seen in measured
    )
    return f"{chosen} ({'; '.join(texts)})."


def _measured(compiled: PrefixEngine, images: Sequence[Pixels], wanted: Sequence[NDArray[np.float32]]) -> Candidate:
    _outputs(compiled, images[:1])  # the first batch pays for what is prepared once
    started = time.perf_counter()
    found = _outputs(compiled, images)
    seconds = time.perf_counter() - started
    padded = -(-len(images) // compiled.batch_size) * compiled.batch_size
    return Candidate(
        engine=compiled.engine,
        milliseconds=round(1000 * seconds / padded, 3),
        cosine=round(min(float(np.median(cosines(a, b))) for a, b in zip(found, wanted, strict=True)), 6),
    )


def _outputs(compiled: PrefixEngine, images: Sequence[Pixels]) -> list[NDArray[np.float32]]:
    return [np.stack(rows) for rows in zip(*compiled.run(images), strict=True)]


def cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine between the rows of two arrays [image, code]; 1 where both are zero, 0 where one is."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    same = (a == b).all(axis=1)
    return np.where(same, 1.0, (a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1.0))
