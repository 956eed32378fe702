"""The model card: what a delivered model is, what was measured of it, and whose weights it came from.

After Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv:1810.03993); the front matter is
the Hugging Face Hub's.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from unfreeze.core.cards import Card
from unfreeze.core.phrases import CAVEAT, calibrated
from unfreeze.core.plans import TrainingSettings
from unfreeze.core.records import Confirmation, ImageCounts, Interval, ModelCost, Outcome
from unfreeze.core.wording import count, megabytes, milliseconds, nats, percent, percent_range

CLASSES_NAMED = 200  # more would bury the rest; config.json has them all

LONGEST_SETTING = 120  # characters; run.json has the others
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")

_LOADING = {
    "timm": """```python
import timm
import torch
from PIL import Image

model = timm.create_model("local-dir:PATH", pretrained=True).eval()  # PATH is this folder
data = timm.data.resolve_model_data_config(model)
transform = timm.data.create_transform(**data, is_training=False)
with torch.no_grad():
    scores = model(transform(Image.open("photo.jpg").convert("RGB"))[None])
print(model.pretrained_cfg["label_names"][scores.argmax().item()])
```""",
    "other": """```python
from unfreeze import load_model

model, class_names = load_model("PATH")  # PATH is this folder
```""",
    "cut": """The network ends at its deepest tap, so timm does not load it, and `load_model` gives a module:

```python
import numpy as np
import torch
from unfreeze import load_model

model, class_names = load_model("PATH")  # PATH is this folder
images = torch.from_numpy(np.zeros((1, SIZE, SIZE, 3), np.uint8))  # red, green, blue
with torch.no_grad():
    scores = model(images)
print(class_names[scores.argmax(dim=1)[0]])
```""",
}

PROGRAM_HEADING = "## How to run it with torch alone"
_PROGRAM = """`model.pt2` is the same model as a program of `torch.export`: neither unfreeze nor timm has to be
installed. It takes uint8 images `[batch, SIZE, SIZE, 3]`, red, green, blue, normalises them itself, and gives GIVEN.

```python
import json

import torch
from PIL import Image

folder = "PATH"  # this folder
program = torch.export.load(f"{folder}/model.pt2").module()
with open(f"{folder}/config.json") as file:
    names = json.load(file)["label_names"]

image = Image.open("photo.jpg").convert("RGB")
RESIZED
left, top = round((image.width - SIZE) / 2), round((image.height - SIZE) / 2)
image = image.crop((left, top, left + SIZE, top + SIZE))
pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(1, SIZE, SIZE, 3)

with torch.no_grad():
    ANSWERS = program(pixels)[0]
print(names[ANSWERS.argmax()], float(ANSWERS.max()))
```
"""
_RESIZED = {
    "center": """side = min(image.size)
