"""Codes on the workers of a cluster: each inspects a portion of the images and stores their codes, by content.

All of them write to one store, in which a shard appears whole or not at all. A portion that is carried out twice,
because a worker ended, finds there what it had stored.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import final

from unfreeze.cluster.connection import Cluster
from unfreeze.cluster.workers import Workers
from unfreeze.core.errors import ClusterError
from unfreeze.core.file_names import absolute, as_written
from unfreeze.core.progress import ignore
from unfreeze.core.records import SetAside
from unfreeze.core.settings import ImageSettings
from unfreeze.core.threads import usable_cores
from unfreeze.data.image_set import Image
from unfreeze.data.image_table import ImageTable, State
from unfreeze.data.inspection import end_inspection, note_inspected
from unfreeze.data.listed_files import Candidate
from unfreeze.data.squares import geometry_of
from unfreeze.features.engine_choice import SAMPLE, EngineChoice, dictated
from unfreeze.features.networks import FrozenNetwork
from unfreeze.features.resources import Resources
from unfreeze.features.streaming import CodesInPortions, code_portions
from unfreeze.images.geometry import Geometry
from unfreeze.images.levels import Range
from unfreeze.images.pool import DecoderPool, Inspection
from unfreeze.store.codes import SHARD_ROWS
from unfreeze.store.places import cache_for_others
from unfreeze.workflows.reading import frozen_network
from unfreeze.zoo.devices import find_device


@dataclass(frozen=True, kw_only=True)
class PortionDone:
    """What a worker found.

    Attributes:
        inspections: One of each candidate, in their order.
        set_aside: Images that could be inspected, and not be decoded for their codes.
    """

    inspections: tuple[Inspection, ...]
    set_aside: tuple[SetAside, ...]


@dataclass(frozen=True, kw_only=True)
class CodesJob:
    """What a worker needs to know to read codes.

    Attributes:
        settings: Which network; paths are absolute.
        levels: By which photos of 16 bits are scaled.
        choice: What runs the network.
        sample: Images spread over all, for what has to be calibrated.
        to_come: How many images there are in all.
        cache: Folder that has the store, and whatever else is kept.
    """

    settings: ImageSettings
    levels: Range
    choice: EngineChoice
    sample: tuple[Image, ...]
    to_come: int
    cache: Path

    @contextmanager
    def ready(self) -> Iterator[Callable[[Sequence[Candidate]], PortionDone]]:
        """Load the network and open the store.

        Yields:
            What inspects candidates, and stores their codes.

        Raises:
            ClusterError: The images are not there.
        """
        if not any(image.path.exists() for image in self.sample):
            msg = (
                f"A worker of the Ray cluster does not see the images of {as_written(self.settings.source)}. Put them "
                "on storage that all machines have under the same path, and the cache too (UNFREEZE_CACHE); photos of "
                "tars, Parquet files and stores are put where TMPDIR says."
            )
            raise ClusterError(msg)
        with DecoderPool(workers=usable_cores()) as pool:
            pool.start()
            network = frozen_network(self.settings, self.cache).with_levels(self.levels)
            resources = Resources(pool=pool, cache=self.cache, journal=dictated(network.card, self.choice))
            request, to_come = self.settings.request, self.to_come
            with code_portions(network, self.sample, request, resources, to_come=to_come) as codes:
                yield partial(_read_portion, pool, geometry_of(network.card), codes)


def _read_portion(
    pool: DecoderPool, geometry: Geometry, codes: CodesInPortions, some: Sequence[Candidate]
) -> PortionDone:
    inspections = tuple(pool.inspect((one.path for one in some), geometry, closely=False))
    images = [_image(one, seen) for one, seen in zip(some, inspections, strict=True) if not seen.reason]
    set_aside = tuple(codes.compute(images, ignore))
    pool.forget()
    return PortionDone(inspections=inspections, set_aside=set_aside)


def _image(candidate: Candidate, seen: Inspection) -> Image:
    return Image(
        path=candidate.path,
        name=candidate.name,
        label=candidate.label,
        sha256=seen.sha256,
        width=seen.width,
        height=seen.height,
        mode=seen.mode,
    )


@final
class CodesOnWorkers:
    """Fills the role of `workflows.codes.CodesElsewhere`.

    Args:
        cluster: Where the workers run.
        threads: Cores that each has.
        most: How many workers at most; None for as many as there is room for.
    """

    def __init__(self, cluster: Cluster, *, threads: int, most: int | None = None) -> None:
        self._cluster, self._threads, self._most = cluster, threads, most

    @contextmanager
    def codes_of_table(
        self, table: ImageTable, network: FrozenNetwork, settings: ImageSettings, resources: Resources
    ) -> Iterator[CodesInPortions]:
        """As `CodesElsewhere.codes_of_table`; a portion is a shard of the store."""
        total, sample = table.number_of(State.WAITING, State.USED), table.spread(SAMPLE)
        with code_portions(network, sample, settings.request, resources, to_come=total) as codes:
            job = CodesJob(
                settings=_with_absolute_paths(settings),
                levels=table.levels,
                choice=codes.choice,
                sample=tuple(sample),
                to_come=total,
                cache=cache_for_others(resources.cache),
            )
            resources.progress.say(f"The frozen layers run on Ray with {codes.choice.because}")
            self._inspect_and_compute(table, job, resources)
            end_inspection(table, max_bad=settings.max_bad, labelled=False)
            codes.take_up()
            yield codes

    def _inspect_and_compute(self, table: ImageTable, job: CodesJob, resources: Resources) -> None:
        gpu = not find_device(job.settings.request.device).is_cpu
        sent: list[Sequence[Candidate]] = []

        def portions() -> Iterator[Sequence[Candidate]]:
            candidates = table.candidates()
            while some := list(itertools.islice(candidates, SHARD_ROWS)):
                sent.append(some)
                yield some

        with (
            Workers(self._cluster, job, threads=self._threads, most=self._most, gpu=gpu) as workers,
            resources.progress.phase("codes", total=job.to_come, unit="image") as advance,
        ):
            number = -(-job.to_come // SHARD_ROWS)
            for done in workers.each(portions(), number=number, tick=advance):
                some = sent.pop(0)
                note_inspected(some, done.inspections, table, ignore)
                table.set_aside(done.set_aside)
                advance(len(some))


def _with_absolute_paths(settings: ImageSettings) -> ImageSettings:
    """For a process that stands in another folder."""
    backbone = Path(settings.backbone)
    return replace(
        settings,
        source=absolute(settings.source),
        backbone=str(backbone.resolve()) if backbone.is_dir() else settings.backbone,
        weights=None if settings.weights is None else settings.weights.absolute(),
    )
