"""Whose a run's folder is, and what can be continued there."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unfreeze.core import run_folder
from unfreeze.core.errors import OutputError
from unfreeze.core.leftovers import TEMPORARY_PREFIX
from unfreeze.core.run_folder import RunFolder, can_be_continued, check_run_folder, owned_run
from unfreeze.core.settings import EngineSettings, StudySettings

SETTINGS = StudySettings(source=Path("/photos"), size=64, strategies=(1, "full"), request=EngineSettings("torch"))


def begun(folder: Path, settings: StudySettings = SETTINGS) -> RunFolder:
    """A run that was begun there, and whose process is gone."""
    with owned_run(folder, settings) as run:
        return run


def refusal(folder: Path, settings: StudySettings | None) -> str:
    """The sentence with which a folder is refused."""
    with pytest.raises(OutputError) as caught, owned_run(folder, settings):
        pass
    return str(caught.value)


def test_a_run_is_begun_in_a_folder_that_is_made(tmp_path: Path) -> None:
    """With its parents; what was asked lies there until it is finished, and then nothing of it."""
    with owned_run(tmp_path / "a" / "b", SETTINGS) as run:
        assert (run.settings, run.lives) == (SETTINGS, 1)
        assert json.loads((run.path / "plan.json").read_text())["plan"]["schema"] == "unfreeze.plan/1"
        run.journal(elapsed=lambda: 0.0, turn_to=lambda _: None).keep("seven", 7)
        run.finish()

    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("settings", [SETTINGS, None], ids=["the same command", "--resume"])
def test_a_run_that_was_killed_is_continued(tmp_path: Path, settings: StudySettings | None) -> None:
    """By the same settings or by whatever was asked then, with the number of lives; what was kept is there."""
    run = begun(tmp_path)
    run.journal(elapsed=lambda: 0.0, turn_to=lambda _: None).keep("seven", 7)

    with owned_run(tmp_path, settings) as again:
        assert (again.settings, again.lives) == (SETTINGS, 2)
        assert again.journal(elapsed=lambda: 0.0, turn_to=lambda _: None).kept("seven", int) == 7


def test_a_finished_run_is_never_touched(tmp_path: Path) -> None:
    """Neither by the same command nor to be continued, even if a plan is left beside it."""
    begun(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert [refusal(tmp_path, settings) for settings in (SETTINGS, None)] == [
        f"{tmp_path} holds a finished run, which is never touched. Choose another place with --out."
    ] * 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 7}, "it was begun with seed 0, not 7"),
        ({"size": None}, "it was begun with size 64, not none"),
        ({"request": EngineSettings("openvino")}, "it was begun with request torch auto auto, not openvino auto auto"),
        ({"budget_seconds": None}, "it was begun with budget_seconds 900.0, not none"),
        ({"strategies": (1,)}, "it was begun with strategies 1, full, not 1"),
    ],
)
def test_other_settings_do_not_continue_a_run(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    """The sentence says what differs, and what to do."""
    begun(tmp_path)

    assert refusal(tmp_path, replace(SETTINGS, **changed)) == (
        f"The run in {tmp_path} cannot be continued: {said}. Choose another place with --out to begin anew."
    )


def test_other_versions_do_not_continue_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another torch gives other bits."""
    begun(tmp_path)
    theirs = run_folder.versions()
    monkeypatch.setattr(run_folder, "versions", lambda: {**theirs, "torch": "99.0"})

    assert f"it was begun with torch {theirs['torch']}, and here is 99.0" in refusal(tmp_path, None)


def test_a_relative_source_is_continued_where_it_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another folder the same path means other photos."""
    relative = replace(SETTINGS, source=Path("photos"))
    begun(tmp_path / "run", relative)
    here = Path.cwd()
    monkeypatch.chdir(tmp_path)

    assert f"it was begun in the folder {here}, from where photos is meant" in refusal(tmp_path / "run", None)


def test_a_folder_that_a_living_process_works_in_is_refused(tmp_path: Path) -> None:
    """The sentence names the process; when it is gone, the run is continued."""
    program = (
        "import sys; from pathlib import Path; from unfreeze.core.run_folder import owned_run\n"
        "with owned_run(Path(sys.argv[1]), None):\n    print('mine', flush=True); sys.stdin.read()\n"
    )
    begun(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"

    assert refusal(tmp_path, None) == (
        f"Another process ({process.pid}) works in {tmp_path}. Wait for it, or choose another place with --out."
    )
    assert not can_be_continued(tmp_path, SETTINGS)
    process.kill()
    process.communicate()
    assert can_be_continued(tmp_path, SETTINGS)
    with owned_run(tmp_path, None) as run:
        assert run.lives == 3


def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    """A file of the user's, a file in its place, nothing to continue: one sentence each."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("")
    (tmp_path / "file").write_text("")

    assert "is not empty, and results are never overwritten" in refusal(tmp_path / "thesis", SETTINGS)
    assert "There is no run in" in refusal(tmp_path / "thesis", None)
    assert "is no folder" in refusal(tmp_path / "file", SETTINGS)
    assert "There is no run in" in refusal(tmp_path / "nowhere", None)
    assert not can_be_continued(tmp_path / "thesis", SETTINGS)
    check_run_folder(tmp_path / "nowhere", SETTINGS)


def test_what_a_stopped_run_left_goes_when_it_goes_on(tmp_path: Path) -> None:
    """Its record, report and model come anew at the end; a model without that record stays, since it may be whole."""
    begun(tmp_path)
    (tmp_path / "model").mkdir()
    with owned_run(tmp_path, None):
        assert (tmp_path / "model").is_dir()
    for name in ("stopped.json", "report.html", "classes.csv", "confusion.csv"):
        (tmp_path / name).write_text("")
    with owned_run(tmp_path, None):
        assert {path.name for path in tmp_path.iterdir()} == {"plan.json", "lock"}


def test_what_a_killed_process_left_half_written_is_swept(tmp_path: Path) -> None:
    """Temporary files and folders of ours, and nothing else."""
    run = begun(tmp_path)
    run.journal(elapsed=lambda: 0.0, turn_to=lambda _: None)
    (tmp_path / "state" / f"{TEMPORARY_PREFIX}1").write_text("")
    (tmp_path / f"{TEMPORARY_PREFIX}2").mkdir()
    (tmp_path / f"{TEMPORARY_PREFIX}2" / "model.safetensors").write_text("")
    with owned_run(tmp_path, None):
        assert {path.name for path in tmp_path.rglob("*")} == {"plan.json", "lock", "state"}


def test_a_damaged_plan_is_no_run(tmp_path: Path) -> None:
    """It cannot be known what was asked, so nothing there is touched."""
    begun(tmp_path)
    (tmp_path / "plan.json").write_text("{")

    assert "plan.json is missing or damaged" in refusal(tmp_path, None)
    assert "is not empty" in refusal(tmp_path, SETTINGS)


def test_a_plan_that_says_something_else_is_damaged(tmp_path: Path) -> None:
    """A digit that changed in a whole document is damage, and not another setting."""
    with owned_run(tmp_path / "run", SETTINGS):
        pass
    path = tmp_path / "run" / "plan.json"
    path.write_text(path.read_text().replace('"lives": 1', '"lives": 3'))

    assert "plan.json is missing or damaged" in refusal(tmp_path / "run", None)
