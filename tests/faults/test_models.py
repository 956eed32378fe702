"""Model folders and weights that were damaged or made to harm: refused in one sentence, and nothing in them runs."""

import contextlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import nn

from unfreeze.core.errors import InputError, WeightsError
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import read_model, save_model
from unfreeze.zoo.model_config import read_config, write_config
from unfreeze.zoo.networks import parse_name
from unfreeze.zoo.weights import bundled_file, bundled_weights, read_weights

NAMES = ("ants", "bees", "cats")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delivered model."""
    backbone = load_backbone("resnet10t", size=64, pretrained=False).with_classes(3)
    folder = tmp_path_factory.mktemp("whole") / "model"
    save_model(folder, backbone, class_names=NAMES, card_text="")
    return folder


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_bytes((whole / "config.json").read_bytes())
    (folder / "model.safetensors").hardlink_to(whole / "model.safetensors")
    return folder


def test_no_flipped_bit_of_the_settings_is_silent(model: Path) -> None:
    """Whatever bit of config.json flips, it is refused, or it says exactly what it said."""
    data, rng = (model / "config.json").read_bytes(), random.Random(0)
    right = read_config(model)
    for _ in range(500):
        place, bit = rng.randrange(len(data)), rng.randrange(8)
        (model / "config.json").write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        with contextlib.suppress(InputError):
            assert read_config(model) == right, (place, bit)


def test_names_changed_by_hand_are_noticed(model: Path) -> None:
    """Class names that were exchanged in the file are damage, not other names."""
    config = json.loads((model / "config.json").read_text())
    config["label_names"].reverse()
    (model / "config.json").write_text(json.dumps(config))

    with pytest.raises(InputError, match=r"The settings in .* are damaged"):
        read_model(model)


def in_card(**changes: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the card."""
    return lambda config: config["unfreeze"]["card"].update(changes)


def in_all(**changes: Any) -> Callable[[dict[str, Any]], None]:
    """A change of what timm reads."""
    return lambda config: config.update(changes)


HOSTILE: list[Callable[[dict[str, Any]], None]] = [
    in_all(num_classes=2), in_all(num_classes=10**9), in_all(label_names=["a", "b"]), in_all(label_names=[1, 2, 3]),
    in_all(label_names=["a", "b", "b"]), in_all(label_names="abc"), in_all(unfreeze=[]), in_all(unfreeze=None),
    in_all(label_names=["a", "b", "c", "d"], num_classes=4),
    in_card(name="resnet18"), in_card(name="hf-hub:evil/model"), in_card(name="../../etc"), in_card(name=[1]),
    in_card(name="torchvision:resnet18", library="torchvision"), in_card(library="pickle"),
    in_card(size=10**6), in_card(size="a"), in_card(size=0), in_card(size=-64), in_card(size=64.0), in_card(size=True),
    in_card(mean=[0.5]), in_card(mean=[0, 0, float("nan")]), in_card(std=[0, 0, 0]), in_card(std=[1, 1, float("inf")]),
    in_card(scale=0), in_card(crop_pct=1e-9), in_card(crop_pct=0), in_card(crop_mode="no"), in_card(interpolation="no"),
    in_card(channels="CMYK"), in_card(blocks="abc"), in_card(taps=[1]), in_card(more=1),
    lambda config: config["unfreeze"].update(file_sha256=7),
    lambda config: config["unfreeze"].update(file_sha256="0" * 64),
    lambda config: config["unfreeze"].update(margins="no"),
    lambda config: config["unfreeze"].update(readouts=[{}]),
    lambda config: config["unfreeze"].update(readouts=[{}], cuts=[{}]),
    lambda config: config["unfreeze"].update(readouts=7, cuts=[]),
]  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE)
def test_values_made_to_harm_are_refused(model: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Values that no run writes are refused in one sentence also if the file's own hash is right."""
    config = json.loads((model / "config.json").read_text())
    change(config)
    ours = config["unfreeze"]
    if isinstance(ours, dict):
        write_config(model, config)
    else:
        (model / "config.json").write_text(json.dumps(config))

    with pytest.raises(InputError) as caught:
        read_model(model)
    assert caught.value.exit_code == 2


def test_what_timm_is_told_reaches_no_library(model: Path) -> None:
    """Addresses, files and arguments in the part that timm reads change nothing: the card alone says what is built."""
    config = json.loads((model / "config.json").read_text())
    config["model_args"] = {"checkpoint_path": "/etc/passwd", "in_chans": 1}
    config["pretrained_cfg"] |= {"url": "http://127.0.0.1:9/x", "file": "/etc/passwd", "custom_load": True}
    write_config(model, config)

    assert read_model(model).class_names == NAMES


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "", "\\", "null", '{"unfreeze": {"schema": 3}}'])
def test_what_is_no_settings_is_refused(model: Path, text: str) -> None:
    """Nesting without end, half a document and no document are no traceback."""
    (model / "config.json").write_text(text)

    with pytest.raises(InputError, match="is no model of this program"):
        read_model(model)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_links_inside_a_model_are_not_followed(model: Path, tmp_path: Path, name: str) -> None:
    """A file of a model that is a link could be any file of the user's."""
    (model / name).rename(tmp_path / "elsewhere")
    (model / name).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(InputError, match=rf"{name} in .* is a link, which is not followed"):
        read_model(model)


