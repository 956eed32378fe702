"""The child that reads files of torch.save with more than tensors in them, ``python -m unfreeze.zoo.inert_pickles``.

Training programs put their settings beside the weights, as objects of their own. Here nothing of a pickle is called and
none of its classes is imported: tensors become records of where their numbers lie, and every other object an `_Inert`
that only holds what it was given. The child needs no torch; before it looks at the file, on its standard input, it
gives up memory and time without limit and, on Linux, every right to open anything (`lockdown`). It answers with a
safetensors file, or with a line of JSON that says what the file is.
"""

import _compat_pickle
import contextlib
import io
import json
import math
import os
import pickle
import signal
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from unfreeze.core.interrupts import SIGNALS
from unfreeze.images.lockdown import lock
from unfreeze.zoo.checkpoints import AVERAGED, Chosen, chosen_part

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

Bytes = bytes | memoryview

REFUSED = 3  # exit status of an answer in JSON
LEAST_CPU_SECONDS, BYTES_A_SECOND = 10, 2**24  # of processor time at most; a file of a gigabyte takes a few
SPARE_MEMORY = 512 * 2**20  # bytes, beside a few times those of the file
MAX_TENSORS = 50_000

# By torch's names of storages and of types: safetensors' name, and bytes a number.
_TYPES = {
    "Double": ("F64", 8), "Float": ("F32", 4), "Half": ("F16", 2), "BFloat16": ("BF16", 2), "Long": ("I64", 8),
    "Int": ("I32", 4), "Short": ("I16", 2), "Char": ("I8", 1), "Byte": ("U8", 1), "Bool": ("BOOL", 1),
    "Float8_e4m3fn": ("F8_E4M3", 1), "Float8_e5m2": ("F8_E5M2", 1),
}  # fmt: skip
_COMPLEX = {"ComplexFloat": "complex64", "ComplexDouble": "complex128"}
_SPREAD = ("DTensor", "ShardedTensor")  # of torch.distributed
_UNTYPED = "Untyped"
_DTYPES = {
    "float64": "Double", "float32": "Float", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long",
    "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool",
    "float8_e4m3fn": "Float8_e4m3fn", "float8_e5m2": "Float8_e5m2",
}  # fmt: skip
_PLAIN = "set frozenset slice complex bytearray object int float str list dict tuple bool getattr"
# What of Python's own library is data; whoever asks for anything else of it wants something to be done.
_DATA = frozenset(
    f"{module}.{name}"
    for module, names in {
        "_codecs": "encode",  # of the bytes of arrays, as older protocols write them
        "argparse": "Namespace",
        "builtins": f"{_PLAIN} bytes range type",
        "__builtin__": f"{_PLAIN} long unicode",
        "collections": "OrderedDict defaultdict Counter deque ChainMap namedtuple UserDict",
        "copyreg": "_reconstructor __newobj__ __newobj_ex__",
        "copy_reg": "_reconstructor __newobj__",
        "datetime": "datetime date time timedelta timezone",
        "decimal": "Decimal",
        "enum": "Enum IntEnum Flag",
        "fractions": "Fraction",
        "functools": "partial",
        "pathlib": "Path PurePath PosixPath WindowsPath PurePosixPath PureWindowsPath",
        "pathlib._local": "Path PurePath PosixPath WindowsPath PurePosixPath PureWindowsPath",
        "types": "SimpleNamespace",
        "uuid": "UUID",
    }.items()
    for name in names.split()
)

# Under older protocols modules have the names that they had in Python 2, such as ``commands`` for ``subprocess``.
_OF_PYTHON = sys.stdlib_module_names | {name.partition(".")[0] for name in _compat_pickle.IMPORT_MAPPING}


class _DamagedError(Exception):
    """The file is not what torch.save writes."""


class _UnfoldsError(Exception):
    """Tensors show the same few numbers again and again."""


class _Inert(dict[Any, Any]):
    """Stands for an object of any class: holds what it is given, and does nothing."""

    asked = ""
    state: Any = None

    def __new__(cls, *_: Any, **__: Any) -> "_Inert":
        return dict.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        dict.__init__(self)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def _take(self, *_: Any) -> None:
        """Let go: items of lists and sets are no weights."""

    append = extend = add = _take


