"""ONNX files, read by a child that may do nothing else."""

import json
import subprocess
import sys
from pathlib import Path

from safetensors.numpy import load

from unfreeze.core.errors import WeightsError
from unfreeze.zoo.onnx.nodes import Node, OnnxNetwork
from unfreeze.zoo.safetensors_notes import notes_of

MOST_BYTES = 2 * 2**30  # of a file; ONNX itself allows no more in one
SECONDS_TO_ANSWER = 900.0


def read_onnx(path: Path, size: int | None = None) -> OnnxNetwork:
    """Read a network from an ONNX file; nothing in it is executed.

    Args:
        path: The file, with its weights in it.
        size: Side of the images, pixels; None for what the file says.

    Returns:
        Its nodes.

    Raises:
        WeightsError: The file is missing, damaged, too large, or holds no network of photos.
    """
    try:
        if (found := path.stat().st_size) > MOST_BYTES:
            raise _unreadable(path, f"it has {found:,} bytes, {MOST_BYTES:,} at most")
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or "it cannot be opened") from error
    reply = _answer(data, size)
    if not reply.startswith(b"R"):
        raise _unreadable(path, reply[1:].decode() if reply.startswith(b"E") else "reading it was given up")
    return _network(reply[1:])


def _answer(data: bytes, size: int | None) -> bytes:
    """What the child says."""
    header = json.dumps({"bytes": len(data), "size": size}).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "unfreeze.features.onnx_child"],
            input=b"".join([header, b"\n", data]),
            capture_output=True,
            timeout=SECONDS_TO_ANSWER,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return b""
    return done.stdout


def _network(data: bytes) -> OnnxNetwork:
    network, constants = json.loads(notes_of(data)["network"]), load(data)
    nodes = tuple(
        Node(
            name=str(one["name"]),
            type=str(one["type"]),
            inputs=tuple((int(place), int(port)) for place, port in one["inputs"]),
            attributes=one["attributes"],
            shapes=tuple(tuple(map(int, shape)) for shape in one["shapes"]),
            constant=constants.get(str(place)),
        )
        for place, one in enumerate(network["nodes"])
    )
    return OnnxNetwork(
        nodes=nodes, batch=network["batch"], size=network["size"], channels_last=network["channels_last"]
    )


def _unreadable(path: Path, reason: str) -> WeightsError:
    said = reason.rstrip(".")
    return WeightsError(f"{path} cannot be imported ({said}). Give an ONNX file of a network of photos.")
