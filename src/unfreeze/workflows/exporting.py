"""Exporting a delivered model: a file that other runtimes run, from a decoded photo to probabilities."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from unfreeze.core.documents import ExportRecord, Int8Cost
from unfreeze.core.export_settings import ExportSettings, ExportTarget
from unfreeze.core.files import durable_folder, write_bytes
from unfreeze.data.squares import geometry_of
from unfreeze.features.coreml_export import export_coreml
from unfreeze.features.export_parts import LIKENESS, ExportJob, Runner, square_module
from unfreeze.features.onnx_export import export_onnx
from unfreeze.features.openvino_export import export_openvino
from unfreeze.features.resources import Resources
from unfreeze.features.torch_export import export_torch
from unfreeze.metrics.novelty import CodeCloud
from unfreeze.report.export_card import export_card
from unfreeze.workflows.delivery import card_of
from unfreeze.workflows.export_parity import Compared, Known, check_exact, int8_cost, known, parity, squares_of
from unfreeze.workflows.export_photos import photos_for
from unfreeze.zoo.code_clouds import read_cloud
from unfreeze.zoo.folders import read_model
from unfreeze.zoo.model_config import OUR_KEY, README, read_config

COMPARED: Final = 64  # photos; decoding them and running the export takes seconds
CALIBRATED: Final = 128  # photos for int8; NNCF takes 300 by default, and more changed nothing that we saw
TESTED: Final = 256  # other photos, on which its cost is measured
MODEL_CARD: Final = "MODEL.md"

_EXPORTERS: MappingProxyType[ExportTarget, Callable[[ExportJob, Path], Runner | None]] = MappingProxyType(
    {"onnx": export_onnx, "openvino": export_openvino, "torch-export": export_torch, "coreml": export_coreml}
)


def export_model(settings: ExportSettings, *, resources: Resources) -> ExportRecord:
    """Export a model, compare it with `unfreeze predict` on the user's photos, and write its card.

    Args:
        settings: What to export.
        resources: Decoders and progress.

    Returns:
        What was written and measured.

    Raises:
        InputError: The model cannot be exported like that, something is not installed, or there is no photo.
        OutputError: The place cannot be written.
        AuditError: An exact export does not say what `unfreeze predict` says; nothing is written.
    """
    settings.check()
    job = ExportJob(saved=read_model(settings.model), resize=settings.resize, cloud=_cloud(settings))
    geometry = geometry_of(job.saved.card)
    expected = None if settings.target == "coreml" else _expected(settings, job, resources)
    with durable_folder(settings.out) as folder:
        measured = _written(settings, job, expected, folder, resources)
        record = _record(settings, job, measured, folder)
        card = export_card(record, at_least=geometry.at_least, crop=geometry.crop)
        write_bytes(folder / MODEL_CARD, card_of(settings.model).encode("utf-8", "surrogateescape"))
        write_bytes(folder / README, card.encode("utf-8", "surrogateescape"))
    return record


def _cloud(settings: ExportSettings) -> CodeCloud | None:
    """What the model knows of its training photos, if the target can say so.

    A CoreML classifier has one output. In int8 codes are not those that the rate of false alarms was found with.
    """
    if settings.int8 or settings.target == "coreml":
        return None
    return read_cloud(settings.model, read_config(settings.model)[OUR_KEY])


def _expected(settings: ExportSettings, job: ExportJob, resources: Resources) -> Known:
    """What `unfreeze predict` says of the photos to compare on."""
    square_module(job)  # a filter that cannot be exported is said before all work
    most = CALIBRATED + TESTED if settings.int8 else COMPARED
    names, progress = job.saved.class_names, resources.progress
    photos = photos_for(settings.model, settings.images, names, most=most, progress=progress)
    return known(settings.model, photos, resources)


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """What was measured on photos; nothing of a CoreML model."""

    compared: Compared = field(default_factory=Compared)
    cost: Int8Cost | None = None


def _written(
    settings: ExportSettings, job: ExportJob, expected: Known | None, folder: Path, resources: Resources
) -> _Measured:
    """Write the model into a folder, and compare it."""
    geometry, progress = geometry_of(job.saved.card), resources.progress
    used = 0
    if expected is not None and settings.int8:
        used = max(1, min(CALIBRATED, len(expected.photos) // 2))
        job = replace(job, calibration=squares_of(expected.photos[:used], geometry, resources))
    with progress.phase(f"export to {settings.target}", total=1, unit="model") as advance:
        run = _EXPORTERS[settings.target](job, folder)
        advance(1)
    if run is None or expected is None:
        return _Measured()
    tested = expected.part(used) if len(expected.photos) > used else expected
    first = tested.part(0, COMPARED)
    with progress.phase("compare", total=len(first.photos), unit="photo") as advance:
        compared = parity(run, first, geometry, advance=advance)
    if not settings.int8:
        if job.resize == "exact":
            check_exact(compared.rows, known_photos=len(job.cloud.held_out) if job.cloud else 0)
        return _Measured(compared=compared)
    with progress.phase("test int8", total=len(tested.photos), unit="photo") as advance:
        cost = int8_cost(run, tested, geometry, settings.model, calibrated_on=used, advance=advance)
    return _Measured(compared=compared, cost=cost)


def _gives(job: ExportJob) -> str:
    answers = f"{job.answer}, float32 [1, {len(job.saved.class_names)}], in the order of the labels"
    if job.threshold is None:
        return answers
    return f"{answers}; {LIKENESS}, float32 [1], up to {job.threshold:g} of a photo unlike anything in training"


def _record(settings: ExportSettings, job: ExportJob, measured: _Measured, folder: Path) -> ExportRecord:
    saved = job.saved
    size, coreml = saved.card.size, settings.target == "coreml"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    note = (
        "not compared with unfreeze predict: a CoreML model runs on macOS alone, where Vision resizes photos"
        if coreml
        else ""
    )
    return ExportRecord(
        model=str(settings.model),
        target=settings.target,
        resize=job.resize,
        int8=settings.int8,
        folder=str(settings.out),
        files=tuple(sorted([*{path.relative_to(folder).parts[0] for path in files}, MODEL_CARD, README])),
        megabytes=round(sum(path.stat().st_size for path in files) / 1e6, 3),
        takes=f"an image of {size} x {size} pixels, named image"
        if coreml
        else "image, uint8 [height, width, 3]: upright red, green, blue, of any size",
        gives=_gives(job),
        unlike=job.threshold,
        classes=saved.class_names,
        reduced=measured.compared.reduced,
        milliseconds=measured.compared.milliseconds,
        parity=measured.compared.rows,
        int8_cost=measured.cost,
        note=note,
    )
