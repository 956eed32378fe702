"""Ctrl-C, SIGTERM and SIGHUP, to the whole group of processes, as a terminal or a service manager sends them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from unfreeze.cli.cache import MENDED, NOTHING_CHANGED
from unfreeze.cli.tune import NO_MODEL
from unfreeze.cli.work import CODES_KEPT, NOTHING_WRITTEN, STOPPING

PhotoFolder = Callable[..., Path]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="no such signals"),
    pytest.mark.usefixtures("usual_signals"),
]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SETTINGS = ("--size", "64", "--engine", "torch")
# Runs a command and signals its whole group when a phase of this name has advanced for the first time.
SCRIPT = """
import os, sys, time
import unfreeze.cli.work as work
from unfreeze.cli.main import main
from unfreeze.core.events import PhaseAdvanced, PhaseBegun

name, number = sys.argv[1], int(sys.argv[2])
usual, phases = work.progress_on_stderr, {}

def listening():
    def signal(event):
        if isinstance(event, PhaseBegun):
            phases[event.phase] = event.name
        if isinstance(event, PhaseAdvanced) and phases[event.phase] == name:
            phases[event.phase] = ""
            os.killpg(0, number)
            while not progress.stop.is_requested:
                time.sleep(0.01)
    progress = usual().also(signal)
    return progress

work.progress_on_stderr = listening
main(sys.argv[3:])
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A cache of its own."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


