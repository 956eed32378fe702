"""The codes of images at every tap, written to files a portion of the images at a time."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

from unfreeze.core.cards import Card
from unfreeze.core.documents import CodesRecord
from unfreeze.core.file_names import as_written
from unfreeze.core.progress import Progress
from unfreeze.core.room import check_room
from unfreeze.core.settings import ImageSettings
from unfreeze.data.image_table import ImageTable, State
from unfreeze.data.inspection import PORTION, inspected_portions, listed_images
from unfreeze.data.levels import measure_levels
from unfreeze.data.splits import split_table
from unfreeze.data.squares import geometry_of
from unfreeze.features.networks import FrozenNetwork
from unfreeze.features.resources import Resources
from unfreeze.features.streaming import CodesInPortions, codes_of_table
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.code_files import (
    CodesForm,
    Portion,
    Widths,
    write_datasets,
    write_npy,
    write_parquet,
    write_tensorboard,
)
from unfreeze.workflows.reading import Phases, frozen_network, known_tap, say_what_was_found, say_what_weights

_BYTES_A_NUMBER: dict[CodesForm, int] = {"parquet": 4, "npy": 4, "datasets": 4, "tensorboard": 13}


@runtime_checkable
class CodesElsewhere(Protocol):
    """Inspects images and computes their codes in other processes, which write them to the same store."""

    def codes_of_table(
        self, table: ImageTable, network: FrozenNetwork, settings: ImageSettings, resources: Resources
    ) -> AbstractContextManager[CodesInPortions]:
        """Inspect and compute all images of a table, which is then as after `inspected_portions`.

        Args:
            table: Of candidates, whose levels were measured.
            network: The network, with these levels.
            settings: By which the network was asked for.
            resources: Progress and cache.

        Returns:
            What reads the codes.
        """
        ...


def write_codes(
    settings: ImageSettings,
    resources: Resources,
    *,
    place: Path,
    form: CodesForm = "parquet",
    tap: str | None = None,
    phases: Phases | None = None,
    elsewhere: CodesElsewhere | None = None,
) -> CodesRecord:
    """Read the codes of every image and write them, so that memory does not grow with the number of images.

    Args:
        settings: Which images and which network.
        resources: Decoders, progress and cache.
        place: ``NAME.parquet``, ``NAME.npy`` for an array a tap and a list of the rows, or a folder for what is one.
        form: What is written.
        tap: The only tap that is wanted, ``last`` being the last one; None for all.
        phases: Where seconds are noted; counted from now if None.
        elsewhere: Inspects the images and computes their codes in other processes; None for this one.

    Returns:
        What was written.

    Raises:
        UnfreezeError: The images or the network cannot be used, there is no such tap, or the file cannot be written.
    """
    phases = phases or Phases()
    # First, since a mistake in its name should not cost an inspection.
    network = frozen_network(settings, resources.cache)
    widths = {each.name: each.channels for each in network.taps}
    widths = {name: widths[name] for name in known_tap(tap, network.card.taps)}
    say_what_weights(settings.weights, network.card, resources.progress)
    phases.started()
    with ExitStack() as stack:
        with phases.timed("decode"):
            listed = listed_images(
                settings.source,
                test=settings.test,
                exclude=settings.exclude,
                progress=resources.progress,
                labelled=False,
            )
            table = stack.enter_context(listed)
        numbers = table.number_of(State.WAITING, State.USED) * sum(widths.values())
        check_room(place.parent, _BYTES_A_NUMBER[form] * numbers, f"the codes of {place.name}")
        with phases.timed("prefix"):
            stored = stack.enter_context(_stored(table, network, settings, resources, phases, elsewhere=elsewhere))
        say_what_was_found(settings, table.findings, table.counts(), table.skipped, resources.progress)
        if len(table.labels()) > 1:  # without classes there is nothing to measure on
            split_table(table, seed=settings.seed)
        counts: Counter[str] = Counter()
        with phases.timed("write"):
            portions = _portions(table, stored, counts, widths, resources.progress)
            rows = table.number_of(State.USED)
            files = _written(form, place, widths, portions, rows=rows, one=tap is not None, pool=resources.pool)
        return _recorded(settings, network.card, table, counts, widths=widths, files=files, phases=phases)


def _recorded(
    settings: ImageSettings,
    card: Card,
    table: ImageTable,
    counts: Mapping[str, int],
    *,
    widths: Widths,
    files: Sequence[Path],
    phases: Phases,
) -> CodesRecord:
    return CodesRecord(
        source=as_written(settings.source),
        network=card.name,
        weights=card.source,
        images=counts["images"],
        computed=counts["computed"],
        reused=counts["images"] - counts["computed"],
        files_found=table.counts(),
        set_aside=tuple(table.files_set_aside()),
        skipped=dict(table.skipped),
        taps=widths,
        files=tuple(map(str, files)),
        phases=phases.all(),
    )


def _stored(
    table: ImageTable,
    network: FrozenNetwork,
    settings: ImageSettings,
    resources: Resources,
    phases: Phases,
    *,
    elsewhere: CodesElsewhere | None,
) -> AbstractContextManager[CodesInPortions]:
    """The codes of all images of the table; decoding is a phase of its own, unless others do it."""
    with phases.timed("decode"):
        levels = measure_levels(table, pool=resources.pool, progress=resources.progress)
    network = network.with_levels(levels)
    if elsewhere is not None:
        return elsewhere.codes_of_table(table, network, settings, resources)
    inspected = inspected_portions(
        table,
        pool=resources.pool,
        progress=resources.progress,
        max_bad=settings.max_bad,
        geometry=geometry_of(network.card),
        labelled=False,
    )
    return codes_of_table(table, phases.each("decode", inspected), network, resources, settings.request)


def _portions(
    table: ImageTable, stored: CodesInPortions, counts: Counter[str], widths: Widths, progress: Progress
) -> Iterator[Portion]:
    """Images with the codes at the wanted taps; counts how many there are, and how many of them were computed."""
    images = table.images()
    while some := list(islice(images, PORTION)):
        progress.checkpoint()
        by_tap, computed = stored.read(some)
        counts.update(images=len(some), computed=computed)
        yield some, {name: by_tap[name] for name in widths}


def _written(
    form: CodesForm,
    place: Path,
    widths: Widths,
    portions: Iterator[Portion],
    *,
    rows: int,
    one: bool,
    pool: DecoderPool,
) -> list[Path]:
    """Write codes; the paths of what was written."""
    match form:
        case "parquet":
            return write_parquet(place, widths, portions)
        case "npy":
            return write_npy(place, widths, portions, rows=rows, one=one)
        case "datasets":
            return write_datasets(place, widths, portions)
        case "tensorboard":
            return write_tensorboard(place, widths, portions, rows=rows, pool=pool)
