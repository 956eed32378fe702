"""Which engine runs: what the user asked for, as fast as it is accurate."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unfreeze.core.errors import InputError
from unfreeze.core.settings import EngineSettings
from unfreeze.data.image_set import Image
from unfreeze.data.tasks import Task
from unfreeze.features import engine_choice, engines, frozen
from unfreeze.features.engine_choice import (
    ChosenEngine,
    EngineChoice,
    MeasuredEngine,
    _description,
    _engine_part,
    _is_worth_trying,
    choice_from_json,
    choose_engine,
    chosen_engine,
    cosines,
    sample_pixels,
)
from unfreeze.features.engines import REFERENCE, Engine, PrefixEngine, engines_for
from unfreeze.features.frozen import FrozenBackbone
from unfreeze.features.prefixes import compile_prefix
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import CPU, Device

pytestmark = pytest.mark.slow

SIZE = 64
OPENVINO = Engine("openvino")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """The default network with its real weights, small images."""
    return load_backbone(size=SIZE)


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    """Noise; eleven images make one whole batch and a padded one."""
    return rng.integers(0, 256, (11, SIZE, SIZE, 3), dtype=np.uint8)


def test_the_fastest_accurate_engine_is_chosen(backbone: Backbone, images: np.ndarray) -> None:
    """Every candidate's cosine is measured against torch in float32, and the choice survives a manifest."""
    found, compiled = choose_engine(
        FrozenBackbone(backbone, CPU), list(images), EngineSettings("openvino", "f32"), to_come=10
    )

    assert found.engine == compiled.engine == OPENVINO
    assert found.candidates[0].cosine == pytest.approx(1.0, abs=1e-5)
    assert choice_from_json(found.to_json()) == found


