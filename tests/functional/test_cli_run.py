"""The main job, as a process, on photos that take seconds."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

CLASS_FILES = ("classes.csv", "confusion.csv")
SETTINGS = ("--size", "64", "--engine", "torch", "--seed", "3")


def command(*arguments: object) -> list[str]:
    """How ``unfreeze`` is started."""
    return [sys.executable, "-m", "unfreeze", *map(str, arguments)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that differ in colour, ten photos each, and a broken file."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("source") / "photos"
    for channel, label in enumerate(("red", "green")):
        (folder / label).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 90, (44, 40, 3), dtype=np.uint8)
            pixels[:, :, channel] += 120
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    (folder / "red" / "broken.png").write_bytes((folder / "red" / "0.png").read_bytes()[:500])
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A cache of its own, so that this module's first run computes its codes."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module")
def finished(
    photos: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """One run with a budget too small for the expensive strategies: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("work") / "run"
    arguments = command("run", photos, "--budget", "2s", "--out", folder, "--json", *SETTINGS)
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_what_is_printed_is_what_was_written(finished: tuple[Path, dict[str, Any]]) -> None:
    """Standard output is run.json, with the keys that programs rely on; report and model lie beside it."""
    folder, printed = finished

    assert printed == json.loads((folder / "run.json").read_text())
    assert printed["schema"] == "unfreeze.run/9"
    assert printed["images"] == {"found": 21, "used": 20, "set_aside": 1, "duplicates_removed": 0, "skipped": 0}
    assert {path.name for path in folder.iterdir()} == {
        "run.json",
        "report.html",
        *CLASS_FILES,
        "model",
        "events.jsonl",
        "neighbours.safetensors",
    }
    for strategy in printed["strategies"]:
        keys = {"strategy", "description", "tap", "accuracy", "interval", "balanced_accuracy", "cost", "audit"}
        assert keys <= set(strategy)
    assert printed["picked"] in {strategy["strategy"] for strategy in printed["strategies"]}
    assert printed["verdict"]


def test_what_was_not_measured_says_why(finished: tuple[Path, dict[str, Any]]) -> None:
    """A strategy without an accuracy was left out for a reason; every other one lies inside its interval."""
    _, printed = finished

    for strategy in printed["strategies"]:
        if strategy["accuracy"] is None:
            assert strategy["status"] == "left out"
            assert strategy["note"]
        elif strategy["interval"]:
            assert strategy["interval"][0] <= strategy["accuracy"] <= strategy["interval"][1]


