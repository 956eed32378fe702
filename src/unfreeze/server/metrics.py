"""What can be measured of a service, in Prometheus' text form."""

import time
from dataclasses import dataclass
from typing import Final, final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
_BATCHES = (1, 2, 3, 4, 6, 8, 12, 16)


@final
@dataclass(frozen=True, eq=False)
class Metrics:
    """Counters of one service; labels are words of ours alone, never of a request."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    photos: Counter
    batches: Histogram
    waiting: Gauge
    loaded: Gauge

    @classmethod
    def new(cls) -> "Metrics":
        """All at zero."""
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        started = Gauge("unfreeze_start_time_seconds", "When the service began, since 1970.", registry=registry)
        started.set(time.time())
        return cls(
            registry=registry,
            requests=Counter(
                "unfreeze_requests", "Answers, by route and status.", ["route", "status"], registry=registry
            ),
            seconds=Histogram(
                "unfreeze_request_seconds", "From request to answer.", ["route"], buckets=_SECONDS, registry=registry
            ),
            photos=Counter(
                "unfreeze_photos",
                "Photos, by model and whether they could be read.",
                ["model", "outcome"],
                registry=registry,
            ),
            batches=Histogram("unfreeze_batch_photos", "Photos in a batch.", buckets=_BATCHES, registry=registry),
            waiting=Gauge("unfreeze_waiting_photos", "Photos that are under way.", registry=registry),
            loaded=Gauge(
                "unfreeze_model_info", "1 for each version that is served.", ["model", "version"], registry=registry
            ),
        )

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self.registry)
