"""What a service is told when it starts; nothing of it can be changed by a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unfreeze.core.threads import usable_cores


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What requests may take; whatever is beyond is refused at once, and the rest is served.

    Attributes:
        request_bytes: Of the body of one request.
        upload_bytes: Of all bodies that are being read or answered together.
        photos: In one request.
        waiting: Photos that are being decoded and classified, or wait for it.
        upload_seconds: In which a body must have come.
        decode_seconds: Processor time of one photo.
        rate: Requests a second from one address, on average; ten seconds' worth may come at once.
    """

    request_bytes: int = 20_000_000
    upload_bytes: int = 256_000_000
    photos: int = 16
    waiting: int = 64
    upload_seconds: float = 30.0
    decode_seconds: float = 5.0
    rate: float = 200.0


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may ask.

    Attributes:
        hosts: Values of the Host header that are answered, in lower case.
        token: What requests must carry; empty where none is needed.
    """

    hosts: frozenset[str]
    token: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """A service.

    Attributes:
        models: Folders by name; the first one answers where no model is named.
        device: auto, cpu, cuda or mps.
        access: Who may ask.
        limits: What requests may take.
        unlike: Share of photos like those in training that may be marked as unlike them; None to mark none.
        reports: Whether the report of a model's run is shown, where there is one. Its address is known to the process
            that gave it, so not where several serve behind one port.
        decoders: How many photos are decoded at a time.
        cache: Folder of all that is kept; the user's cache if None.
    """

    models: Mapping[str, Path]
    device: str = "auto"
    access: Access
    limits: Limits = Limits()
    unlike: float | None = None
    reports: bool = True
    decoders: int = field(default_factory=usable_cores)
    cache: Path | None = None