def stopped_in(
    phase: str, number: signal.Signals, arguments: list[object], environment: dict[str, str], cwd: Path
) -> tuple[int, str, list[str]]:
    """Exit code, standard output and the lines of standard error of a command that is signalled in a phase."""
    command = [sys.executable, "-c", SCRIPT, phase, str(int(number)), *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=cwd,
        start_new_session=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


# Every signal once: they have one handler.
@pytest.mark.parametrize(
    ("phase", "arguments", "kept", "number"),
    [
        ("inspect", ["inspect", "photos"], NOTHING_WRITTEN, signal.SIGINT),
        ("codes", ["codes", "photos", "--out", "new/codes.parquet", *SETTINGS], CODES_KEPT, SIGNALS[-1]),
        ("probes", ["probe", "photos", *SETTINGS], CODES_KEPT, signal.SIGTERM),
        (
            "last block",
            ["tune", "photos", "--unfreeze", "1", "--epochs", "2", "--out", "a/b", *SETTINGS],
            NO_MODEL,
            signal.SIGTERM,
        ),
        ("write", ["sample", "digits", "digits"], NOTHING_WRITTEN, signal.SIGINT),
    ],
    ids=["inspect", "codes", "probe", "tune", "sample"],
)
def test_every_signal_stops_a_command_with_the_same_words_and_files(
    *,
    phase: str,
    arguments: list[object],
    kept: str,
    number: signal.Signals,
    photo_folder: PhotoFolder,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """One line at once, one sentence at the end, the exit code of the signal; no file and no folder is left."""
    photo_folder("ants", "bees")
    (tmp_path / "new").mkdir()

    code, output, errors = stopped_in(phase, number, arguments, environment, tmp_path)

    assert (code, output, errors[-1]) == (128 + number, "", f"unfreeze: stopped. {kept}")
    assert [line for line in errors if STOPPING in line] == [STOPPING]
    said = [line.replace("24 used, 0 set aside,", "") for line in errors]  # of all files, before the work began
    assert not [line for line in said if "Traceback" in line or "set aside" in line]
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "new"}
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("number", SIGNALS[-1:])
def test_a_run_that_is_stopped_before_it_measured_anything_can_go_on(
    number: signal.Signals, photo_folder: PhotoFolder, environment: dict[str, str], tmp_path: Path
) -> None:
    """Nothing is delivered, and the sentence says how it goes on in the folder that it has begun."""
    photo_folder("ants", "bees")

    code, output, errors = stopped_in("inspect", number, ["run", "photos", *SETTINGS], environment, tmp_path)

    go_on = "Go on with: unfreeze run --resume unfreeze-runs/photos-1"
    assert (code, output) == (128 + number, "")
    assert errors[-1] == f"unfreeze: stopped. The codes that were read are kept. {go_on}"
    files = {path.name for path in (tmp_path / "unfreeze-runs" / "photos-1").iterdir()}
    assert files == {"plan.json", "state", "lock", "events.jsonl"}


@pytest.fixture(scope="module")
def model(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose head alone was trained; the store has the codes that it was trained on."""
    folder = tmp_path_factory.mktemp("models")
    for label, grey in (("dark", 0), ("bright", 200)):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(6):
            Image.new("RGB", (40, 40), (grey + number, grey, grey)).save(folder / "photos" / label / f"{number}.png")
    arguments = ["tune", folder / "photos", "--unfreeze", "head", "--out", folder / "model", *SETTINGS]
    command = [sys.executable, "-m", "unfreeze", *map(str, arguments)]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    return folder / "model"


@pytest.mark.parametrize("number", SIGNALS[1:2])
def test_a_prediction_that_is_stopped_writes_nothing(
    model: Path, number: signal.Signals, environment: dict[str, str], tmp_path: Path
) -> None:
    """Standard output stays empty: no half of a table."""
    arguments = ["predict", model, model.parent / "photos"]

    code, output, errors = stopped_in("predict", number, arguments, environment, tmp_path)

    assert (code, output, errors[-1]) == (128 + number, "", f"unfreeze: stopped. {NOTHING_WRITTEN}")


@pytest.mark.parametrize("number", SIGNALS[1:2])
@pytest.mark.parametrize(("command", "kept"), [("verify", NOTHING_CHANGED), ("repair", MENDED)])
def test_a_check_of_the_store_that_is_stopped_leaves_it_as_it_was(
    *, model: Path, command: str, kept: str, number: signal.Signals, environment: dict[str, str], tmp_path: Path
) -> None:
    """Every file of the store is there afterwards."""
    cache = Path(environment["XDG_CACHE_HOME"])
    before = sorted(cache.rglob("*"))

    code, output, errors = stopped_in("verify", number, ["cache", command], environment, tmp_path)

    assert (code, output, errors[-1]) == (128 + number, "", f"unfreeze: stopped. {kept}")
    assert sorted(cache.rglob("*")) == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_libraries_are_imported_ends_the_command(
    number: signal.Signals, photo_folder: PhotoFolder, environment: dict[str, str], tmp_path: Path
) -> None:
    """It comes right after `loading …`, before there is anything to stop: the same words, and nothing is made."""
    arguments = ["codes", photo_folder("ants", "bees"), "--out", tmp_path / "new", *SETTINGS]
    command = [sys.executable, "-m", "unfreeze", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "loading …\n"
    time.sleep(0.2)
    os.killpg(process.pid, number)
    output, errors = process.communicate(timeout=60)

    assert (process.returncode, output) == (128 + number, "")
    assert errors == f"{STOPPING}\nunfreeze: stopped. {CODES_KEPT}\n"
    assert not (tmp_path / "new").exists()


def test_a_second_interrupt_says_the_same(
    photo_folder: PhotoFolder, environment: dict[str, str], tmp_path: Path
) -> None:
    """It comes while libraries are imported, so that no step ends the command first."""
    command = [sys.executable, "-m", "unfreeze", "probe", str(photo_folder("ants", "bees")), *SETTINGS]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "loading …\n"
    for _ in range(2):
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)

    assert process.returncode in {130, -signal.SIGINT}  # the second one may find the interpreter on its way out
    assert (output, errors) == ("", f"{STOPPING}\nunfreeze: stopped. {CODES_KEPT}\n")


@pytest.mark.parametrize("wait", [0.02, 0.05, 0.1, 0.15, 0.2])
def test_an_interrupt_at_the_very_beginning_gives_no_traceback(
    wait: float, environment: dict[str, str], tmp_path: Path
) -> None:
    """From the moment on at which our own code runs."""
    script = (
        "import sys; from unfreeze.__main__ import main; sys.argv[1:] = ['inspect', '.']; print(flush=True); main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert process.returncode != 1
    assert "Traceback" not in errors


# Runs a command on a terminal of its own, and closes that once this text has been seen.
CLOSING = """
import os, pty, sys
pid, terminal = pty.fork()
if not pid:
    os.execv(sys.executable, [sys.executable, "-m", "unfreeze", *sys.argv[2:]])
seen = b""
while sys.argv[1].encode() not in seen:
    seen += os.read(terminal, 65536)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize("text", ["loading", "inspect", "frozen layers"])
def test_a_terminal_that_closes_is_no_fault(
    text: str, photo_folder: PhotoFolder, environment: dict[str, str], tmp_path: Path
) -> None:
    """Nobody can be told any more; the exit code is that of SIGHUP, in every phase, and no fault is reported."""
    arguments = ["codes", photo_folder("ants", "bees", count=200), "--out", tmp_path / "new", *SETTINGS]
    faults, cache = tmp_path / "faults", tmp_path / "cache"
    faults.mkdir()
    own = {**environment, "TMPDIR": str(faults), "XDG_CACHE_HOME": str(cache)}

    command = [sys.executable, "-c", CLOSING, text, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=own, timeout=120)

    assert done.stdout == f"{128 + signal.SIGHUP}\n"
    assert not (tmp_path / "new").exists()
    assert [path.name for path in faults.iterdir() if "fault" in path.name] == []


def test_a_terminal_with_bars_says_that_it_stops(
    photo_folder: PhotoFolder, environment: dict[str, str], tmp_path: Path
) -> None:
    """Once, and the sentence at the end stands below it."""
    program = f"import pty, sys; pty.spawn([sys.executable, '-c', {SCRIPT!r}, *sys.argv[1:]])"
    arguments = ["inspect", str(int(signal.SIGINT)), "inspect", str(photo_folder("ants", "bees"))]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        timeout=120,
    )

    assert done.stdout.count(STOPPING) == 1
    assert f"unfreeze: stopped. {NOTHING_WRITTEN}" in done.stdout
