"""Networks of other libraries, imported."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unfreeze.core.documents import ImportRecord
from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.files import sha256_of_file
from unfreeze.core.progress import SILENT, Progress
from unfreeze.features.onnx_files import read_onnx
from unfreeze.zoo.backbones import describe
from unfreeze.zoo.caffe import importing as caffe
from unfreeze.zoo.caffe.files import read_caffe_files, read_mean
from unfreeze.zoo.imported.endings import Imported
from unfreeze.zoo.imported.folder import write_network
from unfreeze.zoo.imported.network import build_imported
from unfreeze.zoo.networks import NetworkName
from unfreeze.zoo.onnx import importing as onnx
from unfreeze.zoo.preprocessing import Colours


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """What to import.

    Attributes:
        files: An ONNX file, or a prototxt and a caffemodel.
        out: Folder of the network that is written.
        preprocessing: How an ONNX file's network takes pixels, a key of `zoo.onnx.importing.WAYS`; None if not given.
        mean: Three numbers (``104,117,123``) in the network's order of channels, one for all, or the name of a mean
            file; None for what the prototxt or `preprocessing` says.
        scale: Factor of pixels less the mean; None for what they say, else 1.
        size: Side of its images, pixels; None for what the files say.
        until: Last layer of the trunk; None for the whole network.
        licence: Of the weights.
    """

    files: Sequence[Path]
    out: Path
    preprocessing: str | None = None
    mean: str | None = None
    scale: float | None = None
    size: int | None = None
    until: str | None = None
    licence: str = "unknown"


def import_network(settings: ImportSettings, *, progress: Progress = SILENT) -> ImportRecord:
    """Import a network: a folder that ``--backbone`` takes.

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
    progress.say(f"reading {settings.files[-1]}")
    network = _read(settings, mean)
    progress.stop.check()
    module = build_imported(network.description)
    # Described before it is written: a network without cuts is of no use.
    name = NetworkName("imported", str(out))
    backbone = describe(name, module, network.takes, source="", licence=settings.licence)
    hashes = {path.name: sha256_of_file(path) for path in settings.files}
    write_network(out, network, files=hashes, licence=settings.licence)
    takes = network.takes
    return ImportRecord(
        files=hashes,
        folder=str(out),
        size=takes.size,
        channels=takes.channels,
        scale=takes.scale,
        mean=takes.mean,
        std=takes.std,
        parameters=backbone.card.parameters,
        classes=backbone.classes,
        cuts=len(backbone.cuts),
        blocks=backbone.card.blocks,
        taps={tap.name: tap.channels for tap in backbone.taps},
        head=backbone.head,
        left_out=network.left_out,
    )


def _read(settings: ImportSettings, mean: Colours | None) -> Imported:
    scale, size, until = settings.scale, settings.size, settings.until
    if len(settings.files) == 1:
        onnx.check_way(settings.preprocessing)  # before seconds are spent
        nodes = read_onnx(settings.files[0], size)
        takes = onnx.preprocessing_by(settings.preprocessing, nodes.size, mean=mean, scale=scale)
        return onnx.imported(nodes, takes, until=until)
    if len(settings.files) != 2:
        msg = (
            f"A network comes as one ONNX file, or as a prototxt and a caffemodel; got {len(settings.files)} files. "
            "Name the one, or the two."
        )
        raise InputError(msg)
    if settings.preprocessing is not None:
        msg = "--preprocessing is for ONNX files; what a network of Caffe's takes is said by --mean and --scale."
        raise InputError(msg)
    return caffe.imported(read_caffe_files(*settings.files), until=until, mean=mean, scale=scale, size=size)


def mean_of(text: str) -> Colours:
    """The three numbers of ``--mean``, one for all of them, or those of a mean file.

    Args:
        text: As given.

    Raises:
        InputError: It is none of these.
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
