"""Graphs of OpenVINO that are kept on disk, and what is compiled of them for this processor; no PyTorch is needed.

Compiling a graph takes a tenth of a second to several, reading what was compiled a few hundredths. The hash of each
file is checked whenever it is read.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.files import PRIVATE_FILE, durable_folder, sha256_of, write_bytes, write_json
from unfreeze.core.readouts import Readout
from unfreeze.core.threads import thread_limit
from unfreeze.store.places import kept_beside

# Of one request. The maps of more images do not fit into the cache next to a core. Processor time of an image on one
# core (Zen 5), EfficientNet-Lite0 in bfloat16, batches of 1, 2, 4, 8, 16: 2.24, 2.20, 2.17, 2.29, 2.55 ms.
BATCH_SIZE = 4
GRAPH, WEIGHTS, MANIFEST = "prefix.xml", "prefix.bin", "manifest.json"
COMPILED_SUFFIX = ".compiled"
_PIECE = 2**20  # bytes at a time

GraphPrecision = Literal["f32", "bf16"]


@runtime_checkable
class _Named(Protocol):
    @property
    def name(self) -> str: ...


def output_name(kind: Literal["codes", "details", "raw"], read: _Named) -> str:
    """Name of an output of the converted graph."""
    return f"{kind}:{read.name}"


def output_names(codes: Sequence[_Named], details: Sequence[Readout], raw: Sequence[_Named]) -> list[str]:
    """Names of outputs: of codes, then what else is read at taps, then the tensors themselves."""
    return [
        *(output_name("codes", tap) for tap in codes),
        *(output_name("details", readout) for readout in details),
        *(output_name("raw", cut) for cut in raw),
    ]


def openvino_library() -> Any:
    """The package.

    Raises:
        InputError: It is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        msg = "The engine openvino is not installed. Install it (pip install openvino), or choose --engine torch."
        raise InputError(msg) from error
    return openvino


def graph_folder(name: str, cache: Path | None) -> Path:
    """Where the graph of a prefix lies, with what is compiled of it.

    Args:
        name: A hash of all that the graph depends on.
        cache: Folder of all that is kept; the user's cache if None.
    """
    return kept_beside("prefixes", cache) / name


def compiled_graph(folder: Path, names: Sequence[str], precision: GraphPrecision, *, keep: bool = True) -> Any | None:
    """A graph that is kept, ready to run on this processor.

    Args:
        folder: Of the graph.
        names: Outputs that are wanted, by `output_name`; what leads to no other is not computed.
        precision: Of its arithmetic.
        keep: Whether to keep what is compiled now; it takes as much disk as the weights.

    Returns:
        An ``openvino.CompiledModel`` from uint8 pixels [BATCH_SIZE, size, size, 3]; one that was kept gives the same
        bits as one that is compiled anew. None if the graph is not there, or damaged.

    Raises:
        InputError: OpenVINO is not installed.
    """
    key = program_key(list(names), precision)
    compiled = kept_program(folder, key, precision)
    if compiled is None and is_whole(folder):
        compiled = compiled_for_processor(with_outputs(read_graph(folder), names), precision)
        if keep:
            keep_program(folder, key, compiled)
    return compiled


def compiled_for_processor(model: Any, precision: GraphPrecision) -> Any:
    """An ``openvino.Model``, compiled as all of ours are: many images are to come, several requests at a time."""
    return openvino_library().Core().compile_model(model, "CPU", _settings(precision))


def _settings(precision: GraphPrecision) -> dict[str, Any]:
    """What OpenVINO is asked for."""
    limit = thread_limit()
    threads = {} if limit is None else {"INFERENCE_NUM_THREADS": limit}
    return {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision, **threads}


def program_key(content: Any, precision: GraphPrecision) -> str:
    """What stands for a program in its file's name: what it computes, how precisely, and for which processor.

    Args:
        content: What it computes, as JSON values.
        precision: Of its arithmetic.

    Returns:
        16 hexadecimal digits.

    Raises:
        InputError: OpenVINO is not installed.
    """
    core = openvino_library().Core()
    processor = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    return sha256_of(json.dumps([content, precision, processor]).encode())[:16]


