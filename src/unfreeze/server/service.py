"""A service: models, the photos that wait for them, and what is counted."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

from unfreeze.images.decoding import UnreadableImageError
from unfreeze.server.batching import Batcher, Photo
from unfreeze.server.metrics import Metrics
from unfreeze.server.models import Models
from unfreeze.server.problems import unreadable
from unfreeze.server.settings import ServeSettings
from unfreeze.server.uploads import Uploads
from unfreeze.workflows.serving import LoadedModel, Said

TICKET_SECONDS = 60.0
_TICKETS = 64  # that are kept


@final
@dataclass(eq=False)
class Tickets:
    """Addresses under which something can be opened once, by who cannot send a header: a frame in a page.

    Args:
        clock: Seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _open: "OrderedDict[str, tuple[float, bytes]]" = field(default_factory=OrderedDict)

    def issue(self, content: bytes) -> str:
        """A ticket for some content."""
        ticket = secrets.token_urlsafe(32)
        self._open[ticket] = (self.clock() + TICKET_SECONDS, content)
        if len(self._open) > _TICKETS:
            self._open.popitem(last=False)
        return ticket

    def redeem(self, ticket: str) -> bytes | None:
        """What a ticket was issued for; None if it is none, was used, or is too old."""
        until, content = self._open.pop(ticket, (0.0, b""))
        return content if self.clock() < until else None


@final
@dataclass(frozen=True, eq=False)
class Service:
    """What routes use.

    Attributes:
        settings: As it was started.
        models: That are served.
        batcher: Answers for photos.
        uploads: Bodies that are being read.
        metrics: What is counted.
        tickets: For reports.
    """

    settings: ServeSettings
    models: Models
    batcher: Batcher
    uploads: Uploads
    metrics: Metrics
    tickets: Tickets

    @classmethod
    def of(cls, settings: ServeSettings, say: Callable[[str], None]) -> "Service":
        """A service whose models are loaded; its threads are not started yet.

        Args:
            settings: Of the service.
            say: Takes sentences for whoever runs it.

        Raises:
            InputError: A folder is no model, or there is no such device.
        """
        limits, metrics = settings.limits, Metrics.new()
        batcher = Batcher(
            decoders=settings.decoders,
            most_waiting=limits.waiting,
            decode_seconds=limits.decode_seconds,
            observe=metrics.batches.observe,
        )
        metrics.waiting.set_function(lambda: batcher.waiting)
        service = cls(settings, Models(settings, say), batcher, Uploads(limits), metrics, Tickets())
        service.count_models()
        return service

    def count_models(self) -> None:
        """Have the metrics name the versions that are served now."""
        self.metrics.loaded.clear()
        for name, model in self.models:
            self.metrics.loaded.labels(name, model.version).set(1)

    def reload(self) -> None:
        """Read every model again; may take seconds, in any thread."""
        self.models.reload()
        self.count_models()

    async def scores(
        self, name: str | None, photos: Sequence[Photo], *, version: str | None = None
    ) -> tuple[str, "Answered"]:
        """Ask a model.

        Args:
            name: Of the model; None for the first one.
            photos: At least one.
            version: That the model must have; None for any.

        Returns:
            The model's name, and what it says.

        Raises:
            ProblemError: There is no such model, or too much to do.
        """
        known, model = self.models.named(name, version)
        found = await self.batcher.answers(model, photos)
        unreadable = sum(isinstance(one, UnreadableImageError) for one in found)
        self.metrics.photos.labels(known, "answered").inc(len(found) - unreadable)
        self.metrics.photos.labels(known, "unreadable").inc(unreadable)
        return known, Answered(model, tuple(photos), found)


@final
@dataclass(frozen=True, eq=False)
class Answered:
    """What a model says of photos."""

    model: LoadedModel
    photos: tuple[Photo, ...]
    found: list[Said | UnreadableImageError]

    def all_said(self) -> list[Said]:
        """What it says of all photos.

        Raises:
            ProblemError: One cannot be read.
        """
        said: list[Said] = []
        for one in self.found:
            if isinstance(one, UnreadableImageError):
                raise unreadable(one.reason)
            said.append(one)
        return said
