"""A network and its weights, out of Caffe's files: what is built, what it takes, and the values of its tensors."""

import numpy as np
import torch

from unfreeze.core.errors import PlanError
from unfreeze.zoo.caffe.conversion import Layer, operations_of, wiring
from unfreeze.zoo.caffe.files import CaffeFiles
from unfreeze.zoo.imported.description import Description
from unfreeze.zoo.imported.endings import Imported, ended
from unfreeze.zoo.preprocessing import Colours, Preprocessing

# The networks of Caffe's model zoo were trained on crops, of 224 or 227 pixels, of images resized to 256 (bilinear).
RESIZED = 256
CROPS = range(192, 257)
CROP_PCT = 0.875


def imported(
    files: CaffeFiles,
    *,
    until: str | None = None,
    mean: Colours | None = None,
    scale: float | None = None,
    size: int | None = None,
) -> Imported:
    """A backbone out of Caffe's files.

    Args:
        files: What they hold.
        until: Last layer of the trunk; None for the whole network with its classifier.
        mean: Blue, green, red; None for what the prototxt says.
        scale: Factor of pixels less the mean; None for what the prototxt says, else 1.
        size: Side of the images; None for what the prototxt says.

    Returns:
        The network.

    Raises:
        PlanError: A layer is not known, the network ends in no classifier, or its input is not known.
        WeightsError: Layers and weights do not fit.
    """
    wired = wiring(files.network, until)
    converted = operations_of(wired, files.blobs)
    takes = _input(wired.images, mean=mean, scale=scale, size=size)
    whole = Description(operations=converted.operations, output=converted.output, head="", size=takes.size)
    tensors = {name: torch.from_numpy(np.array(value, np.float32)) for name, value in converted.tensors.items()}
    return ended(whole, tensors, takes, trunk=until is not None)


# --- its input ------------------------------------------------------------------------------------------------------


def _input(images: Layer, *, mean: Colours | None, scale: float | None, size: int | None) -> Preprocessing:
    transform = images["transform"] or {"given": [], "scale": 1.0, "crop_size": 0, "mean_value": [], "mean_file": ""}
    settings = images["settings"]
    old = settings if images["type"] == "Data" and not transform["given"] else {}  # of the first versions
    stated = transform["mean_value"]
    if mean is None and len(stated) in {1, 3}:
        mean = (stated[0], stated[len(stated) // 2], stated[-1])
    if mean is None:
        file = transform["mean_file"] or old.get("mean_file", "")
        where = f"names {file}, which holds it: --mean FILE" if file else "does not say"
        msg = (
            f"Which mean is to be subtracted from the pixels? The prototxt {where}. Give it with --mean FILE or with "
            "--mean 104,117,123 (blue, green, red; these are ImageNet's), or --mean 0,0,0 for none."
        )
        raise PlanError(msg)
    factor = scale if scale is not None else transform["scale"] if transform["given"] else old.get("scale", 1.0)
    if not factor > 0:
        msg = f"The pixels' scale is {factor:g}, and it has to be positive. Give another with --scale."
        raise PlanError(msg)
    side = _side(images, transform["crop_size"] or old.get("crop_size", 0), size)
    return Preprocessing(
        size=side,
        crop_pct=side / RESIZED if side in CROPS else CROP_PCT,
        crop_mode="center",
        interpolation="bilinear",
        channels="BGR",
        scale=1.0,
        mean=mean,
        std=(1 / factor,) * 3,
    )


def _side(images: Layer, crop: int, size: int | None) -> int:
    """Side of the images: as asked, else as the prototxt says."""
    settings = images["settings"]
    shape = list((settings.get("shape") or [[]])[0])
    if images["type"] == "MemoryData":
        shape = [1, settings["channels"], settings["height"], settings["width"]]
    if len(shape) == 4 and shape[1] != 3:
        msg = f"The network takes {shape[1]} channels, and photos have three. Choose another network."
        raise PlanError(msg)
    height, width = (shape[2], shape[3]) if len(shape) == 4 else (crop, crop)
    if size is not None:
        return size
    if height != width or not 8 <= height <= 4096:
        found = f"{height} x {width} pixels" if height or width else "no size"
        msg = f"The network takes squares here, and the prototxt says {found}. Give a side with --size PX."
        raise PlanError(msg)
    return int(height)
