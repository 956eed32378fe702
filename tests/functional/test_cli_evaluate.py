"""``unfreeze evaluate`` and the table of ``unfreeze predict``, as processes."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import save_model

PhotoFolder = Callable[..., Path]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three classes with a random head."""
    network = load_backbone("test_resnet", pretrained=False, size=32)
    classifier = network.with_classes(3)
    weight = np.random.default_rng(1).normal(scale=0.1, size=(3, network.card.num_features))
    classifier.set_head(torch.from_numpy(weight.astype(np.float32)), torch.zeros(3))
    folder = tmp_path_factory.mktemp("models") / "model"
    folder.mkdir()
    save_model(folder, classifier, class_names=("ants", "bees", "moths"), card_text="")
    return folder


def unfreeze(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``unfreeze`` and wait."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "unfreeze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_page_says_what_the_document_says(photo_folder: PhotoFolder, model: Path, tmp_path: Path) -> None:
    """Accuracy, the class without photos, and as many mistakes as were asked for; the CSV has a row a photo."""
    photos = photo_folder("ants", "bees", count=6)

    record = json.loads(unfreeze("evaluate", model, photos, "--json").stdout)
    page = unfreeze("evaluate", model, photos, "--mistakes", "2", "--csv", tmp_path / "rows.csv")

    assert page.returncode == 0, page.stderr
    assert f"{record['scored']} scored, {record['right']} right" in page.stdout
    assert f"Accuracy {100 * record['accuracy']:.1f} %" in page.stdout
    assert "There is no image of 1 class of the model: moths" in page.stdout
    (_, mistakes) = page.stdout.split("mistakes:\n")
    assert [mistake["path"] in mistakes for mistake in record["mistakes"][:3]] == [True, True, False]
    assert len(list(csv.DictReader((tmp_path / "rows.csv").open()))) == record["scored"] == 12
    again = unfreeze("evaluate", model, photos, "--csv", tmp_path / "rows.csv")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.endswith("Remove it or choose another name with --csv.\n")


def test_predictions_can_be_read_by_a_spreadsheet(photo_folder: PhotoFolder, model: Path) -> None:
    """Standard output is CSV and nothing else, with the labels that the table has; the unsure ones are empty."""
    photos = photo_folder("ants", "bees", count=3)
    (photos / "notes.txt").write_text("")

    done = unfreeze("predict", model, photos, "--csv", "--top", "2", "--threshold", "1")
    table = unfreeze("predict", model, photos, "--threshold", "1")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["file"] for row in rows] == sorted(map(str, photos.rglob("*.png")))
    assert {row["label"] for row in rows} == {""}
    assert all(row["probability"] == row["probability_1"] >= row["probability_2"] for row in rows)
    assert "1 file skipped: 1 not an image by name" in done.stderr
    assert table.stdout.count(" unsure ") == 6


@pytest.mark.slow
def test_a_test_part_scores_what_the_training_said_of_it(photo_folder: PhotoFolder, tmp_path: Path) -> None:
    """`unfreeze evaluate` of a model on the source that it was tuned on gives the confirmation of `unfreeze tune`."""
    photos = photo_folder("ants", "bees", "moths", count=12)
    names = sorted(path.relative_to(photos) for path in photos.rglob("*.png"))
    rows = [f"{name},{name.parent},{'test' if int(name.stem) % 2 else 'train'}" for name in names]
    (photos / "list.csv").write_text("\n".join(["path,label,split", *rows]))
    save_file(dict(load_backbone("test_resnet", pretrained=False).network.state_dict()), tmp_path / "w.safetensors")
    network = ("--backbone", "test_resnet", "--weights", tmp_path / "w.safetensors", "--size", "32")

    tuned = unfreeze(
        "tune", photos / "list.csv", "--unfreeze", "softmax-last", *network, "--out", tmp_path / "m", "--json"
    )
    record = json.loads(unfreeze("evaluate", tmp_path / "m", photos / "list.csv", "--json").stdout)

    (outcome,) = json.loads(tuned.stdout)["strategies"]
    confirmed = outcome["confirmation"]
    assert (record["part"], record["scored"]) == ("test", 18)
    assert (record["accuracy"], record["interval"]) == (confirmed["accuracy"], confirmed["interval"])
    assert record["balanced_accuracy"] == confirmed["balanced_accuracy"]
    assert record["log_loss"] == pytest.approx(confirmed["log_loss"], abs=1e-3)
