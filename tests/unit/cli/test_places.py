"""Where results go."""

import os
from pathlib import Path

import pytest

from unfreeze.cli.main import exit_code_of
from unfreeze.cli.places import fresh_folder, run_place
from unfreeze.core.errors import OutputError
from unfreeze.core.run_folder import owned_run, run_name
from unfreeze.core.settings import StudySettings

SETTINGS = StudySettings(source=Path("photos"))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("photos", "photos"),
        ("a/my photos (2)/", "my-photos-2"),
        ("x/list.csv", "list"),
        ("köln", "k-ln"),
        ("猫", "photos"),
        ("/", "photos"),
        ("a/.hidden", "hidden"),
    ],
)
def test_a_run_is_named_after_its_source(source: str, name: str) -> None:
    """The name is the source's own, in letters that every file system and shell takes."""
    assert run_name(Path(source)) == name


def test_runs_are_numbered_and_never_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --out, each run gets the next number."""
    monkeypatch.chdir(tmp_path)

    with fresh_folder(Path("photos"), None) as first, fresh_folder(Path("photos"), None) as second:
        assert [first, second] == [Path("unfreeze-runs/photos-1"), Path("unfreeze-runs/photos-2")]


@pytest.mark.parametrize("out", [None, "deep/er/out"])
def test_work_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str | None) -> None:
    """If nothing was written, all folders that were made for it are gone again."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(KeyError), fresh_folder(Path("photos"), None if out is None else Path(out)):
        raise KeyError

    assert list(tmp_path.iterdir()) == []


def test_work_that_fails_keeps_what_was_written(tmp_path: Path) -> None:
    """A folder that holds something is never removed."""

    def work() -> None:
        with fresh_folder(Path("photos"), tmp_path / "out") as folder:
            (folder / "run.json").touch()
            raise KeyError

    with pytest.raises(KeyError):
        work()

    assert (tmp_path / "out" / "run.json").exists()


def test_the_users_own_folder_stays(tmp_path: Path) -> None:
    """An empty folder that was there before is there after a failure."""
    (tmp_path / "out").mkdir()

    with pytest.raises(KeyError), fresh_folder(Path("photos"), tmp_path / "out"):
        raise KeyError

    assert (tmp_path / "out").is_dir()


def test_results_are_never_overwritten(tmp_path: Path) -> None:
    """A folder with something in it and a file are both refused before any work."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    (tmp_path / "file").touch()

    for taken, reason in (
        (tmp_path / "full", "is not empty, and results are never"),
        (tmp_path / "file", "is no folder"),
    ):
        with pytest.raises(OutputError, match=reason), fresh_folder(Path("photos"), taken):
            pytest.fail("must not get here")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A read-only folder gives one sentence before any work."""
    tmp_path.chmod(0o500)

    with pytest.raises(OutputError, match="Choose another place"), fresh_folder(Path("photos"), tmp_path / "out"):
        pytest.fail("must not get here")


def test_the_same_command_goes_on_with_its_latest_unfinished_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --out; other settings begin a run of their own, and so does the same command once it is finished."""
    monkeypatch.chdir(tmp_path)
    with run_place(SETTINGS, None) as folder, owned_run(folder, SETTINGS):
        assert folder == Path("unfreeze-runs/photos-1")
        with run_place(SETTINGS, None) as beside:  # somebody works in the first one
            assert beside == Path("unfreeze-runs/photos-2")
            beside.rmdir()

    with run_place(SETTINGS, None) as folder:
        assert folder == Path("unfreeze-runs/photos-1")
    with run_place(StudySettings(source=Path("photos"), seed=1), None) as folder:
        assert folder == Path("unfreeze-runs/photos-2")
        folder.rmdir()
    (tmp_path / "unfreeze-runs" / "photos-1" / "run.json").touch()
    with run_place(SETTINGS, None) as folder:
        assert folder == Path("unfreeze-runs/photos-2")


def test_a_folder_that_was_named_is_continued_or_refused(tmp_path: Path) -> None:
    """An unfinished run of the same command goes on there; a finished one, and one of other settings, do not."""
    out = tmp_path / "out"
    with run_place(SETTINGS, out) as folder, owned_run(folder, SETTINGS):
        pass
    with run_place(SETTINGS, out) as folder:
        assert folder == out
    with (
        pytest.raises(OutputError, match="it was begun with seed 0, not 1"),
        run_place(StudySettings(source=Path("photos"), seed=1), out),
    ):
        pass
    (out / "run.json").touch()
    with pytest.raises(OutputError, match="holds a finished run, which is never touched"), run_place(SETTINGS, out):
        pass


def test_results_never_go_among_the_photos(tmp_path: Path) -> None:
    """Their folder would be taken for a class; one that is hidden, or that runs lie in, would not."""
    photos = tmp_path / "photos"
    photos.mkdir()

    with pytest.raises(OutputError) as caught, fresh_folder(photos, photos / "out"):
        pytest.fail("taken")
    assert str(caught.value) == (
        f"{photos / 'out'} lies among the photos in {photos}, where its folder would be taken for a class. Choose a "
        "place outside with --out."
    )
    for place in (tmp_path / "out", photos / ".out", photos / "unfreeze-runs/mine"):
        with fresh_folder(photos, place) as folder:
            assert folder == place


@pytest.mark.parametrize(
    "command",
    [
        ["codes", "photos", "--out", "s3://bucket/codes.parquet"],
        ["codes", "photos", "--out", "gs://bucket/codes"],
        ["tune", "photos", "--unfreeze", "head", "--out", "s3://bucket/model"],
        ["inspect", "photos", "--fix", "s3://bucket/list.csv"],
        ["evaluate", "model", "photos", "--csv", "s3://bucket/rows.csv"],
        ["export", "model", "--to", "onnx", "--out", "s3://bucket/exported"],
        ["zoo", "import", "net.onnx", "--out", "s3://bucket/net"],
        ["sample", "leaves", "s3://bucket/leaves"],
    ],
)
def test_results_at_an_address_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """The sentence says what puts them there; a folder called s3: is not made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").touch()

    code = exit_code_of(command)

    error = capsys.readouterr().err
    assert (code, "is an address, and " in error, "zoo publish" in error) == (2, True, True)
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "model"}


def test_a_run_at_an_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all other results are."""
    monkeypatch.chdir(tmp_path)

    with (
        pytest.raises(OutputError, match="s3://bucket/run is an address"),
        run_place(SETTINGS, Path("s3://bucket/run")),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
