"""An imported network as plain data: its operations in order, as they are built again for PyTorch."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

IMAGE = "image"  # the value that the network takes
MOST_OPERATIONS = 20_000
_NAME = re.compile(r"[A-Za-z_]\w{0,199}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        name: Of its module, and of the value that it gives; the values of a Slice are ``name:0``, ``name:1`` ...
        kind: A key of `layers.KINDS`.
        inputs: Values that it takes.
        settings: Arguments of the kind's builder.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Description:
    """A network.

    Attributes:
        operations: In an order in which they can be carried out.
        output: Value that the network gives.
        head: Operation that is the classifier; empty if it has none.
        size: Side of the images that it was made for, pixels.
    """

    operations: tuple[Operation, ...]
    output: str
    head: str
    size: int

    def as_json(self) -> dict[str, Any]:
        """As it is written; `description_from` reads it."""
        return asdict(self)

    def canonical(self) -> bytes:
        """Equal for equal networks, for hashes."""
        return json.dumps(self.as_json(), sort_keys=True).encode()


def description_from(stored: Any) -> Description:
    """The description that was written as JSON.

    Args:
        stored: What the file says.

    Raises:
        ValueError: It is no description; also LookupError, TypeError and AttributeError.
    """
    operations = tuple(
        Operation(
            name=str(one["name"]),
            kind=str(one["kind"]),
            inputs=tuple(map(str, one["inputs"])),
            settings={str(name): value for name, value in one["settings"].items()},
        )
        for one in stored["operations"]
    )
    names = [one.name for one in operations]
    if len(names) > MOST_OPERATIONS or len(set(names)) < len(names) or not all(map(_NAME.fullmatch, names)):
        msg = "operations without proper names"
        raise ValueError(msg)
    known = {IMAGE}
    for one in operations:
        if not {value.partition(":")[0] for value in one.inputs} <= known:
            msg = f"{one.name} takes what is not there"
            raise ValueError(msg)
        known.add(one.name)
    return Description(
        operations=operations, output=str(stored["output"]), head=str(stored["head"]), size=int(stored["size"])
    )
