"""Networks of other libraries, imported."""

import math
from dataclasses import dataclass
from pathlib import Path

from unfreeze.core.documents import ImportRecord
from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.files import sha256_of_file
from unfreeze.core.progress import SILENT, Progress
from unfreeze.zoo.backbones import describe
from unfreeze.zoo.caffe.files import read_caffe_files, read_mean
from unfreeze.zoo.caffe.folder import write_network
from unfreeze.zoo.caffe.importing import Colours, imported
from unfreeze.zoo.caffe.network import build_caffe
from unfreeze.zoo.networks import NetworkName, caffe_preprocessing


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """What to import.

    Attributes:
        prototxt: The network.
        caffemodel: Its weights.
        out: Folder of the network that is written.
        mean: ``104,117,123`` (blue, green, red), or the name of a mean file; None for what the prototxt says.
        scale: Factor of pixels less the mean; None for what the prototxt says, else 1.
        size: Side of its images, pixels; None for what the prototxt says.
        until: Last layer of the trunk; None for the whole network.
        licence: Of the weights.
    """

    prototxt: Path
    caffemodel: Path
    out: Path
    mean: str | None = None
    scale: float | None = None
    size: int | None = None
    until: str | None = None
    licence: str = "unknown"


def import_caffe(settings: ImportSettings, *, progress: Progress = SILENT) -> ImportRecord:
    """Import a network of Caffe's: a folder that ``--backbone`` takes.

    Args:
        settings: What to import.
        progress: Is told what happens.

    Returns:
        What was made.

    Raises:
        InputError: Files cannot be read, do not fit, or hold what cannot be imported.
        OutputError: The folder holds something already, or cannot be written.
    """
    out = settings.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        msg = f"{out} exists and is not empty, and a network never replaces another. Choose another place with --out."
        raise OutputError(msg)
    mean = None if settings.mean is None else mean_of(settings.mean)
    progress.say(f"reading {settings.caffemodel}")
    files = read_caffe_files(settings.prototxt, settings.caffemodel)
    network = imported(files, until=settings.until, mean=mean, scale=settings.scale, size=settings.size)
    progress.stop.check()
    module = build_caffe(network.description)
    # Described before it is written: a network without cuts is of no use.
    images = caffe_preprocessing(network.takes)
    backbone = describe(NetworkName("caffe", str(out)), module, images, source="", licence=settings.licence)
    hashes = {path.name: sha256_of_file(path) for path in (settings.prototxt, settings.caffemodel)}
    write_network(out, network, files=hashes, licence=settings.licence)
    return ImportRecord(
        files=hashes,
        folder=str(out),
        size=network.takes.size,
        mean=network.takes.mean,
        scale=network.takes.scale,
        parameters=backbone.card.parameters,
        classes=backbone.classes,
        cuts=len(backbone.cuts),
        blocks=backbone.card.blocks,
        taps={tap.name: tap.channels for tap in backbone.taps},
        head=backbone.head,
        left_out=network.left_out,
    )


def mean_of(text: str) -> Colours:
    """Blue, green and red of ``--mean``: three numbers, one for all, or the name of a mean file.

    Args:
        text: As given.

    Raises:
        InputError: It is neither.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        if "," in text and not Path(text).exists():
            raise InputError(_no_mean(text)) from None
        return read_mean(Path(text))
    if len(numbers) not in {1, 3} or not all(map(math.isfinite, numbers)):
        raise InputError(_no_mean(text))
    return numbers[0], numbers[len(numbers) // 2], numbers[-1]


def _no_mean(text: str) -> str:
    return f"--mean takes a mean file or three numbers (blue, green, red), such as 104,117,123; got {text!r}."
