"""The command line, as a process."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

PhotoFolder = Callable[..., Path]

COMMANDS = (
    *("run", "inspect", "codes", "probe", "tune", "predict", "evaluate", "report", "compare", "sample"),
    *("cache", "cache list", "cache verify", "cache repair", "cache prune", "version"),
)


def unfreeze(*arguments: object, cwd: Path | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run ``unfreeze`` and wait."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **more.pop("environment", {})}
    command = [sys.executable, "-m", "unfreeze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False, **more)


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON document on standard output."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", [(), *(tuple(name.split()) for name in COMMANDS)], ids=["unfreeze", *COMMANDS])
def test_help_is_there_without_heavy_imports(command: tuple[str, ...]) -> None:
    """Help ends with exit code 0 and has imported neither torch nor NumPy nor rich."""
    code = (
        "import sys\nfrom unfreeze.cli.main import main\n"
        "try:\n    main()\nfinally:\n"
        "    print([m for m in ('torch', 'numpy', 'rich', 'timm', 'PIL') if m in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: unfreeze")
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["fly"],
            "There is no command fly. The commands are run, inspect, codes, probe, tune, predict, evaluate, export, "
            "serve, ui, report, compare, sample, version, cache and zoo. See unfreeze --help.",
        ),
        (["run"], "SOURCE is missing: give a folder of labelled images or a list of them, or --resume RUN."),
        (
            ["codes", "--out", "y"],
            "SOURCE is missing: a folder of class folders, a .csv or .parquet list, or tars, also at an address. See "
            "unfreeze codes --help.",
        ),
        (
            ["run", "x", "--budget", "soon"],
            "--budget must be a time above zero, such as 90s, 15m, 1h30m, 30d or a number of seconds; got 'soon'.",
        ),
        (
            ["tune", "x", "--unfreeze", "some", "--out", "y"],
            "--unfreeze takes head, a number of blocks, full, scratch, or a linear classifier (softmax-last, svm-last, "
            "softmax-best, svm-best, linear-all). Got 'some' instead.",
        ),
        (["codes", ".", "--out", "y.xlsx"], "--out must end in .parquet or .npy, or be a folder; got y.xlsx."),
        (
            ["codes", ".", "--to", "datasets", "--out", "y.npy"],
            "With --to datasets, --out must be a new or empty folder; got y.npy.",
        ),
        (
            ["codes", ".", "--to", "npy", "--out", "y.parquet"],
            "With --to npy, --out must end in .npy, or be a folder; got y.parquet.",
        ),
        (["cache", "prune"], "What shall go? Give --older-than 30d, --to 5GB or --all."),
        (
            ["cache", "prune", "--to", "little"],
            "--to must be a size such as 20GB, 500MB, 8GiB or a number of bytes; got 'little'.",
        ),
        (
            ["predict", "model", "x", "--csv", "--json"],
            "Standard output is either CSV or JSON: give --csv or --json, not both.",
        ),
        (["evaluate", "model", "nowhere"], "There is no folder or list nowhere. Check the spelling."),
        (["predict", "model", "nowhere.jpg"], "There is no file or folder nowhere.jpg. Check the spelling."),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    """Standard error is one line, standard output is empty, the exit code is 2, and nothing was written."""
    done = unfreeze(*arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"unfreeze: {sentence}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", ".", "--seed", "x"],
        ["run", ".", "--margin", "much"],
        ["run", ".", "--strategies", "some"],
        ["run", ".", "--size", "3"],
        ["run", ".", "--test", "nowhere"],
        ["run", ".", "--weights", "nowhere.pth"],
        ["tune", ".", "--unfreeze", "some", "--out", "y"],
        ["tune", ".", "--unfreeze", "2", "--budget", "soon", "--out", "y"],
        ["probe", "nowhere"],
        ["codes", ".", "--out", "y.xlsx"],
        ["compare", "nowhere", "nowhere"],
    ],
    ids=" ".join,
)
def test_options_are_checked_before_torch_is_there(arguments: list[str], tmp_path: Path) -> None:
    """A mistake is answered without the imports that take seconds."""
    code = (
        "import sys\nfrom unfreeze.cli.main import main\n"
        "try:\n    main()\nfinally:\n"
        "    print([m for m in ('torch', 'torchvision', 'timm', 'openvino') if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "[]\n")
    assert done.stderr.splitlines()[-1].startswith("unfreeze: ")


def test_a_missing_folder_is_one_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    """A source that is not there ends with exit code 2, without a run folder."""
    done = unfreeze("run", "nowhere", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("unfreeze: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_versions_are_those_of_the_installed_packages() -> None:
    """`version --json` says what importlib.metadata says."""
    import importlib.metadata

    found = document(unfreeze("version", "--json"))

    assert found["unfreeze"] == importlib.metadata.version("unfreeze")
    assert found["torch"] == importlib.metadata.version("torch")


def test_inspect_counts_every_file(photo_folder: PhotoFolder) -> None:
    """Good, bad and double files are all accounted for, in JSON and in words."""
    photos = photo_folder("ants", "bees", count=3)
    (photos / "ants" / "broken.png").write_bytes((photos / "ants" / "000.png").read_bytes()[:60])
    (photos / "bees" / "copy.png").write_bytes((photos / "bees" / "000.png").read_bytes())

    found, text = document(unfreeze("inspect", photos, "--json")), unfreeze("inspect", photos).stdout

    assert found["images"] == {"found": 8, "used": 6, "set_aside": 1, "duplicates_removed": 1, "skipped": 0}
    assert [(row["name"], row["images"]) for row in found["classes"]] == [("ants", 3), ("bees", 3)]
    assert found["set_aside"][0]["name"] == "ants/broken.png"
    assert found["width"] == {"min": 40, "median": 40, "max": 40}
    assert not found["splits"]["given"]
    assert "8 files found: 6 used, 1 set aside, 1 duplicate removed, 0 skipped; 2 classes" in text
    assert "No split is given" in text


def test_a_hostile_name_does_not_reach_the_terminal(photo_folder: PhotoFolder) -> None:
    """Escapes and reordering marks in class names are shown, in plain text as in JSON."""
    photos = photo_folder("\x1b[2Jants", "be\u202ees", count=3)

    for done in (unfreeze("inspect", photos), unfreeze("inspect", photos, "--json")):
        assert done.returncode == 0
        assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)
    assert "\\u001b[2Jants" in unfreeze("inspect", photos).stdout


def test_a_reader_that_goes_away_is_no_fault(photo_folder: PhotoFolder) -> None:
    """`unfreeze inspect … | true` is quiet."""
    photos = photo_folder("ants", "bees", count=3)
    read_end, write_end = os.pipe()
    os.close(read_end)

    command = [sys.executable, "-m", "unfreeze", "inspect", str(photos)]
    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)

    assert done.returncode == 141
    assert b"Broken" not in done.stderr
    assert b"fault" not in done.stderr


def test_the_sample_is_written_once(tmp_path: Path) -> None:
    """The digits come without internet, 1,797 of them as scikit-learn says, and are never overwritten."""
    done = document(unfreeze("sample", "digits", tmp_path / "digits", "--json"))

    assert done["images"] == 1797
    assert unfreeze("sample", "digits", tmp_path / "digits").returncode == 2


@pytest.fixture
def options() -> tuple[object, ...]:
    """Settings that make a network run in a second."""
    return ("--size", 64, "--engine", "torch", "--json")


def test_codes_go_to_parquet_and_to_npy(photo_folder: PhotoFolder, options: tuple[object, ...], tmp_path: Path) -> None:
    """Both formats hold the same codes for the same rows; the second run reuses all codes of the first."""
    photos = photo_folder("ants", "bees", count=5)

    first = document(unfreeze("codes", photos, "--out", tmp_path / "c.parquet", *options))
    second = document(unfreeze("codes", photos, "--out", tmp_path / "c.npy", "--tap", "last", *options))

    assert (first["images"], first["computed"], second["computed"], second["reused"]) == (10, 10, 0, 10)
    table = pq.read_table(tmp_path / "c.parquet", page_checksum_verification=True)
    assert table.column_names == ["path", "label", "split", *first["taps"]]
    (last,) = second["taps"]
    codes = np.load(tmp_path / "c.npy")
    assert codes.dtype == np.float32
    assert codes.shape == (10, 1280)
    assert np.array_equal(np.stack(table[last].to_pylist()).astype(np.float32), codes)
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == table["path"].to_pylist()
    assert {row["split"] for row in rows} == {"train", "test"}


def test_a_test_folder_classes_left_out_and_no_progress(
    photo_folder: PhotoFolder, options: tuple[object, ...], tmp_path: Path
) -> None:
    """The options that say what is read and what is printed hold together: nothing is on standard error."""
    photos = photo_folder("ants", "bees", "wasps", count=3)
    photo_folder("unused", "held", "ants", "bees", count=5, name="more")  # so that the held ones are no copies
    held = tmp_path / "held"
    for label in ("ants", "bees"):
        (held / label).mkdir(parents=True)
        for name in ("003.png", "004.png"):
            (tmp_path / "more" / label / name).rename(held / label / name)

    done = unfreeze(
        *("codes", photos, "--out", tmp_path / "c.parquet", "--test", held, "--exclude", "wasps"),
        *("--threads", 1, "--quiet", *options),
    )

    assert document(done)["images"] == 10
    assert done.stderr == ""
    rows = pq.read_table(tmp_path / "c.parquet").select(["path", "label", "split"]).to_pylist()
    assert {row["label"] for row in rows} == {"ants", "bees"}
    assert sorted(row["path"] for row in rows if row["split"] == "test") == [
        f"../held/{label}/{name}" for label in ("ants", "bees") for name in ("003.png", "004.png")
    ]


@pytest.mark.slow
def test_probe_gives_the_depth_curve(photo_folder: PhotoFolder, options: tuple[object, ...]) -> None:
    """Two classes of different colour are told apart at every depth, by the probe of the asked kind alone."""
    done = document(unfreeze("probe", photo_folder("red", "green", count=10), "--loss", "softmax", *options))

    assert len(done["depth_curve"]) == 8
    assert {point["loss"] for point in done["depth_curve"]} == {"softmax"}
    assert done["depth_curve"][-1]["width"] == 1280
    assert max(point["accuracy"] for point in done["depth_curve"]) == 1.0
    assert done["train_images"] + done["test_images"] == 20


@pytest.mark.slow
def test_an_unknown_tap_lists_the_taps(photo_folder: PhotoFolder, options: tuple[object, ...]) -> None:
    """The sentence names all taps, shallow to deep."""
    done = unfreeze("probe", photo_folder("red", "green", count=5), "--tap", "blocks.99", *options)

    assert done.returncode == 2
    assert "no tap 'blocks.99'. Its taps, shallow to deep: blocks.0, " in done.stderr
