"""A small place to break things in: photos, a tiny network, the commands on them, and what they give undisturbed."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from faultlab.warm import Warm
from timeless import without_times

NETWORK = "test_resnet"  # the smallest that timm has
LITTER = ".unfreeze-tmp*"
OURS = re.compile(r"this is a fault of unfreeze.*|Traceback \(most recent call last\).*")


@dataclass(frozen=True, kw_only=True)
class Try:
    """One fault and what came of it.

    Attributes:
        goal: Row of the table of faults, for example R2.
        case: What was done to what.
        wrong: What did not hold; empty if all did.
        seen: What happened, for the record.
    """

    goal: str
    case: str
    wrong: str
    seen: str = ""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command whose files are watched.

    Attributes:
        name: Of the way by which files are committed.
        begin: What stands behind ``unfreeze``, given the folder for results.
        again: The same for a second try in the same folder.
        standing: What is wrong with the results that stand in the folder, half or whole; empty if nothing is.
        finished: What differs from the results of an undisturbed command; empty if nothing does.
        cache: From where the try's cache is copied; an empty one if None.
    """

    name: str
    begin: Callable[[Path], list[object]]
    again: Callable[[Path], list[object]]
    standing: Callable[[Path], str]
    finished: Callable[[Path], str]
    cache: Path | None


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fresh(path: Path, *, like: Path | None = None) -> Path:
    """An empty folder, or a copy of another one, in place of whatever was there."""
    shutil.rmtree(path, ignore_errors=True)
    if like is None:
        path.mkdir(parents=True)
    else:
        shutil.copytree(like, path, symlinks=True)
    return path


def draw_photos(folder: Path, *, classes: str = "abc", count: int = 8, side: int = 40) -> Path:
    """Class folders with photos of noise around a colour, PNG and JPEG by turns."""
    rng = np.random.default_rng(0)
    for hue, label in enumerate(classes):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 90, (side, side, 3), dtype=np.uint8)
            pixels[:, :, hue % 3] += 120
            Image.fromarray(pixels).save(folder / label / f"{number:03}.{'jpg' if number % 2 else 'png'}")
    return folder


def litter(*folders: Path) -> list[str]:
    """What was left half written."""
    return sorted(path.name for folder in folders for path in folder.rglob(LITTER))


