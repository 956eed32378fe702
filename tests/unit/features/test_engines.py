"""Engines: the same codes whoever computes them and whatever lies in the same batch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unfreeze.core.errors import InputError
from unfreeze.features import choice
from unfreeze.features.engine_choice import (
    Candidate,
    _is_worth_trying,
    candidates_for,
    choice_from_json,
    choose_engine,
    cosines,
)
from unfreeze.features.engines import REFERENCE, Engine, compile_prefix
from unfreeze.features.openvino_prefix import COMPILED_SUFFIX, WEIGHTS, converted_prefix
from unfreeze.zoo.backbones import Backbone, load_backbone

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


@pytest.mark.parametrize("engine", [OPENVINO, Engine("openvino", "bf16"), REFERENCE], ids=str)
def test_a_row_does_not_depend_on_its_neighbours(backbone: Backbone, images: np.ndarray, engine: Engine) -> None:
    """Shuffled, alone or padded: every image has the same bits, so a run that is taken up again gives the same."""
    compiled = compile_prefix(backbone, codes=backbone.taps, engine=engine)
    together = list(compiled.run(images))
    order = np.random.default_rng(1).permutation(len(images))
    shuffled = list(compiled.run(images[order]))
    alone = next(iter(compiled.run(images[3:4])))

    for place, row in enumerate(order):
        for first, second in zip(together[row], shuffled[place], strict=True):
            np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(alone[-1], together[3][-1])


def test_openvino_and_torch_agree(backbone: Backbone, images: np.ndarray) -> None:
    """Float32 engines differ by rounding only, at every tap and at every cut before a block."""
    cuts = [block.start for block in backbone.blocks[1:]]
    pairs = [
        compile_prefix(backbone, codes=backbone.taps, raw=cuts, engine=engine).run(images)
        for engine in (OPENVINO, REFERENCE)
    ]
    for first, second in zip(*pairs, strict=True):
        assert len(first) == len(backbone.taps) + len(cuts)
        for a, b in zip(first, second, strict=True):
            assert a.shape == b.shape
            assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max()


def test_other_weights_are_converted_anew(backbone: Backbone, images: np.ndarray) -> None:
    """What was converted is found by the weights as they are, so a network that was trained never gets old codes."""
    twin = backbone.copy()
    with torch.no_grad():
        for parameter in twin.network.get_submodule(twin.blocks[0].name).parameters():
            parameter.mul_(1.5)
    pairs = [compile_prefix(twin, codes=twin.taps[-1:], engine=engine).run(images) for engine in (OPENVINO, REFERENCE)]
    for (a,), (b,) in zip(*pairs, strict=True):
        assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max()


def test_a_damaged_conversion_is_made_anew(backbone: Backbone, images: np.ndarray, tmp_path: Path) -> None:
    """One changed bit in what was converted is noticed by its hash."""
    converted_prefix(backbone, cache=tmp_path)
    (file,) = tmp_path.rglob(WEIGHTS)
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)

    found = compile_prefix(backbone, codes=backbone.taps, engine=OPENVINO, cache=tmp_path).run(images[:1])

    (whole,) = tmp_path.rglob(WEIGHTS)
    assert whole.read_bytes() != bytes(data)
    right = compile_prefix(backbone, codes=backbone.taps, engine=OPENVINO).run(images[:1])
    for a, b in zip(next(found), next(right), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("damage", [False, True], ids=["whole", "damaged"])
def test_what_was_compiled_is_kept(backbone: Backbone, images: np.ndarray, tmp_path: Path, *, damage: bool) -> None:
    """The next run reads the compiled prefix and gets the same bits; one with a changed bit is compiled anew."""
    first = list(compile_prefix(backbone, codes=backbone.taps, engine=OPENVINO, cache=tmp_path).run(images))
    (file,) = tmp_path.rglob(f"*{COMPILED_SUFFIX}")
    data = bytearray(file.read_bytes())
    if damage:
        data[len(data) // 2] ^= 1
        file.write_bytes(data)

    second = list(compile_prefix(backbone, codes=backbone.taps, engine=OPENVINO, cache=tmp_path).run(images))

    assert file.exists() != damage
    assert len(list(tmp_path.rglob(f"*{COMPILED_SUFFIX}"))) == 1
    for ours, theirs in zip(first, second, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_other_outputs_are_compiled_apart(backbone: Backbone, images: np.ndarray, tmp_path: Path) -> None:
    """What is kept for all taps is not taken for one of them, nor for another precision."""
    for taps in (backbone.taps, backbone.taps[-1:]):
        (row,) = compile_prefix(backbone, codes=taps, engine=OPENVINO, cache=tmp_path).run(images[:1])
        assert len(row) == len(taps)
    compile_prefix(backbone, codes=backbone.taps, engine=Engine("openvino", "bf16"), cache=tmp_path)

    assert len(list(tmp_path.rglob(f"*{COMPILED_SUFFIX}"))) == 3


def test_the_fastest_accurate_engine_is_chosen(backbone: Backbone, images: np.ndarray) -> None:
    """Every candidate's cosine is measured against torch in float32, and the choice survives a manifest."""
    found, compiled = choose_engine(backbone, list(images), engine="openvino", precision="f32", to_come=10)

    assert found.engine == compiled.engine == OPENVINO
    assert found.candidates[0].cosine == pytest.approx(1.0, abs=1e-5)
    assert choice_from_json(found.to_json()) == found


