"""A network in an ONNX file as plain data: OpenVINO's operations, every size known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One operation.

    Attributes:
        name: The file's.
        type: OpenVINO's word for what it does.
        inputs: Number of each node that it takes, and which of its outputs.
        attributes: OpenVINO's.
        shapes: Of its outputs.
        constant: Its values, if it is a constant: float32 or int64.
    """

    name: str
    type: str
    inputs: tuple[tuple[int, int], ...]
    attributes: Mapping[str, Any]
    shapes: tuple[Shape, ...]
    constant: np.ndarray | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class OnnxNetwork:
    """A network.

    Attributes:
        nodes: In an order in which they can be carried out.
        batch: Number of images that its shapes are for.
        size: Side of the images that its shapes are for, pixels.
        channels_last: Whether it takes [images, height, width, 3].
    """

    nodes: tuple[Node, ...]
    batch: int
    size: int
    channels_last: bool
