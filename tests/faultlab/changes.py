"""R12: one thing is changed; what a filled cache gives must be what an empty one gives, and what is equal is reused."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from faultlab.lab import NETWORK, Lab, Try, digest, fresh


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change.

    Attributes:
        name: In words.
        reused: How many photos fewer than all come from the cache; where the network or its input changes as a whole, 0
            means that none does; None if any number may.
        photos: Changes the copied folder of photos.
        options: Options of ``unfreeze codes`` that replace the usual ones.
        weights: Changes the tensors of the network.
        before: ``module:function`` that the command's process calls first.
    """

    name: str
    reused: int | None = None
    photos: Callable[[Path], object] = lambda _: None
    options: dict[str, str] = field(default_factory=dict)
    weights: Callable[[dict[str, Any]], object] | None = None
    before: str = ""


def _first(folder: Path) -> Path:
    return sorted(folder.rglob("*.jpg"))[0]


def _same_size_and_time(folder: Path) -> None:
    path = _first(folder)
    before, data = path.stat(), bytearray(path.read_bytes())
    other = sorted(folder.rglob("*.jpg"))[1].read_bytes()[: len(data)]
    path.write_bytes(other.ljust(len(data), b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def _rotated(folder: Path) -> None:
    path = _first(folder)
    exif = Image.Exif()
    exif[0x0112] = 6
    body, data = exif.tobytes(), path.read_bytes()
    body = body if body.startswith(b"Exif") else b"Exif\0\0" + body
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:])


def _swapped(folder: Path) -> None:
    first, second = sorted(folder.rglob("*.jpg"))[:2]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def _one_pixel(folder: Path) -> None:
    path = sorted(folder.rglob("*.png"))[0]
    picture = Image.open(path).convert("RGB")
    picture.putpixel((20, 20), tuple(value ^ 255 for value in picture.getpixel((20, 20))))
    picture.save(path)


def _to_format(kind: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = sorted(folder.rglob("*.png"))[0]
        Image.open(path).save(path.with_suffix(f".{kind.lower()}"), kind)
        path.unlink()

    return change


def _one_weight(tensors: dict[str, Any]) -> None:
    name = next(
        name for name in tensors if (name.endswith("conv1.weight") and "layer" in name) or "conv2.weight" in name
    )
    flat = tensors[name].view(-1)
    flat[7] += abs(flat[7]) * 1e-5 + 1e-6


def _batch_statistic(tensors: dict[str, Any]) -> None:
    name = next(name for name in tensors if name.endswith("running_mean"))
    tensors[name] += 0.01


def _head(tensors: dict[str, Any]) -> None:
    name = next(name for name in tensors if name.endswith("fc.bias") or name.endswith("classifier.bias"))
    tensors[name] += 1


def pillow_version() -> None:
    """In the command's process."""
    import PIL

    PIL.__version__ = "99.0"


def library_versions() -> None:
    """In the command's process."""
    from importlib import metadata

    usual = metadata.version
    metadata.version = lambda name: "99.0" if name in {"torch", "timm", "openvino"} else usual(name)


CHANGES = (
    Change(name="nothing", reused=0),
    Change(name="the size", options={"--size": "40"}, reused=0),
    Change(name="cut to squeezed", options={"--resize": "squash"}),
    Change(name="cut to bordered", options={"--resize": "pad"}),
    Change(name="one weight a little", weights=_one_weight, reused=0),
    Change(name="a statistic of BatchNorm", weights=_batch_statistic, reused=0),
    Change(name="the head alone", weights=_head),
    Change(name="the name of the weights' file", weights=lambda _: None),
    Change(name="another network", options={"--backbone": "tf_efficientnet_lite0", "--weights": ""}, reused=0),
    Change(name="another engine", options={"--engine": "openvino"}, reused=0),
    Change(name="another engine and precision", options={"--engine": "openvino", "--precision": "bf16"}, reused=0),
    Change(name="precision", options={"--precision": "bf16"}, reused=0),
    Change(name="bytes of equal size and time", photos=_same_size_and_time),
    Change(name="one pixel", photos=_one_pixel, reused=-1),
    Change(name="the name of a photo", photos=lambda folder: _first(folder).rename(folder / "a" / "z.jpg"), reused=0),
    Change(name="the time of a photo", photos=lambda folder: _first(folder).touch(), reused=0),
    Change(name="EXIF rotation alone", photos=_rotated, reused=-1),
    Change(name="bytes behind the end", photos=lambda folder: _first(folder).open("ab").write(b"trailing"), reused=-1),
    Change(name="two photos in each other's place", photos=_swapped, reused=0),
    Change(name="PNG to BMP", photos=_to_format("BMP"), reused=-1),
    Change(name="PNG to WebP", photos=_to_format("WEBP"), reused=-1),
    Change(name="a photo less", photos=lambda folder: _first(folder).unlink()),
    Change(name="Pillow's version", before="faultlab.changes:pillow_version", reused=0),
    Change(name="versions of torch, timm and OpenVINO", before="faultlab.changes:library_versions"),
    Change(name="the number of threads", options={"--threads": "2"}),
)


def tried(lab: Lab, change: Change) -> Try:
    """R12: `unfreeze codes` after a change, from a filled cache and from an empty one."""
    assert lab.right_codes
    photos = fresh(lab.work / "changed", like=lab.photos)
    change.photos(photos)
    weights = _weights(lab, change)
    found = []
    for like in (lab.work / "codes-cache", None):
        out = fresh(lab.work / "out") / "codes.parquet"
        arguments = ["codes", photos, "--out", out, *_options(lab, change, weights), "--json"]
        cache = fresh(lab.work / "cache", like=like)
        code = lab.warm.run(arguments, cache=cache, before=change.before)
        said = lab.warm.said()
        if code != 0:
            return Try(goal="R12", case=change.name, wrong=f"exit {code}: {said[-300:]}")
        document = json.JSONDecoder().raw_decode(said[said.index("{\n") :])[0]
        found.append((digest(out), document["reused"], document["images"]))
    (warm, reused, images), (cold, _, _) = found
    count = images if isinstance(images, int) else len(list(photos.rglob("*.*")))
    wrong = [] if warm == cold else ["STALE"]
    if change.reused is not None and reused != (0 if _none(change) else count + change.reused):
        wrong.append(f"{reused} of {count} reused")
    return Try(goal="R12", case=change.name, wrong="; ".join(wrong), seen=f"{reused} of {count} reused")


def _none(change: Change) -> bool:
    """Whether nothing may be reused: whatever changes the network or its input as a whole."""
    return change.reused == 0 and bool(change.options or change.weights or change.before)


def _options(lab: Lab, change: Change, weights: Path) -> list[str]:
    usual = {"--size": "32", "--backbone": NETWORK, "--weights": str(weights), "--engine": "torch"} | change.options
    return [part for name, value in usual.items() if value for part in (name, value)]


def _weights(lab: Lab, change: Change) -> Path:
    if change.weights is None:
        return lab.weights
    from safetensors.torch import load_file, save_file

    tensors = load_file(lab.weights)
    change.weights(tensors)
    path = lab.work / "changed.safetensors"
    save_file(tensors, path)
    return path