def test_an_engine_that_is_not_accurate_is_not_taken(
    backbone: Backbone, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no candidate points where float32 does, torch in float32 runs, and the sentence names what was refused."""
    monkeypatch.setattr(engine_choice, "LEAST_COSINE", 1.1)

    found, compiled = choose_engine(FrozenBackbone(backbone, CPU), list(images), EngineSettings("openvino", "f32"))

    assert found.engine == compiled.engine == REFERENCE
    assert "openvino in f32" in found.because
    assert "not taken" in found.because


def test_cosines_of_rows() -> None:
    """The cosine of right angles is 0, of opposites -1; zero codes equal zero codes and nothing else."""
    first = np.array([[1, 0], [1, 1], [0, 0], [0, 0]], np.float32)
    second = np.array([[0, 2], [-2, -2], [0, 0], [1, 0]], np.float32)

    np.testing.assert_allclose(cosines(first, second), [0, -1, 1, 0], atol=1e-12)


def test_compiling_is_tried_on_a_gpu_for_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every precision has a compiled twin there, tried only beside an accurate engine with minutes of work to come."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    asked = engines_for(EngineSettings(), Device("cuda"))
    plain, compiled = Engine("torch", "bf16"), Engine("torch", "bf16", compiled=True)
    best = MeasuredEngine(engine=plain, milliseconds=1.0, cosine=1.0)

    assert asked == [plain, compiled, REFERENCE, Engine("torch", "f32", compiled=True)]
    assert _is_worth_trying(plain, asked, None, 10)
    assert not _is_worth_trying(compiled, asked, None, 10**6)
    assert not _is_worth_trying(compiled, asked, best, 100_000)
    assert _is_worth_trying(compiled, asked, best, 1_000_000)


def test_int8_takes_its_ranges_from_the_images(backbone: Backbone, images: np.ndarray) -> None:
    """Eight bits point roughly where float32 does; if too roughly on the user's images, other engines are tried."""
    found, compiled = choose_engine(FrozenBackbone(backbone, CPU), list(images), EngineSettings("openvino", "int8"))

    measured, *others = found.candidates
    assert measured.engine == Engine("openvino", "int8")
    assert 0.5 < measured.cosine < 1.0
    assert compiled.engine == (measured.engine if measured.is_accurate else others[-1].engine)


def test_torch_has_no_int8() -> None:
    """The error says what to change."""
    with pytest.raises(InputError, match="torch has no int8"):
        engines_for(EngineSettings("torch", "int8"), CPU)


def test_without_openvino_torch_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to say so, and whoever asks for it is told how to install it."""
    monkeypatch.setattr(engines, "openvino_is_installed", lambda: False)

    assert {engine.name for engine in engines_for(EngineSettings(), CPU)} == {"torch"}
    with pytest.raises(InputError, match="pip install openvino"):
        engines_for(EngineSettings("openvino"), CPU)


def test_what_was_asked_for_exactly_is_not_measured(tiny: Backbone) -> None:
    """Torch in float32 is what others are compared with, so there is nothing to compare."""
    found, compiled = choose_engine(FrozenBackbone(tiny, CPU), [], EngineSettings("torch", "f32"), to_come=10**9)

    assert (found.engine, found.candidates) == (REFERENCE, ())
    assert compiled.engine == REFERENCE


FAST, EXACT = Engine("openvino", "bf16"), Engine("openvino", "f32")


@pytest.mark.parametrize(
    ("asked", "to_come", "said", "tried", "chosen"),
    [
        # the first one is accurate, and few images are to come: a second measurement would cost more than it saves
        ("auto", 100, {FAST: (2.0, 1.0), EXACT: (1.0, 1.0)}, [FAST], FAST),
        # with 20 seconds of work to come the expectation is checked, and turns out wrong
        ("auto", 10_000, {FAST: (2.0, 1.0), EXACT: (1.0, 1.0)}, [FAST, EXACT], EXACT),
        ("auto", 10_000, {FAST: (2.0, 1.0), EXACT: (3.0, 1.0)}, [FAST, EXACT], FAST),
        # what is not accurate is not taken, however fast it is
        ("auto", 10_000, {FAST: (1.0, 0.98), EXACT: (9.0, 1.0)}, [FAST, EXACT], EXACT),
        ("auto", 10_000, {FAST: (1.0, 0.98), EXACT: (1.0, 0.98)}, [FAST, EXACT], REFERENCE),
        # what was not asked for is tried only if nothing that was is accurate
        ("bf16", 10**9, {FAST: (9.0, 0.99), EXACT: (1.0, 1.0)}, [FAST], FAST),
        ("bf16", 100, {FAST: (1.0, 0.98), EXACT: (2.0, 1.0)}, [FAST, EXACT], EXACT),
    ],
)
def test_the_choice_weighs_what_measuring_costs(
    tiny: Backbone,
    monkeypatch: pytest.MonkeyPatch,
    *,
    asked: str,
    to_come: int,
    said: dict[Engine, tuple[float, float]],
    tried: list[Engine],
    chosen: Engine,
) -> None:
    """With these milliseconds and cosines, the fastest accurate engine of those that are worth a try is chosen."""
    plain = compile_prefix(tiny, codes=tiny.taps, engine=REFERENCE, device=CPU)

    def measured(compiled: PrefixEngine, *_: object) -> MeasuredEngine:
        milliseconds, cosine = said[compiled.engine]
        return MeasuredEngine(engine=compiled.engine, milliseconds=milliseconds, cosine=cosine)

    monkeypatch.setattr(engines, "precisions_of", lambda *_: ("bf16", "f32"))
    monkeypatch.setattr(engines, "openvino_is_installed", lambda: True)
    monkeypatch.setattr(frozen, "compile_prefix", lambda *_, engine, **__: replace(plain, engine=engine))
    monkeypatch.setattr(engine_choice, "_measured", measured)
    pixels = [np.zeros((32, 32, 3), np.uint8)]
    network, request = FrozenBackbone(tiny, CPU), EngineSettings("openvino", asked)
    found, compiled = choose_engine(network, pixels, request, to_come=to_come)

    assert [one.engine for one in found.candidates] == tried
    assert found.engine == compiled.engine == chosen
    assert str(chosen) in found.because


def test_a_choice_is_kept_with_the_store_and_made_again_for_another_request(
    tiny: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run takes it without an image, another request or another network does not."""
    resources = Resources(pool=DecoderPool(), cache=tmp_path)
    request = EngineSettings("torch")
    first = chosen_engine(FrozenBackbone(tiny, CPU), (), request, resources, to_come=10)
    first.open_store(FrozenBackbone(tiny, CPU), tmp_path).close()
    monkeypatch.setattr(engine_choice, "choose_engine", lambda *_, **__: pytest.fail("measured again"))

    again = chosen_engine(FrozenBackbone(tiny, CPU), (), request, resources, to_come=10)

    assert first.compiled is not None
    assert again.compiled is None
    assert again.choice == first.choice
    for other, asked in ((tiny, EngineSettings("torch", "f32")), (tiny.randomised(1), request)):
        with pytest.raises(pytest.fail.Exception, match="measured again"):
            chosen_engine(FrozenBackbone(other, CPU), (), asked, resources, to_come=10)


def test_a_measured_choice_outlives_the_stores(
    tiny: Backbone,
    make_rows: Callable[..., Task],
    decoded: Callable[..., DecoderPool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is taken again where no store is left, by whoever asks for the same of the same network."""
    images = make_rows(4).image_set.images
    resources = Resources(pool=decoded(images, tiny.card), cache=tmp_path)
    request = EngineSettings("openvino", "f32")
    first = chosen_engine(FrozenBackbone(tiny, CPU), images, request, resources, to_come=4)
    monkeypatch.setattr(engine_choice, "choose_engine", lambda *_, **__: pytest.fail("measured again"))

    again = chosen_engine(FrozenBackbone(tiny, CPU), (), request, resources, to_come=10)

    assert again.choice == first.choice
    assert again.choice.candidates
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        chosen_engine(FrozenBackbone(tiny.randomised(1), CPU), images, request, resources, to_come=10)


def test_stores_are_told_apart_by_all_that_decides_the_numbers(tiny: Backbone, tmp_path: Path) -> None:
    """Weights, size, mean and engine each have a store of their own, while the request is a note that has none."""

    def folder(backbone: Backbone, engine: Engine, request: EngineSettings) -> Path:
        choice = EngineChoice(engine=engine, candidates=(), because="")
        store = ChosenEngine(choice=choice, request=request, compiled=None).open_store(
            FrozenBackbone(backbone, CPU), tmp_path
        )
        store.close()
        return store.folder

    asked = EngineSettings("torch", "f32")
    same = folder(tiny, REFERENCE, asked)
    others = [
        folder(tiny.randomised(1), REFERENCE, asked),
        folder(replace(tiny, card=replace(tiny.card, size=64)), REFERENCE, asked),
        folder(replace(tiny, card=replace(tiny.card, mean=(0.1, 0.2, 0.3))), REFERENCE, asked),
        folder(replace(tiny, card=replace(tiny.card, channels="BGR")), REFERENCE, asked),
        folder(replace(tiny, card=replace(tiny.card, scale=1.0)), REFERENCE, asked),
        folder(tiny, FAST, asked),
    ]

    assert folder(tiny, REFERENCE, EngineSettings()) == same
    assert len({same, *others}) == 7


def test_codes_of_other_thread_counts_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch on one thread and on two gives other last bits, so each has a store of its own."""
    found = []
    for number in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        found.append((_engine_part(REFERENCE), _engine_part(FAST)))

    assert [torch["threads"] for torch, _ in found] == [1, 2]
    assert found[0][1] == found[1][1]


def test_the_key_of_usual_networks_is_that_of_stores_that_exist(tiny: Backbone) -> None:
    """Order of channels, scale and device are part of the key only where they are not the usual ones."""
    found = _description(FrozenBackbone(tiny, CPU))

    assert found["preprocessing"] == [32, 0.95, "center", "bilinear", (0.5,) * 3, (0.5,) * 3]
    assert found.keys() == {"weights", "network", "taps", "preprocessing", "pillow", "batch"}


def test_codes_of_a_device_that_was_asked_for_are_kept_apart(tiny: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device that is taken anyway is no part of the key, so that stores that exist are found; another one is."""
    gpu = FrozenBackbone(tiny, Device("cuda"))

    assert FrozenBackbone(tiny, CPU).key == {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (gpu.key, FrozenBackbone(tiny, CPU).key) == ({}, {"device": "cpu"})


def test_a_sample_is_spread_over_all_images(
    make_rows: Callable[..., Task], decoded: Callable[..., DecoderPool], tiny: Backbone
) -> None:
    """Of a hundred images five are the first, the last and those at the quarters."""
    images = make_rows(100).image_set.images
    numbers = {image.name: number for number, image in enumerate(images)}

    def numbered(image: Image, _: np.random.Generator, side: int) -> np.ndarray:
        return np.full((side, side, 3), numbers[image.name], np.uint8)

    found = sample_pixels(images, tiny.card, decoded(images, tiny.card, numbered), 5)

    assert [int(pixels.max()) for pixels in found] == [0, 24, 49, 74, 99]
    assert {pixels.shape for pixels in found} == {(32, 32, 3)}
