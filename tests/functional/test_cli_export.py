"""``unfreeze export``, as a process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import save_model

PhotoFolder = Callable[..., Path]


def unfreeze(*arguments: object, inside: Path) -> subprocess.CompletedProcess[str]:
    """Run ``unfreeze`` in a folder and wait."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "unfreeze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=inside)


@pytest.mark.slow
def test_a_model_is_exported_once_and_its_page_and_document_agree(photo_folder: PhotoFolder, tmp_path: Path) -> None:
    """The folder is named after model and target, holds what the document says, and is never written over."""
    photos = photo_folder("ants", "bees", count=3)
    network = load_backbone("test_resnet", pretrained=False, size=32).with_classes(2)
    weight = np.random.default_rng(1).normal(size=(2, network.card.num_features)).astype(np.float32)
    network.set_head(torch.from_numpy(weight), torch.zeros(2))
    save_model(tmp_path / "model", network, class_names=("ants", "bees"), card_text="# A model\n")
    arguments = ("export", "model", "--to", "torch-export", "--images", photos)

    done = unfreeze(*arguments, "--json", inside=tmp_path)
    again = unfreeze(*arguments, inside=tmp_path)

    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["folder"] == "model-torch-export"
    assert sorted(path.name for path in (tmp_path / "model-torch-export").iterdir()) == record["files"]
    assert [row["decoding"] for row in record["parity"]] == ["predict", "pillow", "full"]
    assert {row["photos"] for row in record["parity"]} == {6}
    assert f"| as unfreeze predict decodes | 6 | 6 (100.0 %) | {record['parity'][0]['largest_difference']:.1e} |" in (
        tmp_path / "model-torch-export" / "README.md"
    ).read_text(encoding="utf-8")
    assert (again.returncode, again.stdout) == (2, "")
    assert "model-torch-export is not empty, and results are never overwritten" in again.stderr
