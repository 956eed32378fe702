"""The card of an exported model: how to run it without unfreeze, and how it compares with `unfreeze predict`."""

from types import MappingProxyType
from typing import Final

from unfreeze.core.documents import Decoding, ExportParity, ExportRecord, Int8Cost
from unfreeze.core.wording import (
    count,
    difference,
    difference_span,
    megabytes,
    milliseconds,
    percent,
    percent_range,
)

DECODINGS: Final = MappingProxyType[Decoding, str](
    {
        "predict": "as unfreeze predict decodes",
        "pillow": "by Pillow alone",
        "full": "by Pillow alone, at full size",
    }
)

_PHOTO = """photo = Image.open("photo.jpg")
photo.draft(None, (SIDE, SIDE))  # a large JPEG is decoded no larger than unfreeze predict decodes it
pixels = np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))"""

_RUNNING = MappingProxyType(
    {
        "onnx": """import json

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

model = onnxruntime.InferenceSession("FOLDER/model.onnx", providers=["CPUExecutionProvider"])
labels = json.loads(model.get_modelmeta().custom_metadata_map["labels"])

PHOTO

answers = model.run(None, {"image": pixels})[0][0]
print(labels[answers.argmax()], float(answers.max()))""",
        "openvino": """import json

import numpy as np
import openvino
from PIL import Image, ImageOps

model = openvino.Core().read_model("FOLDER/model.xml")
labels = json.loads(model.get_rt_info(["unfreeze", "labels"]).astype(str))
# Without the hint OpenVINO rounds to bfloat16 on processors that have it, resizing included.
program = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

PHOTO

answers = program(pixels)[0][0]
print(labels[answers.argmax()], float(answers.max()))""",
        "torch-export": """import json

import numpy as np
import torch
from PIL import Image, ImageOps

extra = {"labels": ""}
program = torch.export.load("FOLDER/model.pt2", extra_files=extra).module()
labels = json.loads(extra["labels"])

PHOTO

with torch.no_grad():
    answers = program(torch.tensor(pixels))[0]
print(labels[answers.argmax()], float(answers.max()))""",
    }
)
_LIKENESS = MappingProxyType(
    {
        "onnx": 'model.run(["likeness"], {"image": pixels})[0][0]',
        "openvino": 'program(pixels)["likeness"][0]',
        "torch-export": "program(torch.tensor(pixels))[1][0]",
    }
)
_COREML = """Let Vision hand photos over: `VNCoreMLRequest` with `imageCropAndScaleOption` CROP resizes them to what the
model takes, an image named `image`, and `classLabel` is the answer."""
_CROPS = MappingProxyType({"center": ".centerCrop", "squash": ".scaleFill", "border": ".scaleFit"})


def export_card(record: ExportRecord, *, at_least: int, crop: str) -> str:
    """The card, as Markdown.

    Args:
        record: Of the export.
        at_least: Pixels that both sides keep when `unfreeze predict` decodes a large JPEG.
        crop: timm's word for how photos become squares.

    Returns:
        Its text.
    """
    parts = [
        f"# A model exported to {record.target}",
        _what(record),
        "## How to run it without unfreeze",
        _running(record, at_least, crop),
        *(["## Photos unlike anything in training", _unlike(record)] if record.unlike is not None else []),
        "## Does it say what unfreeze predict says?",
        parity_text(record),
    ]
    if record.int8_cost is not None:
        parts += ["## What int8 costs", int8_text(record.int8_cost)]
    return (
        "\n\n".join(
            [*parts, "## The model", "MODEL.md is the card of the model that was exported, its licence included."]
        )
        + "\n"
    )


def _what(record: ExportRecord) -> str:
    number = "int8" if record.int8 else "float32"
    lines = [
        f"- takes: {record.takes}",
        f"- gives: {record.gives}",
        f"- resizing: {record.resize}; arithmetic: {number}; {megabytes(record.megabytes)}",
        "- labels, settings and resizing are in the metadata of the file (`labels`, `card`, `resize`, each as JSON)",
    ]
    return "\n".join([*lines, *([f"- {record.note}"] if record.note else [])])


def _running(record: ExportRecord, at_least: int, crop: str) -> str:
    if record.target == "coreml":
        return _COREML.replace("CROP", f"`{_CROPS[crop]}`")
    code = _RUNNING[record.target].replace("PHOTO", _PHOTO.replace("SIDE", str(at_least)))
    return f"```python\n{code}\n```\n\nFOLDER is this folder."


def _unlike(record: ExportRecord) -> str:
    return (
        f"`{_LIKENESS[record.target]}` is the share of photos like those in training that are at least as unlike them "
        f"as this photo: small for what is none of the classes. Up to {record.unlike:g} (`unlike` in the metadata) the "
        "photo counts as unlike anything in training; of photos like those in training, about that share does."
    )


def parity_text(record: ExportRecord) -> str:
    """What was measured on photos, as a table in Markdown and sentences."""
    if not record.parity:
        return "Nothing was measured: a CoreML model runs on macOS alone."
    rows = [
        f"| {DECODINGS[row.decoding]} | {row.photos:,} | {_share(row)} | {row.largest_difference:.1e} |{_like(row)}"
        for row in record.parity
    ]
    more = (" of likeness |", "---|") if record.unlike is not None else ("", "")
    heading = f"| photos decoded | photos | same likeliest class | largest difference |{more[0]}"
    table = [heading, f"|---|---|---|---|{more[1]}", *rows]
    return "\n".join([*table, "", *parity_sentences(record)])


def parity_sentences(record: ExportRecord) -> tuple[str, ...]:
    """What the figures mean."""
    of = f"{count(record.parity[0].photos, 'photo')}" if record.parity else ""
    reduced = (
        f"unfreeze predict decodes {record.reduced:,} of the {of} at less than full size, as the code above does with "
        "`draft`; a program that decodes them at full size gets the figures of the last row."
        if record.reduced
        else f"None of the {of} is so large that unfreeze predict would decode it at less than full size."
    )
    took = (
        f"A photo takes {milliseconds(record.milliseconds / 1000)} here, decoding apart." if record.milliseconds else ""
    )
    colours = "Pillow alone converts no colour profiles and scales no 16 bits; unfreeze predict does."
    return tuple(filter(None, (reduced, colours, took)))


def _share(row: ExportParity) -> str:
    return f"{row.same_top:,} ({percent(row.same_top / row.photos)})" if row.photos else "-"


def _like(row: ExportParity) -> str:
    return "" if row.likeness_difference is None else f" {row.likeness_difference:.1e} |"


def int8_text(cost: Int8Cost) -> str:
    """What int8 costs, in sentences."""
    learned = f", {cost.learned:,} of which the model has learned from" if cost.learned else ""
    text = (
        f"On {count(cost.photos, 'photo')} that it was not calibrated on{learned}, int8 names the same class as "
        f"float32 on {cost.same_top:,} ({percent(cost.same_top / cost.photos)}, 95 % interval "
        f"{percent_range(cost.same_interval)}). It was calibrated on {cost.calibrated_on:,} others."
    )
    if cost.difference is None or cost.interval is None:
        return f"{text} The photos have no labels, so that accuracy could not be measured."
    return (
        f"{text} Its accuracy there is {percent(cost.int8_accuracy)}, in float32 {percent(cost.accuracy)}: "
        f"{difference(cost.difference, 'accuracy')} (95 % interval {difference_span(cost.interval, 'accuracy')})."
    )