@final
@dataclass(frozen=True, eq=False)
class _Storage:
    key: str
    kind: str
    count: int


@final
@dataclass(frozen=True, eq=False)
class _Tensor:
    """Where a tensor's numbers lie."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __setstate__(self, state: Any) -> None:
        """Attributes that were set on a tensor are no weights."""


@final
@dataclass(frozen=True)
class _Odd:
    """A tensor that is no plain numbers, and what to say of it."""

    says: str

    def __setstate__(self, state: Any) -> None:
        """As of other tensors."""


def _not_plain(what: str) -> _Odd:
    return _Odd(f"is {what}, and plain tensors are wanted")


_PART = _not_plain("one machine's part of a network that was spread over several")


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Any:
    """For `torch._utils._rebuild_tensor` and its second version."""
    numbers = (offset, *shape, *strides)
    if isinstance(storage, _Odd):
        return storage
    if not isinstance(storage, _Storage) or storage.kind == _UNTYPED:
        return _Inert()
    if len(shape) != len(strides) or not all(type(one) is int and 0 <= one < 2**48 for one in numbers):
        raise _DamagedError
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _tensor_of_type(storage: Any, offset: Any, shape: Any, strides: Any, *others: Any) -> Any:
    """For the third version, which names the type of its numbers."""
    name = _DTYPES.get(getattr(others[2], "asked", "").rpartition(".")[2])
    if name is None or not isinstance(storage, _Storage):
        return _Inert()
    return _tensor(_Storage(storage.key, name, storage.count // _TYPES[name][1]), offset, shape, strides)


def _parameter(data: Any, *_: Any) -> Any:
    return data


_REBUILT: dict[str, Callable[..., Any]] = {
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_tensor_v3": _tensor_of_type,
    "_rebuild_parameter": _parameter,
    "_rebuild_parameter_with_state": _parameter,
    "_rebuild_sparse_tensor": lambda *_: _not_plain("sparse"),
    "_rebuild_qtensor": lambda *_: _not_plain("quantised"),
    "_rebuild_meta_tensor_no_storage": lambda *_: _not_plain("without its numbers (on the device meta)"),
}


def _of_type(rebuild: Any, kind: Any, given: Any, *_: Any) -> Any:
    """For `torch._tensor._rebuild_from_type_v2`: a tensor of a class of its own."""
    if getattr(kind, "asked", "").rpartition(".")[2] in _SPREAD:
        return _PART
    return rebuild(*given) if rebuild in _REBUILT.values() else _Inert()


@final
class _Reader(pickle.Unpickler):  # noqa: S301 - it calls and imports nothing
    """Makes tensors, plain values and `_Inert` objects; notes what the pickle asks for."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="latin-1")
        self.asked: dict[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a class or function, whatever it is."""
        if module == "torch._utils" and name in _REBUILT:
            return _REBUILT[name]
        if (module, name) == ("torch._tensor", "_rebuild_from_type_v2"):
            return _of_type
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        asked = f"{module}.{name}"
        if asked not in self.asked:
            self.asked[asked] = type("_Inert", (_Inert,), {"asked": asked})
        return self.asked[asked]

    def persistent_load(self, identity: Any) -> Any:
        """A storage, by torch.save's name of it; older files also have the source of modules beside their class."""
        if identity[0] == "module":
            return identity[1]
        word, kind, key, _, count, *view = identity
        if word != "storage" or any(one is not None for one in view):
            raise _DamagedError
        name = kind.asked.rpartition(".")[2].removesuffix("Storage")
        if name in _COMPLEX:
            return _Odd(f"has numbers of the kind {_COMPLEX[name]}, and float ones are wanted")
        if name != _UNTYPED and name not in _TYPES:
            return _Inert()
        return _Storage(str(key), name, int(count))

    @property
    def wanted(self) -> str | None:
        """What of Python's own library is asked for that is more than data."""
        own = (asked for asked in self.asked if asked.partition(".")[0] in _OF_PYTHON)
        return next((asked for asked in own if asked not in _DATA and not asked.startswith("__main__")), None)


@dataclass(frozen=True)
class _File:
    """What was read of a file.

    Attributes:
        found: What its pickle makes.
        wanted: See `_Reader.wanted`.
        asked: All that it asks for.
        bytes_of: The numbers of each storage, by key.
    """

    found: Any
    wanted: str | None
    asked: tuple[str, ...]
    bytes_of: Mapping[str, memoryview] = field(repr=False)


def _of_archive(data: bytes) -> _File:
    """A file of torch.save since PyTorch 1.6: a zip archive in which nothing is packed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {part.filename: part for part in archive.infolist()}
    (pickled,) = (name for name in parts if name.endswith("data.pkl"))
    folder = pickled.removesuffix("data.pkl")
    view, inside = memoryview(data), {}
    for name, part in parts.items():
        stored = stored_part(view, part)
        if part.compress_type != zipfile.ZIP_STORED or len(stored) != part.file_size:
            raise _DamagedError
        inside[name.removeprefix(folder)] = stored
    if bytes(inside.get("byteorder", b"little")) != b"little":
        raise _DamagedError
    reader = _Reader(io.BytesIO(inside["data.pkl"]))
    found = reader.load()
    storages = {name.removeprefix("data/"): part for name, part in inside.items() if name.startswith("data/")}
    return _File(found, reader.wanted, tuple(reader.asked), storages)


def stored_part(archive: memoryview, part: zipfile.ZipInfo) -> memoryview:
    """The bytes of a part that is not packed, without a copy; fewer than it has where the archive ends before.

    By hand, since zipfile would copy them, and compare checksums, which torch.save may leave out.
    """
    name, extra = (int.from_bytes(archive[part.header_offset + at :][:2], "little") for at in (26, 28))
    start = part.header_offset + 30 + name + extra
    return archive[start : start + part.file_size]


def _of_pickles(data: bytes) -> _File:
    """A file of torch.save before PyTorch 1.6: five pickles, then the storages."""
    stream = io.BytesIO(data)
    for _ in range(3):  # its number, its version, the machine's
        _Reader(stream).load()
    reader = _Reader(stream)
    found = reader.load()
    keys = _Reader(stream).load()
    kinds = {tensor.storage.key: tensor.storage for tensor in _tensors_in(found)}
    view, storages = memoryview(data), {}
    for key in keys:
        if (storage := kinds.get(str(key))) is None:
            break  # of what is no tensor, whose width is not known; tensors after it are told to be missing
        count, start = int.from_bytes(stream.read(8), "little"), stream.tell()
        length = count * _TYPES[storage.kind][1]
        if start + length > len(data):
            raise _DamagedError
        storages[str(key)] = view[start : start + length]
        stream.seek(length, os.SEEK_CUR)
    return _File(found, reader.wanted, tuple(reader.asked), storages)


def _tensors_in(found: Any) -> list[_Tensor]:
    """All tensors, wherever they are."""
    tensors, left, seen = [], [found], set()
    while left:
        one = left.pop()
        if isinstance(one, _Tensor):
            tensors.append(one)
        if not isinstance(one, Mapping | list | tuple) or id(one) in seen:
            continue
        seen.add(id(one))
        left += [*one.values(), getattr(one, "state", None)] if isinstance(one, Mapping) else one
    return tensors


def _numbers(tensor: _Tensor, bytes_of: Mapping[str, memoryview]) -> Bytes:
    """A tensor's numbers, in order, as bytes."""
    width = _TYPES[tensor.storage.kind][1]
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    storage = bytes_of[tensor.storage.key]
    if 0 in tensor.shape:
        return b""
    if (last + 1) * width > len(storage):
        raise _DamagedError
    flat = np.frombuffer(storage, dtype=f"u{width}", count=len(storage) // width)[tensor.offset :]
    steps = tuple(step * width for step in tensor.strides)
    return _in_order(np.lib.stride_tricks.as_strided(flat, tensor.shape, steps, writeable=False))


def _in_order(values: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def _safetensors(chosen: Chosen, file: _File, most: int) -> list[Bytes]:
    """The parts of a safetensors file."""
    header: dict[str, Any] = {"__metadata__": {"part": json.dumps(chosen.part), "choices": json.dumps(chosen.choices)}}
    parts: list[Bytes] = []
    place, size = 0, sum(math.prod(one.shape) * _TYPES[one.storage.kind][1] for one in chosen.tensors.values())
    if size > most:
        msg = f"{size:,} bytes from {most // 2:,}"
        raise _UnfoldsError(msg)
    for name, tensor in chosen.tensors.items():
        kind, width = _TYPES[tensor.storage.kind]
        length = math.prod(tensor.shape) * width
        if len(parts) >= MAX_TENSORS:
            raise _DamagedError
        parts.append(_numbers(tensor, file.bytes_of))
        header[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": [place, place + length]}
        place += length
    start = json.dumps(header).encode("ascii")
    return [len(start).to_bytes(8, "little"), start, *parts]


def _module_in(found: Any) -> str | None:
    """Class of a whole network that was pickled."""
    for one in (found, *(found.values() if isinstance(found, Mapping) else ())):
        if isinstance(one, _Inert) and isinstance(one.state, Mapping) and "_modules" in one.state:
            return one.asked
    return None


def answer(data: bytes) -> tuple[int, list[Bytes]]:
    """What is answered for a file.

    Args:
        data: What it holds.

    Returns:
        0 and the parts of a safetensors file; or `REFUSED` and a line of JSON: ``fastai``, ``module``, ``wants`` with
        what was asked for, ``choices`` with the parts that could be meant, ``unfolds`` with sizes, or ``damaged``.
    """
    try:
        file = _of_archive(data) if data[:2] == b"PK" else _of_pickles(data)
        chosen = chosen_part(file.found, lambda value: isinstance(value, _Tensor) or bool(_odd(value)))
        why, what = _reason_to_refuse(file, chosen)
        return _refusal(why, what) if why else (0, _safetensors(chosen, file, 2 * len(data)))
    except MemoryError:
        return _refusal("memory", "")
    except _UnfoldsError as error:
        return _refusal("unfolds", str(error))
    except Exception:  # whatever a damaged pickle leads to
        return _refusal("damaged", "")


def _reason_to_refuse(file: _File, chosen: Chosen) -> tuple[str, str]:
    """Why nothing is taken, if so; what a whole network asks for beside its class would only hide what it is."""
    module = _module_in(file.found)
    if not chosen.tensors and any(asked.startswith("fastai.learner.") for asked in file.asked):
        return "fastai", ""
    if not chosen.tensors and module is not None:
        return "module", module
    if file.wanted is not None:
        return "wants", file.wanted
    for name, tensor in chosen.tensors.items():
        if says := _odd(tensor):
            return "odd", f"{name} {says}"
    return ("", "") if chosen.tensors else ("choices", ", ".join(chosen.choices))


def _odd(value: Any) -> str:
    """What to say of a tensor that is no plain numbers; empty of anything else."""
    if isinstance(value, _Odd):
        return value.says
    if isinstance(value, _Inert) and value.asked.rpartition(".")[2] in _SPREAD:
        return _PART.says
    return ""


def _refusal(why: str, what: str) -> tuple[int, list[Bytes]]:
    return REFUSED, [json.dumps({"why": why, "what": what[:200]}).encode("ascii")]


def _limit(size: int) -> None:
    if resource is None:
        return
    with contextlib.suppress(OSError, ValueError):
        now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + 4 * size + SPARE_MEMORY, hard))
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (LEAST_CPU_SECONDS + size // BYTES_A_SECOND, hard))


def _rehearsal() -> bytes:
    """A small archive, to load all that Python loads at first use: behind the locks nothing can be imported."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("é/data.pkl", pickle.dumps({AVERAGED[0]: {}}))
    return stream.getvalue()


def main() -> None:
    """Answer for the file on standard input."""
    for each in SIGNALS:  # they reach the whole group; the parent decides
        signal.signal(each, signal.SIG_IGN)
    data = sys.stdin.buffer.read()
    _in_order(np.lib.stride_tricks.as_strided(np.zeros(2, np.uint16), (2,), (2,), writeable=False))
    answer(_rehearsal())
    _limit(len(data))
    lock()
    status, parts = answer(data)
    for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