def test_the_report_is_written_again_from_the_record_alone(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """In a folder with nothing but run.json, `unfreeze report` writes the page that the run wrote."""
    folder, printed = finished
    (tmp_path / "run.json").write_bytes((folder / "run.json").read_bytes())

    done = subprocess.run(command("report", tmp_path, "--json"), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == printed
    assert (tmp_path / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_the_model_card_loads_the_model_without_unfreeze(
    finished: tuple[Path, dict[str, Any]], photos: Path, tmp_path: Path
) -> None:
    """The card's code for torch, and for timm where the model is a whole network, need no unfreeze to name a photo."""
    folder, _ = finished
    first, with_torch = re.findall(r"```python\n(.*?)```", (folder / "model" / "README.md").read_text(), re.DOTALL)
    Image.open(photos / "green" / "0.png").save(tmp_path / "photo.jpg", quality=95)
    alone = {with_torch: ("unfreeze", "timm")} | ({first: ("unfreeze",)} if "import timm" in first else {})

    for code, absent in alone.items():
        program = f"import sys; sys.modules.update(dict.fromkeys({absent}))\n{code.replace('PATH', f'{folder}/model')}"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.stdout.split()[:1] == ["green"], done.stderr


@pytest.mark.usefixtures("usual_signals")
def test_another_run_reuses_all_codes_and_can_be_interrupted(
    photos: Path, environment: dict[str, str], finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Ctrl-C ends with exit code 130 and keeps what there is: a record, a report, and the codes of the first run."""
    arguments = command("run", photos, "--json", *SETTINGS)
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("step one:"):
            process.send_signal(signal.SIGINT)
            break
    output, errors = process.communicate(timeout=120)

    assert process.returncode == 130, errors
    printed = json.loads(output)
    assert printed["interrupted"]
    assert printed["codes"] == {"computed": 0, "reused": 20}
    files = {path.name for path in (tmp_path / "unfreeze-runs" / "photos-1").iterdir()}
    assert files >= {"stopped.json", "report.html", "plan.json"}


def test_one_strategy_alone_gives_a_model(photos: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """`unfreeze tune` prints one row, trained for the metric that was asked for, and writes a model's folder, once."""
    options = ("--unfreeze", "1", "--epochs", "1", "--metric", "balanced", "--out", tmp_path / "model", "--json")
    arguments = command("tune", photos, *options, *SETTINGS)
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr

    printed = json.loads(done.stdout)
    (row,) = printed["strategies"]
    assert (row["strategy"], row["settings"]["plan"]["balanced"]) == ("unfreeze-1", True)
    files = {path.name for path in (tmp_path / "model").iterdir()}
    assert files == {"README.md", "config.json", "model.safetensors", "model.pt2", "trained-on.txt"}
    assert subprocess.run(arguments, capture_output=True, check=False, env=environment).returncode == 2


Sources = Callable[[Path], None]


def _nothing(folder: Path) -> None:
    folder.mkdir()


def _one_class(folder: Path) -> None:
    (folder / "red").mkdir(parents=True)
    for shade in range(3):
        Image.new("RGB", (40, 40), (200, shade, 0)).save(folder / "red" / f"{shade}.png")


def _no_images(folder: Path) -> None:
    (folder / "red").mkdir(parents=True)
    (folder / "red" / "notes.txt").write_text("none")


@pytest.mark.parametrize("make", [_nothing, _one_class, _no_images], ids=lambda make: make.__name__.strip("_"))
def test_bad_input_is_one_sentence_and_nothing_is_written(make: Sources, tmp_path: Path) -> None:
    """Exit code 2, nothing on standard output, the last line says why, and there is no run folder."""
    make(tmp_path / "source")

    done = subprocess.run(command("run", "source"), capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("unfreeze: ")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_misspelt_network_is_one_sentence_and_nothing_is_written(photos: Path, tmp_path: Path) -> None:
    """An unknown backbone gives a suggestion and exit code 2, without a run folder."""
    arguments = command("run", photos, "--backbone", "resnet81")

    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "resnet" in done.stderr.splitlines()[-1].replace("resnet81", "")
    assert list(tmp_path.iterdir()) == []


def test_wide_photos_are_shown_whole_where_their_ends_matter(environment: dict[str, str], tmp_path: Path) -> None:
    """The record has a row a way, the race and the report say what the crop costs, and the model's folder knows."""
    rng = np.random.default_rng(0)
    for channel, label in enumerate(("red", "green")):
        (tmp_path / "wide" / label).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 90, (40, 120, 3), dtype=np.uint8)
            pixels[:, [*range(25), *range(95, 120)], channel] += 120
            Image.fromarray(pixels).save(tmp_path / "wide" / label / f"{number}.png")
    settings = ("--engine", "torch", "--strategies", "none", "--rounds", "1", "--size", "64")
    arguments = command("run", tmp_path / "wide", "--out", tmp_path / "run", "--json", *settings)
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr

    printed = json.loads(done.stdout)
    assert [row["resize"] for row in printed["resizing"]] == ["crop", "squash", "pad"]
    (picked,) = [row["resize"] for row in printed["resizing"] if row["picked"]]
    mode = {"squash": "squash", "pad": "border"}[picked]
    settings_of_timm = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert printed["network"]["crop_mode"] == settings_of_timm["unfreeze"]["card"]["crop_mode"] == mode
    assert f"away: {picked} is used." in printed["race"][0]
    assert "<h2>How photos become squares</h2>" in (tmp_path / "run" / "report.html").read_text()


def test_several_sizes_are_screened_and_one_is_raced(photos: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """The record has a row a size with its scores, one of them picked; the race's story says so, and it ran there."""
    settings = ("--engine", "torch", "--strategies", "none", "--size", "128,32")
    arguments = command("run", photos, "--budget", "1m", "--out", tmp_path / "run", "--json", *settings)
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr

    printed = json.loads(done.stdout)
    assert [row["size"] for row in printed["screening"]] == [32, 128]  # cheapest first; 64 may cost what 32 does
    (picked,) = [row for row in printed["screening"] if row["picked"]]
    assert printed["network"]["size"] == picked["size"]
    assert all(row["splits"] == 5 and row["h_score"] is not None for row in printed["screening"])
    assert any(said.startswith("Screened 2 candidates") for said in printed["race"])
    assert "<h2>Screening</h2>" in (tmp_path / "run" / "report.html").read_text()