image = image.resize(tuple(RESIZE * length // side for length in image.size), Image.Resampling.FILTER)""",
    "squash": "image = image.resize((RESIZE, RESIZE), Image.Resampling.FILTER)",
    "border": """ratio = max(image.size) / RESIZE
resized = image.resize(tuple(max(1, round(length / ratio)) for length in image.size), Image.Resampling.FILTER)
image = Image.new("RGB", (RESIZE, RESIZE), BORDER)
image.paste(resized, ((RESIZE - resized.width) // 2, (RESIZE - resized.height) // 2))""",
}

_WHOLE = {
    "squash": "the whole image squeezed into the square",
    "border": "the whole image with a border of the mean colour",
}


def model_card(
    *,
    title: str,
    outcome: Outcome,
    network: Card,
    classes: Sequence[str],
    images: ImageCounts,
    test_size: int,
    measured: Sequence[str],
    warnings: Sequence[str] = (),
) -> str:
    """The README.md of a delivered model.

    Args:
        title: What the model is, in a few words.
        outcome: The strategy that gave it, with what was measured.
        network: The card of the source network.
        classes: Class names, in the order of the class indices.
        images: Where every file went.
        test_size: Number of images of the test part, which trained nothing; 0 without one.
        measured: Further sentences on how it was measured.
        warnings: What has to be known first.

    Returns:
        Markdown with YAML front matter.
    """
    sections = [
        _front_matter(network, is_cut=_is_cut(outcome)),
        f"# {escaped(title)}",
        *(f"**{escaped(warning)}**" for warning in warnings),
        "An image classifier that unfreeze made from a pretrained network.",
        "## What was trained\n\n" + _training(outcome, network),
        "## On what\n\n" + _data(classes, images, test_size),
        "## What was measured\n\n" + _measurement(outcome, test_size, measured),
        "## The source network\n\n" + _source(outcome, network),
        "## Preprocessing\n\n" + _preprocessing(network),
        "## How to load it\n\n" + _loading(outcome, network),
    ]
    return "\n\n".join(sections) + "\n"


def program_section(network: Card, *, probabilities: bool) -> str:
    """What the README.md of a model says at its end if there is a ``model.pt2``.

    Args:
        network: The card of the model.
        probabilities: Whether it gives probabilities; else an SVM's margins.

    Returns:
        Markdown, which begins with `PROGRAM_HEADING`.
    """
    text = _PROGRAM.replace("RESIZED", _RESIZED[network.crop_mode])
    given = "probabilities" if probabilities else "an SVM's margins, which order the classes and are no probabilities"
    words = {
        "RESIZE": network.resized_side,
        "BORDER": network.border,
        "SIZE": network.size,
        "FILTER": network.interpolation.upper(),
        "GIVEN": given,
        "ANSWERS": "probabilities" if probabilities else "margins",
    }
    for word, value in words.items():
        text = text.replace(word, str(value))
    return f"{PROGRAM_HEADING}\n\n{text}"


def escaped(text: str) -> str:
    """A file or class name inside Markdown: no markup, no control or invisible characters, one line."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" and c != " " else c for c in text)
    return _MARKUP.sub(r"\\\1", visible).replace("&", "&amp;")


def licence_id(licence: str) -> str:
    """The Hub's identifier of a licence, for example ``apache-2.0``; ``unknown`` if there is none."""
    return re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-") or "unknown"


def _is_cut(outcome: Outcome) -> bool:
    """Whether the model is a network that ends at a tap."""
    return outcome.model_cost is not None and outcome.model_cost.deepest_tap is not None


def _loading(outcome: Outcome, network: Card) -> str:
    if _is_cut(outcome):
        return _LOADING["cut"].replace("SIZE", str(network.size))
    if network.library == "imported":
        return f"timm has no such network; `model.pt2` and `load_model` do without it:\n\n{_LOADING['other']}"
    return _LOADING["timm" if network.library == "timm" else "other"]


def _front_matter(network: Card, *, is_cut: bool) -> str:
    timm = network.library == "timm" and not is_cut
    fields = {
        "license": licence_id(network.licence),
        "library_name": "timm" if timm else "unfreeze",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "transfer-learning", "unfreeze", *(["timm"] if timm else [])],
    }
    # JSON is YAML, and quotes what has to be quoted.
    return "\n".join(["---", *(f"{key}: {json.dumps(value)}" for key, value in fields.items()), "---"])


def _training(outcome: Outcome, network: Card) -> str:
    lines = [f"- strategy: {escaped(outcome.name)}", f"- trained: {escaped(outcome.description)}"]
    if outcome.status != "done":
        lines.append(f"- {escaped(outcome.status)}: {escaped(outcome.note)}")
    lines += [f"- {name.replace('_', ' ')}: {escaped(value)}" for name, value in _settings(outcome)]
    if outcome.audit is not None:
        held = "held" if outcome.audit.passed else "DID NOT HOLD"
        tensors = f"{outcome.audit.frozen_tensors:,} frozen tensors hashed before and after"
        lines.append(f"- the audit of the freezing {held}: {tensors}")
    lines += [f"- {line}" for line in _using(outcome.model_cost)]
    blocks = ", ".join(f"`{block}`" for block in network.blocks)
    return "\n".join([*lines, "", f"Blocks of the network, from the pixels on: {blocks}"])


def _using(cost: ModelCost | None) -> list[str]:
    """What the model takes, in list items."""
    if cost is None:
        return []
    ends = [f"the network ends at its tap `{cost.deepest_tap}`"] if cost.deepest_tap else []
    took = cost.milliseconds_an_image
    time = f", {milliseconds(took / 1000)} an image in plain torch on one core or the GPU of the run" if took else ""
    return [*ends, f"to use it: {megabytes(cost.megabytes)} of weights{time}"]


