"""S1, S2, S3: weights that would run a program or fill the memory. They only ever make an empty marker file."""

import json
import os
import pickle
import random
import struct
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from faultlab.lab import Try
from unfreeze.core.errors import UnfreezeError
from unfreeze.zoo.weights import read_weights

# What loading weights has no business with, as Python's auditing calls it.
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "os.fork", "exec")
_watch: list[str] | None = None


class Payload:
    """A pickle that makes a marker file when it is loaded."""

    def __init__(self, marker: Path, how: str) -> None:
        self._marker, self._how = str(marker), how

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        if self._how == "system":
            return os.system, (f"touch {self._marker}",)
        return {"eval": eval, "exec": exec}[self._how], (f"open({self._marker!r}, 'w')",)


def _header(header: Any, body: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def _tensor(shape: list[int], first: int, last: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [first, last]}


def safetensors_cases() -> dict[str, bytes]:
    """Files in the form of safetensors that lie about themselves."""
    twice = (
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    )
    overlap = {"a": _tensor([2], 0, 8), "b": _tensor([2], 4, 12)}
    return {
        "empty": b"",
        "header of 2^62 bytes": _header({}, length=2**62),
        "header of 9 MB of spaces": _header(b"{}" + b" " * 9_000_000),
        "tensors that overlap": _header(overlap, b"\0" * 12),
        "a hole": _header({"a": _tensor([2], 0, 8), "b": _tensor([2], 16, 24)}, b"\0" * 24),
        "beyond the end": _header({"a": _tensor([1000], 0, 4000)}, b"\0" * 8),
        "a name twice": _header(twice, b"\0" * 4),
        "a shape of 2^40": _header({"a": _tensor([2**40, 0], 0, 0)}),
        "60,000 tensors": _header({str(number): _tensor([0], 0, 0) for number in range(60_000)}),
        "negative shape": _header({"a": _tensor([-1], 0, 4)}, b"\0" * 4),
        "no JSON": _header(b"\xff" * 64),
        "nested": _header(b"[" * 100_000),
        "no numbers": save({"conv1.weight": torch.full((2,), float("nan"))}),
        "names that steer a terminal": save({"\x1b[31m<script>": torch.zeros(2)}),
    }


def pickle_cases(marker: Path) -> dict[str, bytes]:
    """Pickles, as they are and in the forms of torch.save."""
    import io

    cases = {
        f"pickle {how}, protocol {protocol}": pickle.dumps(Payload(marker, how), protocol=protocol)
        for how in ("system", "eval", "exec")
        for protocol in (0, 2, 4)
    }
    for form in (True, False):
        stream = io.BytesIO()
        held = {"a": torch.zeros(2), "b": Payload(marker, "system")}
        torch.save(held, stream, _use_new_zipfile_serialization=form)
        cases[f"torch.save, {'zip' if form else 'legacy'}"] = stream.getvalue()
    stream = io.BytesIO()
    torch.save(nn.Linear(2, 2), stream)
    cases["a whole module"] = stream.getvalue()
    cases["text"] = b"hello"
    cases["an archive that unpacks to 30 MB"] = _packed(marker)
    return cases


def _packed(marker: Path) -> bytes:
    import io

    stored, packed = io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.zeros(7_500_000), "b": Payload(marker, "system")}, stored)
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            target.writestr(part.filename, source.read(part))
    return packed.getvalue()


def files(folder: Path, marker: Path) -> dict[str, Path]:
    """Every case as a file, some under a name that lies; and places that are no files."""
    found = {}
    for number, (name, data) in enumerate([*safetensors_cases().items(), *pickle_cases(marker).items()]):
        suffixes = (".safetensors",) if name in safetensors_cases() else (".pth", ".safetensors")
        for suffix in suffixes:
            found[f"{name}, as {suffix}"] = folder / f"{number}{suffix}"
            found[f"{name}, as {suffix}"].write_bytes(data)
    os.mkfifo(folder / "pipe.pth")
    (folder / "link.safetensors").symlink_to("/etc/passwd")
    for name, path in {
        "a pipe": folder / "pipe.pth",
        "a folder": folder,
        "a link": folder / "link.safetensors",
    }.items():
        found[name] = path
    return {**found, "missing": folder / "none.pth", "a device": Path("/dev/zero")}


# The child that unpickles, locked down, starts once for a file; nothing else does.
OUR_CHILD = [sys.executable, "-P", "-m", "unfreeze.zoo.inert_pickles"]


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and list(arguments[1]) == OUR_CHILD:
        return
    if _watch is not None and event in FORBIDDEN:
        _watch.append(event)


sys.addaudithook(_heard)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Events of `FORBIDDEN` that happen inside."""
    global _watch  # noqa: PLW0603 - an audit hook cannot be taken off again
    _watch = []
    try:
        yield _watch
    finally:
        _watch = None


def tried(name: str, path: Path, marker: Path) -> Try:
    """S1: read a file of weights; it is read or refused in a sentence, and nothing in it runs."""
    with watched() as heard:
        try:
            read_weights(path)
            seen, wrong = "read", ""
        except UnfreezeError as error:
            seen = str(error)[:150]
            wrong = "raw control characters" if "\x1b" in str(error) else ""
        except Exception as error:
            seen = wrong = f"traceback: {error!r}"[:200]
    wrong = wrong or ", ".join(event for event in heard if event != "exec")
    wrong = wrong or ("the marker was made" if marker.exists() else "")
    return Try(goal="S1", case=name, wrong=wrong, seen=seen)


def mutated_header(rng: random.Random) -> bytes:
    """A safetensors file of two tensors with random damage in its header."""
    data = bytearray(save({"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(4)}))
    end = 8 + int.from_bytes(data[:8], "little")
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        place, what = rng.randrange(end), rng.randrange(3)
        if what == 0:
            data[place] ^= 1 << rng.randrange(8)
        elif what == 1:
            data[place] = rng.choice(b'0129-{}[]",:\\')
        else:
            data[place : place + 1] = rng.randbytes(rng.randrange(4))
    return bytes(data)
