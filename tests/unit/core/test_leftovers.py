"""What dead processes left behind goes; what somebody writes stays."""

import os
import subprocess
import sys
from pathlib import Path

from unfreeze.core.leftovers import SECONDS_UNTOUCHED, is_left_over, sweep, temporary_path
from unfreeze.store.sweeping import sweep_cache

NAME = "from pathlib import Path; from unfreeze.core.leftovers import temporary_path; print(temporary_path(Path('.')))"


def name_of_a_dead_process() -> str:
    """A temporary name of a process that has ended."""
    return subprocess.run([sys.executable, "-c", NAME], check=True, capture_output=True, text=True).stdout.strip()


def test_only_what_the_dead_left_is_swept(tmp_path: Path) -> None:
    """Files and folders of a process that has ended go; those of a living one, links' targets and the user's stay."""
    (tmp_path / "precious").write_text("precious")
    dead = [name_of_a_dead_process() for _ in range(3)]
    (tmp_path / dead[0]).write_text("half")
    (tmp_path / dead[1]).mkdir()
    (tmp_path / dead[1] / "deep").write_text("half")
    (tmp_path / dead[2]).symlink_to(tmp_path / "precious")
    ours = temporary_path(tmp_path)
    ours.write_text("being written")
    users = tmp_path / ".unfreeze-tmp-of-mine"
    users.write_text("")

    assert sorted(path.name for path in sweep(tmp_path)) == sorted(dead)
    assert sorted(tmp_path.iterdir()) == sorted([ours, users, tmp_path / "precious"])
    assert (tmp_path / "precious").read_text() == "precious"


def test_what_another_machine_writes_stays_for_a_week(tmp_path: Path) -> None:
    """Processes of another machine cannot be looked up: what it wrote lately may still be written."""
    path = tmp_path / ".unfreeze-tmp-00000000-1-0123456789abcdef"
    path.write_text("half")
    assert not is_left_over(path)

    old = path.stat().st_mtime - SECONDS_UNTOUCHED - 1
    os.utime(path, (old, old))
    assert is_left_over(path)


def test_names_are_never_the_same(tmp_path: Path) -> None:
    """Nobody can guess a temporary name, nor meet one twice, and it fits where 255 bytes do."""
    names = {temporary_path(tmp_path).name for _ in range(100)}

    assert len(names) == 100
    assert max(map(len, names)) < 60


def test_the_cache_is_swept_everywhere(tmp_path: Path) -> None:
    """Litter goes from the folders of graphs and of training, from beside stores and from within them."""
    places = [tmp_path / name for name in ("codes", "codes/a", "prefixes", "prefixes/b", "training", "networks")]
    name = name_of_a_dead_process()
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("half")

    assert {path.parent for path in sweep_cache(tmp_path)} == set(places)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sweep_cache(tmp_path / "nowhere") == []