def kept_program(folder: Path, key: str, precision: GraphPrecision) -> Any | None:
    """What `keep_program` kept; None if it did not, or what is there is damaged, or from another build of OpenVINO."""
    for path in folder.glob(f"{key}-*{COMPILED_SUFFIX}"):
        with contextlib.suppress(OSError, RuntimeError):  # gone, or from another build of OpenVINO
            data = path.read_bytes()
            if path.name == _program_name(key, data):
                return openvino_library().Core().import_model(data, "CPU", _settings(precision))
        path.unlink(missing_ok=True)
    return None


def keep_program(folder: Path, key: str, compiled: Any) -> None:
    """Keep a compiled model in a folder that is there.

    Args:
        folder: Where.
        key: Of `program_key`.
        compiled: An ``openvino.CompiledModel``.

    Raises:
        DiskFullError: No space is left.
        OutputError: The folder cannot be written.
    """
    data = compiled.export_model().getvalue()
    write_bytes(folder / _program_name(key, data), data, private=True)


def _program_name(key: str, data: bytes) -> str:
    return f"{key}-{sha256_of(data)[:32]}{COMPILED_SUFFIX}"


def with_outputs(model: Any, names: Sequence[str]) -> Any:
    """A graph with some of the outputs of `model`, in the order of `names`, and without what leads to no other."""
    results = [model.output(name).get_node().input_value(0) for name in names]
    return openvino_library().Model(results, model.get_parameters())


def read_graph(folder: Path) -> Any:
    """The ``openvino.Model`` of a folder that is whole."""
    return openvino_library().Core().read_model(folder / GRAPH)


def save_graph(model: Any, folder: Path, description: dict[str, Any]) -> None:
    """Write a graph to a folder that appears whole or not at all.

    Args:
        model: An ``openvino.Model``.
        folder: Where; a damaged one is replaced.
        description: What it is the graph of, as JSON values.

    Raises:
        DiskFullError: No space is left.
        OutputError: The place cannot be written.
    """
    try:
        with durable_folder(folder, private=True) as temporary:
            _save(model, temporary / GRAPH)
            for name in (GRAPH, WEIGHTS):
                (temporary / name).chmod(PRIVATE_FILE)
            hashes = {name: sha256_of((temporary / name).read_bytes()) for name in (GRAPH, WEIGHTS)}
            write_json(temporary / MANIFEST, {**description, "files": hashes}, private=True)
            if not is_whole(folder):
                shutil.rmtree(folder, ignore_errors=True)
    except OutputError:
        if not is_whole(folder):  # else another process was faster
            raise


def _save(model: Any, graph: Path) -> None:
    """OpenVINO writes by itself, and of a disk that takes no more says ``iostream error``: what is wrong is asked anew.

    Raises:
        OSError: The disk takes no more.
    """
    try:
        openvino_library().save_model(model, graph, compress_to_fp16=False)
    except RuntimeError:
        _ask_for_room(model, graph.parent)
        for name in (GRAPH, WEIGHTS):
            (graph.parent / name).unlink(missing_ok=True)
        openvino_library().save_model(model, graph, compress_to_fp16=False)  # the disk works again


def _ask_for_room(model: Any, folder: Path) -> None:
    """Write as many bytes as a graph has weights, and remove them.

    Raises:
        OSError: The disk takes no more.
    """
    weights = sum(node.get_byte_size() for node in model.get_ops() if node.get_type_name() == "Constant")
    with (folder / "room").open("xb") as file:
        for _ in range(0, weights + 1, _PIECE):
            file.write(bytes(_PIECE))
        file.flush()
        os.fsync(file.fileno())
    (folder / "room").unlink()


def is_whole(folder: Path) -> bool:
    """Whether the folder of a graph holds what was written."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(sha256_of((folder / name).read_bytes()) == files[name] for name in (GRAPH, WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError):
        return False