class Lab:
    """Commands and their undisturbed results; what is slow is made once, when it is first needed.

    Args:
        warm: Where commands are forked.
        work: Folder for everything.
    """

    def __init__(self, warm: Warm, work: Path) -> None:
        self.warm = warm
        self.work = work
        self.photos = draw_photos(work / "photos")
        self.weights = work / "weights.safetensors"
        _save_weights(self.weights)
        self.network = ("--size", "32", "--backbone", NETWORK, "--weights", self.weights)
        (work / "reference").mkdir()

    def done(self, arguments: list[object], *, cache: Path, **settings: Any) -> None:
        """Run a command that has to succeed."""
        code = self.warm.run(arguments, cache=cache, **settings)
        assert code == 0, (code, arguments, self.warm.said())

    def codes(self, out: Path, *, photos: Path | None = None, engine: str = "torch") -> list[object]:
        """Arguments of ``unfreeze codes``."""
        return ["codes", photos or self.photos, "--out", out, "--engine", engine, *self.network]

    def run(self, out: Path) -> list[object]:
        """Arguments of ``unfreeze run`` with a plan that no clock changes."""
        fixed = ("--rounds", "1", "--epochs", "1", "--strategies", "none", "--resize", "crop")
        return ["run", self.photos, "--out", out, "--engine", "torch", *self.network, *fixed]

    def tune(self, out: Path) -> list[object]:
        """Arguments of ``unfreeze tune`` that train the head as the reference did."""
        fixed = ("--unfreeze", "head", "--epochs", "1", "--like", self.straight / "run")
        return ["tune", self.photos, "--out", out, "--engine", "torch", *self.network, *fixed]

    @cached_property
    def straight(self) -> Path:
        """Folder of an undisturbed run, which chose how training computes and stored the codes in `ready`."""
        out = self.work / "reference" / "straight"
        out.mkdir()
        self.done(self.run(out / "run"), cache=self.work / "ready")
        return out

    @property
    def ready(self) -> Path:
        """A cache in which everything is that a run needs."""
        assert self.straight
        return self.work / "ready"

    @cached_property
    def without_codes(self) -> Path:
        """The same without codes."""
        cache = fresh(self.work / "without-codes", like=self.ready)
        shutil.rmtree(cache / "codes")
        return cache

    @cached_property
    def right_codes(self) -> str:
        """Digest of what ``codes`` writes."""
        out = self.work / "reference" / "codes.parquet"
        self.done(self.codes(out), cache=self.work / "codes-cache")
        return digest(out)

    @cached_property
    def right_openvino(self) -> str:
        """Digest of what ``codes --engine openvino`` writes."""
        out = self.work / "reference" / "openvino.parquet"
        self.done(self.codes(out, engine="openvino"), cache=self.work / "openvino-cache")
        return digest(out)

    @cached_property
    def right_run(self) -> tuple[Any, str]:
        """Record and weights of an undisturbed run that finds its codes in the cache, as those do that are struck."""
        out = self.work / "reference" / "again"
        out.mkdir()
        self.done(self.run(out / "run"), cache=fresh(self.work / "run-cache", like=self.ready))
        return _of_run(out / "run")

    @cached_property
    def right_model(self) -> str:
        """Digest of the weights that ``tune`` writes."""
        out = self.work / "reference" / "tuned"
        self.done(self.tune(out), cache=fresh(self.work / "tune-cache", like=self.ready))
        return digest(out / "model.safetensors")

    def commands(self) -> dict[str, Command]:
        """Every way by which files are committed."""
        return {
            "codes": self._codes_command("torch"),
            "openvino": self._codes_command("openvino"),
            "run": Command(
                name="run",
                begin=lambda out: self.run(out / "run"),
                again=lambda out: (
                    ["run", "--resume", out / "run"] if (out / "run" / "plan.json").exists() else self.run(out / "run")
                ),
                standing=lambda out: _standing_run(out / "run"),
                finished=lambda out: "" if _of_run(out / "run") == self.right_run else "the resumed run differs",
                cache=self.ready,
            ),
            "tune": Command(
                name="tune",
                begin=lambda out: self.tune(out / "model"),
                again=lambda out: self.tune(out / "model"),
                standing=lambda out: _standing_model(out / "model"),
                finished=lambda out: (
                    "" if digest(out / "model" / "model.safetensors") == self.right_model else "the model differs"
                ),
                cache=self.ready,
            ),
            "upkeep": Command(
                name="upkeep",
                begin=lambda _: ["cache", "repair"],
                again=lambda _: ["cache", "repair"],
                standing=lambda _: "",
                finished=lambda _: "",
                cache=self.damaged,
            ),
        }

    def _codes_command(self, engine: str) -> Command:
        def name(out: Path) -> Path:
            return out / "codes.parquet"

        def differs(out: Path) -> str:
            right = self.right_codes if engine == "torch" else self.right_openvino
            return "" if digest(name(out)) == right else "the codes differ"

        return Command(
            name="codes" if engine == "torch" else engine,
            begin=lambda out: self.codes(name(out), engine=engine),
            again=lambda out: self.codes(name(out), engine=engine),
            standing=lambda out: differs(out) if name(out).exists() else "",
            finished=differs,
            cache=None,
        )

    @cached_property
    def damaged(self) -> Path:
        """A cache with a damaged shard, a lost manifest and litter."""
        assert self.right_codes
        cache = fresh(self.work / "damaged", like=self.work / "codes-cache")
        (shard,) = cache.glob("codes/*/*.parquet")
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.write_bytes(data)
        (shard.parent / "manifest.json").unlink()
        return cache


def _save_weights(path: Path) -> None:
    import timm
    import torch
    from safetensors.torch import save_file

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(NETWORK, pretrained=False, num_classes=10)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)


def _of_run(folder: Path) -> tuple[Any, str]:
    weights = folder / "model" / "model.safetensors"
    record = without_times(json.loads((folder / "run.json").read_text()))
    return record, digest(weights) if weights.exists() else "no model"


def _standing_model(folder: Path) -> str:
    if not folder.exists() or not any(path.name[0] != "." for path in folder.iterdir()):
        return ""
    try:
        config = json.loads((folder / "config.json").read_text())
        recorded = config["unfreeze"]["file_sha256"]
    except (OSError, ValueError, KeyError) as error:
        return f"half a model: {error!r}"
    return "" if recorded == digest(folder / "model.safetensors") else "a model with other weights"


def _standing_run(folder: Path) -> str:
    for name in ("run.json", "plan.json"):
        if (folder / name).exists():
            try:
                json.loads((folder / name).read_text())
            except ValueError:
                return f"half of {name}"
    report = folder / "report.html"
    if report.exists() and not report.read_text().rstrip().endswith("</html>"):
        return "half a report"
    return _standing_model(folder / "model")
