"""Files of torch.save with more than tensors in them: the tensors come out, the rest does nothing."""

import argparse
import collections
import io
import pickle
import subprocess
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from unfreeze.core.errors import WeightsError
from unfreeze.zoo import inert_pickles
from unfreeze.zoo.unpickling import tensors_of_torch
from unfreeze.zoo.weights import read_weights


class Settings:
    """An object of a training program."""

    def __init__(self) -> None:
        self.rate, self.layers = 0.1, [1, 2]


def values() -> dict[str, Tensor]:
    """Tensors of every type and layout that weights are kept in."""
    numbers = torch.arange(24.0).reshape(2, 3, 4)
    shared = torch.arange(10.0)
    return {
        "plain": numbers,
        "double": numbers.double(),
        "half": numbers.half(),
        "bfloat16": numbers.bfloat16(),
        "counter": torch.tensor(7),
        "bytes": numbers.to(torch.uint8),
        "truths": numbers > 5,
        "transposed": numbers.transpose(0, 2),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "slice": shared[3:7],
        "whole": shared,
        "expanded": torch.ones(1, 3).expand(2, 3),
        "none": torch.zeros(0, 3),
        "parameter": nn.Parameter(numbers + 1).detach(),
    }


def beside() -> dict[str, Any]:
    """What training programs put beside weights."""
    return {
        "args": argparse.Namespace(lr=0.1, out=PurePosixPath("x"), sizes={1, 2}),
        "metric": np.float64(0.5),
        "settings": Settings(),
        "history": collections.defaultdict(list, a=[1]),
        "counts": collections.Counter("abca"),
        "activation": nn.ReLU(),
        "type": torch.float32,
        "array": np.arange(3),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_the_same_tensors_as_torch(zipped: bool, tmp_path: Path) -> None:
    """Whatever else the file holds, its tensors are bit for bit those that torch's own full reader gives."""
    path = tmp_path / "w.bin"
    torch.save({**beside(), "state_dict": values()}, path, _use_new_zipfile_serialization=zipped)
    expected = torch.load(path, weights_only=False)["state_dict"]

    found = tensors_of_torch(path.read_bytes(), path)

    assert found.part == ("state_dict",)
    assert found.tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found.tensors[name].dtype == tensor.dtype, name
        assert torch.equal(found.tensors[name], tensor), name


def test_parameters_are_tensors(tmp_path: Path) -> None:
    """A dictionary of parameters, as `dict(model.named_parameters())` makes it, is read too."""
    layer = nn.Linear(2, 3)
    torch.save({"args": argparse.Namespace(), "model": dict(layer.named_parameters())}, tmp_path / "w.pth")

    assert torch.equal(read_weights(tmp_path / "w.pth").tensors["weight"], layer.weight)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_eight_bits_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    """As torch has them, to the last bit."""
    given = torch.linspace(-2, 2, 12).reshape(3, 4).to(dtype)
    torch.save({"weight": given}, tmp_path / "w.pth")

    found = read_weights(tmp_path / "w.pth").tensors["weight"]

    assert found.dtype == dtype
    assert torch.equal(found.view(torch.uint8), given.view(torch.uint8))


@pytest.mark.slow
def test_a_key_that_takes_for_ever_ends(tmp_path: Path) -> None:
    """A tuple of a tuple twice, a hundred times over, is a few hundred bytes, and its hash would take 2**100 steps."""
    nested: tuple[Any, ...] = ("a",)
    for _ in range(100):
        nested = (nested, nested)
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("w/data.pkl", b"\x80\x02}" + pickle.dumps(nested, 2)[2:-1] + b"Ns.")

    with pytest.raises(WeightsError, match="damaged"):
        read_weights(tmp_path / "w.pth")


class Calls:
    """A pickle that calls a function."""

    def __init__(self, function: Any, *given: Any) -> None:
        self.call = function, given

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("function", [eval, exec, __import__, print, io.open, subprocess.Popen])
def test_a_call_beside_good_weights_is_refused(function: Any, zipped: bool, tmp_path: Path) -> None:
    """Weights beside a call of Python's own functions are not taken, and the function is named."""
    path = tmp_path / "w.pth"
    torch.save({"a": Calls(function, "1"), "w": values()}, path, _use_new_zipfile_serialization=zipped)

    with pytest.raises(WeightsError, match=rf"it wants .*{function.__name__}; not loaded"):
        read_weights(path)


def test_no_class_of_a_pickle_is_made() -> None:
    """What the child makes of any object is its own dictionary, also inside the same process."""
    stream = io.BytesIO()
    torch.save({"settings": Settings(), "w": torch.ones(2)}, stream)

    status, (_, header, numbers) = inert_pickles.answer(stream.getvalue())

    assert status == 0
    assert b'"w"' in header
    assert bytes(numbers) == np.ones(2, np.float32).tobytes()


def test_damage_is_never_a_crash() -> None:
    """Whatever byte of the pickle is changed, the child answers with tensors or with a word."""
    stream = io.BytesIO()
    torch.save({"args": argparse.Namespace(a=1), "state_dict": {"w": torch.ones(2, 3)}}, stream)
    data = stream.getvalue()
    start, rng = data.index(b"data.pkl"), np.random.default_rng(0)
    for _ in range(1000):
        broken = bytearray(data)
        broken[start + int(rng.integers(0, 500))] = int(rng.integers(0, 256))
        status, _ = inert_pickles.answer(bytes(broken))
        assert status in {0, inert_pickles.REFUSED}


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "named"),
    [
        (0, (2**40,), (1,), "unfold to"),
        (5, (2,), (1,), "damaged"),
        (0, (-1,), (1,), "damaged"),
        (0, (4, 10**6), (1, 0), "unfold to"),
    ],
)
def test_tensors_outside_their_storage_are_refused(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...], named: str, tmp_path: Path
) -> None:
    """A tensor that would read beyond its numbers is damage; one that is larger than the file is named as that."""
    original = torch._utils._rebuild_tensor_v2

    class Lies:
        def __reduce__(self) -> Any:
            return original, (torch.ones(6).storage(), offset, shape, strides, False, collections.OrderedDict())

    torch.save({"args": argparse.Namespace(), "state_dict": {"w": Lies()}}, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match=named):
        read_weights(tmp_path / "w.pth")
