"""``unfreeze codes``: the codes of images at every tap, in the form that comes next."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from unfreeze.cli.on_cluster import cluster_at, threads_with
from unfreeze.cli.options import (
    AsJson,
    BackboneName,
    Device,
    DeviceName,
    Engine,
    EngineName,
    Exclude,
    MaxBad,
    NumberOfWorkers,
    On,
    Precision,
    PrecisionName,
    Quiet,
    ResizeName,
    Seed,
    Size,
    Source,
    Tap,
    TestFolder,
    Threads,
    Weights,
    image_settings,
)
from unfreeze.cli.output import result_output
from unfreeze.cli.places import fresh_folder, new_file
from unfreeze.cli.process import process_began
from unfreeze.cli.work import working
from unfreeze.core.errors import OutputError
from unfreeze.core.settings import DEFAULT_BACKBONE
from unfreeze.core.threads import limit_threads
from unfreeze.core.wording import count, duration

FILES = {".parquet": "parquet", ".npy": "npy"}


class Form(StrEnum):
    """In what form codes are written."""

    parquet = "parquet"
    npy = "npy"
    datasets = "datasets"
    tensorboard = "tensorboard"


def codes(
    source: Source,
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="PLACE", help="FILE.parquet, FILE.npy or a folder.", show_default=False)
    ],
    to: Annotated[
        Form | None,
        typer.Option(
            "--to",
            help="What is written: a file of Parquet, arrays, or a folder; from the name of --out if not given.",
            show_default=False,
        ),
    ] = None,
    tap: Tap = None,
    backbone: BackboneName = DEFAULT_BACKBONE,
    weights: Weights = None,
    size: Size = None,
    resize: ResizeName = None,
    seed: Seed = 0,
    max_bad: MaxBad = 0.01,
    engine: EngineName = Engine.auto,
    precision: PrecisionName = Precision.auto,
    device: DeviceName = Device.auto,
    test: TestFolder = None,
    exclude: Exclude = None,
    threads: Threads = None,
    on: On = None,
    workers: NumberOfWorkers = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> None:
    """Write codes to a file."""
    settings = image_settings(
        source,
        engine,
        precision,
        device,
        backbone=backbone,
        weights=weights,
        size=size,
        resize=resize,
        seed=seed,
        max_bad=max_bad,
        test=test,
        exclude=exclude,
    )
    threads = threads_with(on, workers, threads)
    limit_threads(threads)
    form = _form(out, to)
    with (
        result_output(as_json=json) as output,
        _checked_place(source, out, form) as place,
        working(quiet=quiet) as resources,
        cluster_at(on, resources.progress) as cluster,
    ):
        from unfreeze.workflows.codes import write_codes
        from unfreeze.workflows.reading import Phases

        phases, elsewhere = Phases(process_began()), None
        if cluster is not None:
            from unfreeze.cluster.codes import CodesOnWorkers

            elsewhere = CodesOnWorkers(cluster, threads=threads or 1, most=workers)
        record = write_codes(
            settings, resources, place=place, form=form.value, tap=tap, phases=phases, elsewhere=elsewhere
        )
        output.document(record)
        output.line(
            f"{count(record.images, 'image')} at {count(len(record.taps), 'tap')} in "
            f"{duration(record.phases['whole'])} ({record.reused:,} reused): {', '.join(record.files)}"
        )


def _form(out: Path, to: Form | None) -> Form:
    """The form that is meant.

    Raises:
        OutputError: The name says something else.
    """
    suffix = "" if out.is_dir() else out.suffix.lower()
    named = Form(FILES[suffix]) if suffix in FILES else None
    if to is None:
        if named is None and suffix:
            msg = f"--out must end in .parquet or .npy, or be a folder; got {out}."
            raise OutputError(msg)
        return named or Form.parquet
    if named not in {None, to} or (suffix and named is None and to.value in FILES.values()):
        wanted = f"end in .{to.value}, or be a folder" if to.value in FILES.values() else "be a new or empty folder"
        msg = f"With --to {to.value}, --out must {wanted}; got {out}."
        raise OutputError(msg)
    return to


@contextmanager
def _checked_place(source: Path, out: Path, form: Form) -> Iterator[Path]:
    """The file or folder to write: what was named, or a file in the folder that was named."""
    if out.suffix.lower() == f".{form.value}" and not out.is_dir():
        with new_file(out):
            yield out
        return
    with fresh_folder(source, out) as folder:
        yield folder / f"codes.{form.value}" if form.value in FILES.values() else folder
