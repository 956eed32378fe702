"""The arguments and options that commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypedDict, Unpack

import typer

from unfreeze.cli.places import checked_source, checked_test_folder, checked_weights
from unfreeze.core.settings import LARGEST_SIZE, SMALLEST_SIZE, EngineSettings, ImageSettings, Metric


class Engine(StrEnum):
    """What runs the frozen layers."""

    auto = "auto"
    openvino = "openvino"
    torch = "torch"


class Precision(StrEnum):
    """Arithmetic of the frozen layers."""

    auto = "auto"
    f32 = "f32"
    bf16 = "bf16"
    int8 = "int8"


class Device(StrEnum):
    """Where PyTorch runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Augment(StrEnum):
    """How much training images are varied."""

    light = "light"
    standard = "standard"
    strong = "strong"
    none = "none"


class ReportFormat(StrEnum):
    """In what form a report comes."""

    html = "html"
    md = "md"
    json = "json"


class Resize(StrEnum):
    """How photos become squares."""

    crop = "crop"
    squash = "squash"
    pad = "pad"


class GroupsChoice(StrEnum):
    """What ``--groups`` of a run takes."""

    given = "given"
    guessed = "guessed"


class ResizeChoice(StrEnum):
    """What ``--resize`` of a run takes."""

    auto = "auto"
    crop = "crop"
    squash = "squash"
    pad = "pad"


class MetricChoice(StrEnum):
    """What ``--metric`` takes."""

    auto = "auto"
    accuracy = "accuracy"
    balanced = "balanced"
    log_loss = "log-loss"


METRICS: dict[MetricChoice, Metric | None] = {
    MetricChoice.auto: None,
    MetricChoice.accuracy: "accuracy",
    MetricChoice.balanced: "balanced accuracy",
    MetricChoice.log_loss: "log-loss",
}

Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        help="A folder of class folders, a .csv or .parquet list, or tars, also at an address.",
        show_default=False,
    ),
]
BackboneName = Annotated[
    str,
    typer.Option(
        "--backbone",
        metavar="NAME",
        help="The pretrained network: any name that timm knows, or the folder of a model or of an imported network.",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Its weights, of safetensors or torch.save, instead of the bundled or downloaded ones.",
        show_default=False,
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        "--size",
        metavar="PX",
        min=SMALLEST_SIZE,
        max=LARGEST_SIZE,
        help="Side of the images in pixels, instead of what the network was trained on.",
        show_default=False,
    ),
]
ResizeName = Annotated[
    Resize | None,
    typer.Option(
        "--resize",
        help="How photos become squares: cut out of the middle, squeezed, or whole with a border; the network's own "
        "way if not given.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of every random choice.")]
Budget = Annotated[
    str, typer.Option("--budget", metavar="TIME", help="What all of it may take: 90s, 15m, 1h30m, or seconds.")
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        min=1,
        help="Passes over the training images; found by the budget if not given.",
        show_default=False,
    ),
]
Scratch = Annotated[bool, typer.Option("--scratch", help="Train the same network from random weights.")]
MaxBad = Annotated[
    float,
    typer.Option(
        "--max-bad", metavar="FRACTION", min=0.0, max=1.0, help="Largest fraction of files that may be unusable."
    ),
]
EngineName = Annotated[Engine, typer.Option("--engine", help="What runs the frozen layers.")]
PrecisionName = Annotated[
    Precision,
    typer.Option(
        "--precision", help="Arithmetic of the frozen layers; auto measures what is fast and accurate enough."
    ),
]
DeviceName = Annotated[
    Device, typer.Option("--device", help="Where PyTorch runs; auto: a GPU of NVIDIA's if there is one, else the CPU.")
]
AugmentName = Annotated[Augment, typer.Option("--augment", help="How much training images are varied.")]
MetricName = Annotated[
    MetricChoice, typer.Option("--metric", help="What decides; auto: balanced where classes are very unequal.")
]
Tap = Annotated[
    str | None,
    typer.Option("--tap", metavar="TAP", help="Only this tap; last is the last one.", show_default=False),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="Threads of PyTorch and of OpenVINO, and number of decoders; one per core if not given.",
        show_default=False,
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="CLUSTER",
        help="Work on a cluster: ray for one on this machine or that of the Ray job around, or ray://HOST:PORT.",
        show_default=False,
    ),
]
NumberOfWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="With --on: at most so many workers, of --threads cores each (1); as many as there is room for if not "
        "given.",
        show_default=False,
    ),
]
TestFolder = Annotated[
    Path | None,
    typer.Option(
        "--test",
        metavar="DIR",
        help="Folder of class folders that SOURCE is tested on, in place of a test part of its own.",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="CLASS", help="Leave this class out; may be repeated.", show_default=False),
]
Unlike = Annotated[
    str | None,
    typer.Option(
        "--unlike",
        metavar="SHARE",
        help="Mark photos that are unlike anything in training, of those like it at most this share (1%).",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result and errors, and no progress.")]
Open = Annotated[bool, typer.Option("--open", help="Open the report in the browser at the end.")]
NoPhotos = Annotated[bool, typer.Option("--no-photos", help="Show no photo and name no file in the report.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


class ImageOptions(TypedDict):
    """The values of options that codes, probe and tune have in common, as the parser gives them."""

    backbone: str
    weights: Path | None
    size: int | None
    resize: Resize | None
    seed: int
    max_bad: float
    test: Path | None
    exclude: list[str] | None


def image_settings(
    source: Path, engine: Engine, precision: Precision, device: Device, **asked: Unpack[ImageOptions]
) -> ImageSettings:
    """What codes, probe and tune begin with, checked before imports that take seconds.

    Args:
        source: Folder or list.
        engine: What runs the frozen layers.
        precision: Of their arithmetic.
        device: Where PyTorch runs.
        **asked: The other options.

    Returns:
        The settings.

    Raises:
        InputError: There is no such source, file of weights or test folder.
    """
    checked_source(source)
    checked_weights(asked["weights"])
    checked_test_folder(asked["test"])
    return ImageSettings(
        source=source,
        backbone=asked["backbone"],
        weights=asked["weights"],
        size=asked["size"],
        resize=asked["resize"].value if asked["resize"] else None,
        seed=asked["seed"],
        max_bad=asked["max_bad"],
        request=EngineSettings(engine.value, precision.value, device.value),
        test=asked["test"],
        exclude=tuple(asked["exclude"] or ()),
    )