def test_an_engine_that_is_not_accurate_is_not_taken(
    backbone: Backbone, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no candidate points where float32 does, torch in float32 runs, and the sentence names what was refused."""
    monkeypatch.setattr(choice, "LEAST_COSINE", 1.1)

    found, compiled = choose_engine(backbone, list(images), engine="openvino", precision="f32")

    assert found.engine == compiled.engine == REFERENCE
    assert "openvino in f32" in found.because
    assert "not taken" in found.because


def test_cosines_of_rows() -> None:
    """The cosine of right angles is 0, of opposites -1; zero codes equal zero codes and nothing else."""
    first = np.array([[1, 0], [1, 1], [0, 0], [0, 0]], np.float32)
    second = np.array([[0, 2], [-2, -2], [0, 0], [1, 0]], np.float32)

    np.testing.assert_allclose(cosines(first, second), [0, -1, 1, 0], atol=1e-12)


def test_bfloat16_in_torch_is_near(backbone: Backbone, images: np.ndarray) -> None:
    """The path that a GPU takes, autocast to bfloat16, points where float32 does."""
    pairs = [
        compile_prefix(backbone, codes=backbone.taps[-1:], engine=engine).run(images)
        for engine in (Engine("torch", "bf16"), REFERENCE)
    ]
    for (a,), (b,) in zip(*pairs, strict=True):
        assert a.dtype == np.float32
        assert cosines(a[None], b[None])[0] > 0.99


def test_compiling_is_tried_on_a_gpu_for_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every precision has a compiled twin there, tried only beside an accurate engine with minutes of work to come."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    asked = candidates_for("auto", "auto")
    plain, compiled = Engine("torch", "bf16"), Engine("torch", "bf16", compiled=True)
    best = Candidate(engine=plain, milliseconds=1.0, cosine=1.0)

    assert asked == [plain, compiled, REFERENCE, Engine("torch", "f32", compiled=True)]
    assert _is_worth_trying(plain, asked, None, 10)
    assert not _is_worth_trying(compiled, asked, None, 10**6)
    assert not _is_worth_trying(compiled, asked, best, 100_000)
    assert _is_worth_trying(compiled, asked, best, 1_000_000)


def test_only_codes_are_compiled(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module with raw tensors among its outputs is left as it is."""
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **_: compiled.append(module))
    engine = Engine("torch", "f32", compiled=True)

    compile_prefix(backbone, raw=backbone.taps[:1], engine=engine)
    assert compiled == []
    compile_prefix(backbone, codes=backbone.taps, engine=engine)
    assert len(compiled) == 1


@pytest.mark.slow
def test_int8_takes_its_ranges_from_the_images(backbone: Backbone, images: np.ndarray) -> None:
    """Eight bits point roughly where float32 does; if too roughly on the user's images, other engines are tried."""
    found, compiled = choose_engine(backbone, list(images), engine="openvino", precision="int8")

    measured, *others = found.candidates
    assert measured.engine == Engine("openvino", "int8")
    assert 0.5 < measured.cosine < 1.0
    assert compiled.engine == (measured.engine if measured.is_accurate else others[-1].engine)


@pytest.mark.parametrize(("engine", "precision"), [("abacus", "auto"), ("auto", "f8")])
def test_an_unknown_word_is_refused_with_the_known_ones(engine: str, precision: str) -> None:
    """The error lists what can be chosen."""
    with pytest.raises(InputError, match=r"Choose one of auto, "):
        candidates_for(engine, precision)


def test_torch_has_no_int8() -> None:
    """The error says what to change."""
    with pytest.raises(InputError, match="torch has no int8"):
        candidates_for("torch", "int8")


def test_another_mean_is_converted_anew(backbone: Backbone) -> None:
    """The mean and standard deviation are part of what was converted, so a network with others gets its own."""
    other = replace(backbone, card=replace(backbone.card, mean=(0.1, 0.2, 0.3)))
    pixels = np.full((1, SIZE, SIZE, 3), 127, np.uint8)
    codes = [
        next(compile_prefix(network, codes=network.taps[-1:], engine=OPENVINO).run(pixels))[0]
        for network in (backbone, other)
    ]
    assert np.abs(codes[0] - codes[1]).max() > 0