def with_weights(model: Path, data: bytes) -> None:
    """Put other weights into a model, with the hash that belongs to them."""
    import hashlib

    (model / "model.safetensors").unlink()
    (model / "model.safetensors").write_bytes(data)
    config = json.loads((model / "config.json").read_text())
    config["unfreeze"]["file_sha256"] = hashlib.sha256(data).hexdigest()
    write_config(model, config)


def test_weights_that_are_no_numbers_are_refused_at_load(model: Path) -> None:
    """NaN in the weights of a delivered model is said by the tensor's name, before any prediction."""
    weights = read_weights(model / "model.safetensors").tensors
    weights["conv1.0.weight"][0] = float("nan")
    with_weights(model, save(weights))

    with pytest.raises(InputError, match=r"conv1\.0\.weight holds numbers that are not finite"):
        read_model(model)


@pytest.mark.parametrize("data", [b"", b"x", b"\xff" * 8, (10).to_bytes(8, "little") + b"[" * 10])
def test_cut_weights_with_their_own_hash_are_refused(model: Path, data: bytes) -> None:
    """Weights that are none, under a hash that fits, are no traceback."""
    with_weights(model, data)

    with pytest.raises(InputError):
        read_model(model)


def test_bundled_weights_are_those_that_were_published(tmp_path: Path) -> None:
    """One flipped bit anywhere in the file of the package is refused, with the command that mends it."""
    name = parse_name("lite0")
    file = bundled_file(name)
    assert file is not None
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / file.name).write_bytes(data)

    assert len(bundled_weights(name, file)) > 100
    with pytest.raises(WeightsError, match=r"are damaged: .*pip install --force-reinstall"):
        bundled_weights(name, tmp_path / file.name)


class Runs:
    """A pickle that would run a command."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, (f"touch {self._marker}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused_in_our_words(tmp_path: Path, zipped: bool) -> None:
    """What a pickle wants is named; it does not run, and nobody is told how to have it run."""
    path = tmp_path / "w.pth"
    torch.save({"a": Runs(tmp_path / "marker")}, path, _use_new_zipfile_serialization=zipped)

    with pytest.raises(WeightsError, match=r"it wants (posix|os|nt)\.system; not loaded") as caught:
        read_weights(path)
    assert not (tmp_path / "marker").exists()
    assert "weights_only" not in str(caught.value)
    assert "trust" not in str(caught.value)


def test_a_whole_module_is_refused_by_its_class(tmp_path: Path) -> None:
    """A file of torch.save(network) names its class, and says what to save instead."""
    torch.save(nn.Linear(2, 2), tmp_path / "w.pth")

    with pytest.raises(WeightsError, match=r"pickled network \(torch\.nn\.modules\.linear\.Linear\).*state_dict"):
        read_weights(tmp_path / "w.pth")


def test_a_packed_archive_is_not_unpacked(tmp_path: Path) -> None:
    """An archive that unpacks to more than it is, which torch.save never writes, is refused by its directory."""
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(1_000_000)}, stream)
    with zipfile.ZipFile(stream) as stored, zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for part in stored.infolist():
            packed.writestr(part.filename, stored.read(part))

    with pytest.raises(WeightsError, match=r"it unpacks to 4,\d\d\d,\d\d\d bytes from"):
        read_weights(tmp_path / "w.pth")


def test_headers_are_looked_at_before_they_are_parsed(tmp_path: Path) -> None:
    """A header longer than any network's, and one with too many tensors, are refused by their numbers."""
    path = tmp_path / "w.safetensors"
    path.write_bytes((2**62).to_bytes(8, "little"))
    with pytest.raises(WeightsError, match=r"said to have 4,611,686,018,427,387,904 bytes"):
        read_weights(path)

    empty = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"{number}": empty for number in range(60_000)}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(WeightsError, match=r"it holds 60,000 tensors"):
        read_weights(path)
