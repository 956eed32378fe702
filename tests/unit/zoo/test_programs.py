"""The program of a delivered model: plain torch says what the folder says."""

import io
import json
import pickletools
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from unfreeze.core.files import sha256_of
from unfreeze.core.readouts import Readout
from unfreeze.zoo import programs
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import read_model, save_model
from unfreeze.zoo.programs import has_program, write_program
from unfreeze.zoo.tap_classifier import TapClassifier

NAMES = ("ant", "bee", "Käfer")
STRANGER = """
import json, sys, torch
for folder in sys.argv[1:]:
    images = torch.load(f"{folder}-images.pt")
    extra = {"config.json": ""}
    program = torch.export.load(f"{folder}/model.pt2", extra_files=extra).module()
    torch.save([program(images[:count]) for count in (1, 2, 5)], f"{folder}-outputs.pt")
    print(json.dumps(json.loads(extra["config.json"])["label_names"]))
assert not {"unfreeze", "timm", "torchvision"} & set(sys.modules)
"""


def whole(name: str, rng: np.random.Generator) -> Backbone:
    """A network whose head says something."""
    backbone = load_backbone(name, size=64, pretrained=False).with_classes(3)
    weight = torch.from_numpy(rng.normal(size=(3, backbone.card.num_features)).astype(np.float32))
    backbone.set_head(weight, torch.zeros(3))
    return backbone


def cut(name: str, rng: np.random.Generator) -> TapClassifier:
    """The mean and the grid of its first taps."""
    backbone = load_backbone(name, size=64, pretrained=False)
    readouts = tuple(Readout(tap.name, one) for tap in backbone.taps[:2] for one in ("mean", "grid"))  # type: ignore[arg-type]
    codes = sum(5 * tap.channels for tap in backbone.taps[:2])
    weight = rng.normal(size=(3, codes)).astype(np.float32)
    return TapClassifier(backbone=backbone, readouts=readouts, weight=weight, bias=np.zeros(3, np.float32))


@pytest.mark.slow
def test_plain_torch_gives_what_the_folder_gives(tmp_path: Path, rng: np.random.Generator) -> None:
    """A process with torch alone gets the same bits for one image, two or five, and the names from the archive."""
    models = {
        "whole": whole("lite0", rng),
        "cut": cut("lite0", rng),
        "vision": whole("torchvision:squeezenet1_1", rng),
        "svm": cut("resnet18", rng),
    }
    images = torch.from_numpy(rng.integers(0, 256, (5, 64, 64, 3), dtype=np.uint8))
    for name, model in models.items():
        torch.save(images, tmp_path / f"{name}-images.pt")
        save_model(tmp_path / name, model, class_names=NAMES, card_text="", margins=name == "svm")
        assert write_program(tmp_path / name) == ""

    folders = [str(tmp_path / name) for name in models]
    done = subprocess.run([sys.executable, "-c", STRANGER, *folders], capture_output=True, text=True, check=True)

    assert [json.loads(line) for line in done.stdout.splitlines()] == [list(NAMES)] * 4
    for name in models:
        module = read_model(tmp_path / name).module
        for count, outputs in zip((1, 2, 5), torch.load(tmp_path / f"{name}-outputs.pt"), strict=True):
            with torch.no_grad():
                scores = module(images[:count])
            expected = scores if name == "svm" else torch.softmax(scores, dim=1)
            print(name, count, "differs by", float((outputs - expected).abs().max()))
            assert torch.equal(outputs, expected)
            if name != "svm":
                np.testing.assert_allclose(outputs, softmax(scores.numpy(), axis=1), atol=1e-6)


def is_pickle(data: bytes) -> bool:
    """Whether it holds a stream that Python's own reader of pickles follows to its end."""
    try:
        return any(code.name == "STOP" for code, *_ in pickletools.genops(io.BytesIO(data)))
    except Exception:  # whatever it says of bytes that are none
        return False


def test_nothing_in_the_archive_is_a_pickle(tmp_path: Path, rng: np.random.Generator) -> None:
    """Every file of the archive is opened: none is a pickle or an archive of torch.save, none names this machine."""
    save_model(tmp_path / "model", cut("resnet18", rng), class_names=NAMES, card_text="")
    assert write_program(tmp_path / "model") == ""
    buffer = io.BytesIO()
    torch.save([torch.zeros(1)], buffer)
    assert any(is_pickle(zipfile.ZipFile(buffer).read(name)) for name in zipfile.ZipFile(buffer).namelist())

    archive = zipfile.ZipFile(tmp_path / "model" / "model.pt2")
    raw: dict[str, int] = {}  # tensors as plain bytes, by the last part of their names
    for name in archive.namelist():
        if name.endswith("_config.json"):
            for part in json.loads(archive.read(name))["config"].values():
                assert not part["use_pickle"], name
                raw[part["path_name"]] = 4 * np.prod(
                    [size["as_int"] for size in part["tensor_meta"]["sizes"]], dtype=int
                )

    for name in archive.namelist():
        data, last = archive.read(name), name.rpartition("/")[2]
        if last in raw:
            assert len(data) in {raw[last], 2 * raw[last]}, name  # float32, or BatchNorm's counters
        else:
            assert not data.startswith(b"PK"), name
            assert not is_pickle(data), name
        assert str(Path(__file__).parents[3]).encode() not in data, name
        assert str(Path(torch.__file__).parent).encode() not in data, name


def test_the_settings_say_what_the_program_is(tmp_path: Path, rng: np.random.Generator) -> None:
    """Its hash, its input, and whether it gives probabilities; only then the folder counts as having one."""
    save_model(tmp_path / "model", cut("resnet18", rng), class_names=NAMES, card_text="", margins=True)
    assert not has_program(tmp_path / "model")

    assert write_program(tmp_path / "model") == ""

    said = json.loads((tmp_path / "model" / "config.json").read_text())["unfreeze"]["program"]
    assert said["sha256"] == sha256_of((tmp_path / "model" / "model.pt2").read_bytes())
    assert (said["input"], said["output"]) == ("uint8 [batch, 64, 64, 3], red, green, blue", "margins")
    assert has_program(tmp_path / "model")
    assert not read_model(tmp_path / "model").gives_probabilities


def test_what_cannot_be_exported_is_said(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the folder stands, and a sentence says why there is no program."""

    class Stubborn(nn.Module):
        """Asks for a number of its input, which torch.export refuses."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1)[:, :3].float() * (2 if images.sum().item() > 0 else 1)

    save_model(tmp_path / "model", cut("resnet18", rng), class_names=NAMES, card_text="")
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    stubborn = read_model(tmp_path / "model")
    object.__setattr__(stubborn, "module", Stubborn())
    monkeypatch.setattr(programs, "read_model", lambda folder: stubborn)

    sentence = write_program(tmp_path / "model")

    assert sentence.startswith(
        "There is no model.pt2 in the model's folder, since torch.export cannot export resnet18 ("
    )
    assert sentence.endswith("); all else is there.")
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
