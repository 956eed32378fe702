"""Caffe's files, read by a child that may do nothing else."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load

from unfreeze.core.errors import WeightsError
from unfreeze.zoo.caffe.messages import message
from unfreeze.zoo.caffe.reading import MOST_TEXT, MOST_WEIGHTS
from unfreeze.zoo.safetensors_notes import notes_of

SECONDS_TO_ANSWER = 900.0


@dataclass(frozen=True, eq=False)
class CaffeFiles:
    """What a prototxt and a caffemodel hold.

    Attributes:
        network: Of `reading.network_in`.
        blobs: Arrays by the layer's name.
    """

    network: Mapping[str, Any]
    blobs: Mapping[str, tuple[np.ndarray, ...]]


def read_caffe_files(prototxt: Path, caffemodel: Path) -> CaffeFiles:
    """Read a network and its weights; nothing in them is executed.

    Args:
        prototxt: The network, for deployment or for training.
        caffemodel: Its weights.

    Returns:
        Both.

    Raises:
        WeightsError: One of the files is missing, damaged, too large or of another kind.
        InputError: protobuf is not installed.
    """
    data = _answered("network", [(prototxt, MOST_TEXT), (caffemodel, MOST_WEIGHTS)])
    header = notes_of(data)
    tensors = load(data)
    blobs = {
        name: tuple(tensors[f"{i}.{k}"] for k in range(number))
        for i, (name, number) in enumerate(json.loads(header["blobs"]))
    }
    return CaffeFiles(json.loads(header["network"]), blobs)


def read_mean(path: Path) -> tuple[float, float, float]:
    """The mean of each channel (blue, green, red) of a mean file.

    Args:
        path: Of the ``binaryproto``.

    Raises:
        WeightsError: It is missing, damaged, too large or of another kind.
        InputError: protobuf is not installed.
    """
    blue, green, red = load(_answered("mean", [(path, MOST_WEIGHTS)]))["mean"].tolist()
    return blue, green, red


_WANTED = {
    "network": "Give the network's .prototxt first, then its .caffemodel.",
    "mean": "Give a .binaryproto, or three numbers: --mean 104,117,123.",
}


def _answered(kind: str, files: Sequence[tuple[Path, int]]) -> bytes:
    """What the child says of the files."""
    message("NetParameter")  # says what to install, if protobuf is not
    contents = [_bytes(path, most, kind) for path, most in files]
    header = json.dumps({"kind": kind, "sizes": [len(content) for content in contents]}).encode()
    command = [sys.executable, "-P", "-m", "unfreeze.zoo.caffe.child"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=b"".join([header, b"\n", *contents]),
            capture_output=True,
            timeout=SECONDS_TO_ANSWER,
            check=False,
        )
        reply = done.stdout
    except subprocess.TimeoutExpired:
        reply = b""
    if reply.startswith(b"R"):
        return reply[1:]
    place, reason = (reply[1:2], reply[2:].decode()) if reply.startswith(b"E") else (b"", "reading it was given up")
    path = files[int(place)][0] if place else files[-1][0]
    raise _unreadable(path, reason, kind)


def _bytes(path: Path, most: int, kind: str) -> bytes:
    try:
        if (size := path.stat().st_size) > most:
            raise _unreadable(path, f"it has {size:,} bytes, {most:,} at most", kind)
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or "it cannot be opened", kind) from error


def _unreadable(path: Path, reason: str, kind: str) -> WeightsError:
    return WeightsError(f"{path} cannot be read ({reason.rstrip('.')}). {_WANTED[kind]}")
