"""What ``--on`` names: a cluster on this machine that the command starts, one that is there, or that of a Ray job."""

import os
import re
from dataclasses import dataclass
from typing import Literal

from unfreeze.core.errors import ClusterError

JOB_VARIABLE = "RAY_ADDRESS"  # Ray sets it for what runs inside a job of a cluster
CLIENT = "ray://"


@dataclass(frozen=True)
class Address:
    """Where a cluster is.

    Attributes:
        kind: ``own`` is started on this machine and ends with the command, ``client`` is reached through Ray Client,
            ``inside`` is the one that this process is a part of.
        place: ``HOST:PORT``; empty for ``own``, and where Ray is to find it.
    """

    kind: Literal["own", "client", "inside"]
    place: str = ""

    @property
    def for_ray(self) -> str:
        """What Ray calls it."""
        if self.kind == "own":
            return "local"
        return f"{CLIENT}{self.place}" if self.kind == "client" else self.place or "auto"


def parse_address(text: str) -> Address:
    """What ``--on`` stands for.

    Args:
        text: ``ray``, or ``ray://HOST:PORT``.

    Returns:
        The cluster: with ``ray`` that of the Ray job that this process runs in, else one on this machine.

    Raises:
        ClusterError: It is neither.

    Example:
        >>> parse_address("ray://head.example:10001")
        Address(kind='client', place='head.example:10001')
    """
    given = text.strip()
    if given == "ray":
        of_job = os.environ.get(JOB_VARIABLE, "")
        return _of_job(of_job) if of_job else Address("own")
    match = re.fullmatch(r"ray://([^\s/@]+:\d{1,5})/?", given)
    if match is None:
        msg = f"--on takes ray, or ray://HOST:PORT (10001 is the usual port of Ray Client); got {text!r}."
        raise ClusterError(msg)
    return Address("client", match[1])


def _of_job(address: str) -> Address:
    if address.startswith(CLIENT):
        return Address("client", address.removeprefix(CLIENT))
    return Address("own") if address == "local" else Address("inside", "" if address == "auto" else address)
