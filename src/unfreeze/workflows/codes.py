"""The codes of images at every tap, written to a file: Parquet or .npy, a portion of the images at a time."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from unfreeze.core.documents import CodesRecord
from unfreeze.core.files import checked_new_file, durable_file
from unfreeze.core.progress import Progress
from unfreeze.core.room import check_room
from unfreeze.core.settings import ImageSettings
from unfreeze.data.image_set import Image
from unfreeze.data.image_table import ImageTable, State
from unfreeze.data.inspection import PORTION, inspected_portions, listed_images
from unfreeze.data.levels import measure_levels
from unfreeze.data.splits import split_table
from unfreeze.data.squares import geometry_of
from unfreeze.features.networks import FrozenNetwork
from unfreeze.features.resources import Resources
from unfreeze.features.streaming import CodesInPortions, codes_of_table
from unfreeze.report.comma_separated import csv_text
from unfreeze.store.columns import codes_column, text_column
from unfreeze.workflows.reading import Phases, frozen_network, known_tap, say_what_was_found

Widths = dict[str, int]
ROW_COLUMNS: Final = ("path", "label", "split")


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


Portion = tuple[list[Image], dict[str, Float32[np.ndarray, "_ _"]]]


def write_codes(
    settings: ImageSettings,
    resources: Resources,
    *,
    place: Path,
    tap: str | None = None,
    phases: Phases | None = None,
    elsewhere: CodesElsewhere | None = None,
) -> CodesRecord:
    """Read the codes of every image and write them, so that memory does not grow with the number of images.

    Args:
        settings: Which images and which network.
        resources: Decoders, progress and cache.
        place: ``NAME.parquet``, or ``NAME.npy`` for an array a tap and a list of the rows.
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
        check_room(place.parent, 4 * numbers, f"the codes of {place.name}")
        with phases.timed("prefix"):
            stored = stack.enter_context(_stored(table, network, settings, resources, phases, elsewhere=elsewhere))
        say_what_was_found(settings, table.findings, table.counts(), table.skipped, resources.progress)
        if len(table.labels()) > 1:  # without classes there is nothing to measure on
            split_table(table, seed=settings.seed)
        counts: Counter[str] = Counter()
        with phases.timed("write"):
            portions = _portions(table, stored, counts, widths, resources.progress)
            if place.suffix.lower() == ".parquet":
                files = write_parquet(place, widths, portions)
            else:
                files = write_npy(place, widths, portions, rows=table.number_of(State.USED), one=tap is not None)
        return CodesRecord(
            source=str(settings.source),
            network=network.card.name,
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


def _row_columns(images: Sequence[Image]) -> Iterator[list[str]]:
    """The columns that name the rows; a byte of a file name that is no text becomes a backslash and its number."""

    def text(value: str) -> str:
        return value.encode("utf-8", "backslashreplace").decode()

    yield [text(image.name) for image in images]
    yield [text(image.label) for image in images]
    yield [image.split for image in images]


def write_parquet(path: Path, widths: Widths, portions: Iterable[Portion]) -> list[Path]:
    """Write one Parquet file: path, label, split, and a fixed-size list of float32 per tap; a row group per portion.

    Args:
        path: Where.
        widths: Number of code values by tap.
        portions: Images and their codes.

    Returns:
        What was written.
    """
    names = [(name, pa.string()) for name in ROW_COLUMNS]
    schema = pa.schema([*names, *((tap, pa.list_(pa.float32(), width)) for tap, width in widths.items())])
    settings: dict[str, Any] = {
        # Of the formats tried with single flipped bits, only Parquet with checksums of its pages noticed every one.
        "write_page_checksum": True,
        "use_dictionary": ["label", "split"],  # codes are hardly ever the same twice: it would take three times as long
    }
    with durable_file(path, new=True) as temporary, pq.ParquetWriter(temporary, schema, **settings) as writer:
        for images, by_tap in portions:
            columns: list[Any] = [text_column(values) for values in _row_columns(images)]
            columns += [codes_column(values, schema.field(tap).type) for tap, values in by_tap.items()]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return [path]


def write_npy(path: Path, widths: Widths, portions: Iterable[Portion], *, rows: int, one: bool = False) -> list[Path]:
    """Write one float32 array per tap, and a CSV file that names their rows.

    Args:
        path: ``NAME.npy``; the files are ``NAME.TAP.npy`` and ``NAME.csv``.
        widths: Number of code values by tap.
        portions: Images and their codes.
        rows: Number of images in all.
        one: There is one tap, whose array goes to `path` itself.

    Returns:
        What was written.
    """
    names = {
        tap: path if one else path.with_name(f"{path.stem}.{re.sub(r'[^A-Za-z0-9._-]', '-', tap)}.npy")
        for tap in widths
    }
    rows_file = path.with_suffix(".csv")
    for file in [*names.values(), rows_file]:
        checked_new_file(file)
    with ExitStack() as stack:
        new = {file: stack.enter_context(durable_file(file, new=True)) for file in [*names.values(), rows_file]}
        arrays = {tap: stack.enter_context(new[names[tap]].open("wb")) for tap in widths}
        for tap, array in arrays.items():
            shape = (rows, widths[tap])
            np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": shape})
        text = stack.enter_context(new[rows_file].open("w", encoding="utf-8", newline=""))
        text.write(csv_text([ROW_COLUMNS]))
        for images, by_tap in portions:
            for tap, values in by_tap.items():
                arrays[tap].write(values.astype("<f4", copy=False).tobytes())
            text.write(csv_text((image.name, image.label, image.split) for image in images))
    return [*names.values(), rows_file]
