"""The process that reads an ONNX file: without files, network or programs of its own, and with little memory.

It takes from standard input a line of JSON (``bytes``, ``size``: the side of the images, or null) and the file's bytes,
and writes to standard output a letter and what it found: ``R`` and a safetensors file, or ``E`` and a sentence.
OpenVINO's importer reads the file; its passes fold what is constant for images of that side, and write batch norms into
the convolutions before them.
"""

import io
import json
import sys
from typing import Any

import numpy as np
from openvino import Model, Node
from openvino._offline_transformations import apply_moc_transformations
from openvino.frontend import FrontEnd, FrontEndManager
from openvino.passes import ConstantFolding, Manager
from safetensors.numpy import save

from unfreeze.images.lockdown import limit, lock

ROOM = 3 * 2**30  # bytes of memory, beside eight times what is read
SECONDS = 600  # of the processor
ANY_BATCH = 31  # images in the graph of a file that takes any number: a prime that is the side of hardly anything
_EXTERNAL = "external data"
_FLOATS = {"f64", "f32", "f16", "bf16"}


class _UnusableError(Exception):
    """The file is no network that could be used; the text says why."""


def answer(data: bytes, side: int | None, reader: FrontEnd) -> bytes:
    """What the file says.

    Args:
        data: Its bytes.
        side: Of the images, pixels; None for what the file says.
        reader: OpenVINO's, for ONNX.

    Returns:
        As the module says.
    """
    try:
        model = reader.convert(reader.load(io.BytesIO(data)))
        batch, size, last = _prepared(model, side)
        nodes, constants = _nodes(model)
    except _UnusableError as error:
        return f"E{error}".encode()
    except MemoryError:
        return b"Eit needs more memory than it may have"
    except Exception as error:  # whatever a hostile file makes an importer raise
        reason = "its weights are in a second file; save it as one" if _EXTERNAL in str(error).lower() else ""
        return f"E{reason or f'OpenVINO does not read it: {_reason(error)}'}".encode()
    network = {"batch": batch, "size": size, "channels_last": last, "nodes": nodes}
    return b"R" + save(constants, metadata={"network": json.dumps(network)})


def _prepared(model: Model, side: int | None) -> tuple[int, int, bool]:
    """Give the network one shape, and fold what is constant; returns images, side, and whether channels come last."""
    if len(model.inputs) != 1:
        msg = f"it takes {len(model.inputs)} inputs, and a network of photos takes one"
        raise _UnusableError(msg)
    shape = model.inputs[0].get_partial_shape()
    sides = [] if shape.rank.is_dynamic else [None if one.is_dynamic else one.get_length() for one in shape]
    if len(sides) != 4 or 3 not in {sides[1], sides[3]}:
        msg = f"it takes {shape}, and photos are [images, 3, height, width] or [images, height, width, 3]"
        raise _UnusableError(msg)
    last = sides[1] != 3
    own = sides[1:3] if last else sides[2:]
    side = side or own[0]
    if side is None or (side == own[0] and own[1] not in {side, None}):
        found = "any size" if side is None else f"{own[0]} x {own[1]} pixels"
        msg = f"it takes {found}, and squares are wanted: give a side with --size PX"
        raise _UnusableError(msg)
    batch = sides[0] or ANY_BATCH
    try:
        model.reshape({model.inputs[0]: [batch, side, side, 3] if last else [batch, 3, side, side]})
        _fold(model)
        apply_moc_transformations(model, cf=True, smart_reshape=False)
        _fold(model)
    except RuntimeError as error:
        msg = f"it does not take images of {side} pixels: {_reason(error)}"
        raise _UnusableError(msg) from error
    return batch, side, last


def _fold(model: Model) -> None:
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)


def _nodes(model: Model) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Nodes in order, by the numbers of which inputs are named; values of constants by the same."""
    ordered = model.get_ordered_ops()
    places = {node.get_name(): place for place, node in enumerate(ordered)}
    constants: dict[str, np.ndarray] = {}
    nodes = []
    for place, node in enumerate(ordered):
        if any(one.get_partial_shape().is_dynamic for one in node.outputs()):
            msg = f"the size of what {node.get_friendly_name()} gives depends on the photo"
            raise _UnusableError(msg)
        if node.get_type_name() == "Constant":
            constants[str(place)] = _values(node)
        nodes.append(
            {
                "name": node.get_friendly_name(),
                "type": node.get_type_name(),
                "inputs": [[places[one.get_node().get_name()], one.get_index()] for one in _sources(node)],
                "attributes": {} if node.get_type_name() == "Constant" else _plain(node.get_attributes()),
                "shapes": [list(one.get_shape()) for one in node.outputs()],
            }
        )
    return nodes, constants


def _sources(node: Node) -> list[Any]:
    return [one.get_source_output() for one in node.inputs()]


def _values(node: Node) -> np.ndarray:
    """Floating point as float32, whole numbers as int64."""
    kind = node.get_element_type().get_type_name()
    data = np.asarray(node.get_data())
    return np.array(data, np.float32 if kind in _FLOATS else np.int64, order="C")


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    """Those that JSON can hold; others belong to nodes that are not known anyway."""
    plain: dict[str, Any] = json.loads(json.dumps(attributes, default=str))
    return plain


def _reason(error: Exception) -> str:
    """The last line of what OpenVINO says, which names the cause; the first ones name its own files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200].rstrip(".")


def main() -> None:
    """Answer once."""
    header = json.loads(sys.stdin.buffer.readline())
    reader = FrontEndManager().load_by_framework("onnx")  # before the locks
    limit(ROOM + 8 * header["bytes"], SECONDS)
    lock()
    data = sys.stdin.buffer.read(header["bytes"])
    sys.stdout.buffer.write(answer(data, header["size"], reader))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