def _settings(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """How it was fitted or trained: what fits on a line."""
    settings = outcome.settings
    if settings is None:
        return
    plans = [settings.plan] if isinstance(settings, TrainingSettings) else []
    for part in (settings, *plans):
        for field in fields(part):
            value = getattr(part, field.name)
            values = value if isinstance(value, tuple) else (value,)
            text = ", ".join(map(_setting, values))
            if text and not any(map(is_dataclass, values)) and len(text) <= LONGEST_SETTING:
                yield field.name, text


def _setting(value: object) -> str:
    """A setting in words; empty where there is none."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _data(classes: Sequence[str], images: ImageCounts, test_size: int) -> str:
    named = [f"{index}. {escaped(name)}" for index, name in enumerate(classes[:CLASSES_NAMED])]
    more = [f"and {len(classes) - CLASSES_NAMED:,} more, named in config.json"] if len(classes) > CLASSES_NAMED else []
    apart = f"; {test_size:,} more, the test part, only confirmed it" if test_size else ""
    return "\n".join(
        [
            f"{count(images.used - test_size, 'image')} trained this model{apart}. "
            f"{count(images.found, 'file')} {'was' if images.found == 1 else 'were'} found, "
            f"{images.set_aside:,} set aside as unusable, {images.duplicates_removed:,} removed as duplicates, "
            f"{images.skipped:,} skipped.",
            "",
            f"{count(len(classes), 'class')}, by index:",
            "",
            *named,
            *more,
        ]
    )


def _measurement(outcome: Outcome, test_size: int, measured: Sequence[str]) -> str:
    parts = []
    if outcome.accuracy is not None and outcome.splits:
        splits = count(outcome.splits, "split")
        parts += [
            f"The strategy, on {splits}: models trained on one part of the images and tested on the other. The model "
            "in this folder was then trained on everything, so it is none of those that were measured.",
            _table(outcome.accuracy, outcome.interval, outcome.balanced_accuracy, outcome.log_loss),
        ]
    if outcome.calibration is not None:
        parts.append(calibrated(outcome.calibration))
    if outcome.confirmation is not None:
        parts += _confirmation(outcome.confirmation, test_size)
    return "\n\n".join([*(parts or ["Nothing was measured."]), *(["\n".join(measured)] if measured else [])])


def _confirmation(found: Confirmation, test_size: int) -> list[str]:
    return [
        f"The model in this folder, on the test part ({count(test_size, 'image')}), which has chosen nothing:",
        _table(found.accuracy, found.interval, found.balanced_accuracy, found.log_loss),
        CAVEAT,
    ]


def _table(accuracy: float, interval: Interval | None, balanced: float | None, log_loss: float | None) -> str:
    rows = [("accuracy", percent(accuracy))]
    if interval is not None:
        rows.append(("95 % interval of the accuracy", percent_range(interval)))
    if balanced is not None:
        rows.append(("balanced accuracy", percent(balanced)))
    if log_loss is not None:
        rows.append(("log-loss", f"{nats(log_loss)} nats"))
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _source(outcome: Outcome, network: Card) -> str:
    licence = network.licence or "unknown"
    if outcome.kind == "scratch":
        origin = "Its architecture alone was used: the weights were random before training."
    else:
        origin = f"Its weights came from: {escaped(network.source)}."
    notice = (
        "The licence of the source weights is unknown: find it out before this model is passed on."
        if licence == "unknown"
        else f"The source weights are under {escaped(licence)}; this model is derived from them."
    )
    return "\n".join(
        [
            f"- network: `{network.name}` ({network.parameters:,} parameters)",
            f"- {origin}",
            f"- {notice}" if outcome.kind != "scratch" else "- No licence of source weights applies.",
            f"- sha256 of the source weights: `{network.weights_sha256}`",
        ]
    )


def _preprocessing(network: Card) -> str:
    """Of the delivered model, which takes RGB from 0 to 1, whatever its source took."""
    size, delivered = network.size, network.in_unit_rgb()
    part = percent(network.crop_pct)
    if network.crop_mode == "center":
        cut = f"center crop of {part}"
    else:
        cut = _WHOLE[network.crop_mode] + ("" if network.crop_pct == 1 else f", of which the middle {part}")
    return "\n".join(
        [
            f"- RGB, {size} x {size} pixels, {cut}, {network.interpolation} interpolation",
            f"- values from 0 to 1, mean {_triple(delivered.mean)}, std {_triple(delivered.std)}",
        ]
    )


def _triple(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
