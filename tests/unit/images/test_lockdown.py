"""The locks of a decoder child: what it may not do, tried in a child; and that it still decodes."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from unfreeze.images.channel import open_photo
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.lockdown import available_locks
from unfreeze.images.pool import DecoderPool

pytestmark = pytest.mark.skipif("seccomp" not in available_locks(), reason="this system has no such lock")

SIGSYS = 31  # what the kernel sends for a system call that is forbidden
CHILD = """
import io, os, socket, sys
from unfreeze.images.decoder import _load_what_is_loaded_late
from unfreeze.images.decoding import decode
from unfreeze.images.lockdown import lock
data = sys.stdin.buffer.read()
_load_what_is_loaded_late()
print(*lock(), sep=",", flush=True)
try:
    exec(sys.argv[1])
except OSError as error:
    print(type(error).__name__, flush=True)
print(decode(data).image.size, flush=True)
"""


def tried(attempt: str) -> tuple[list[str], int]:
    """What a locked child says that tries something and then decodes a JPEG, and how it ends."""
    stream = io.BytesIO()
    Image.new("RGB", (48, 40)).save(stream, "JPEG")
    command = [sys.executable, "-c", CHILD, attempt]
    done = subprocess.run(command, input=stream.getvalue(), capture_output=True, check=False)
    return done.stdout.decode().split("\n")[:-1], done.returncode


@pytest.mark.parametrize("attempt", [
    "open('/etc/passwd')", "open('/tmp/unfreeze-was-here', 'w')", "os.unlink('/tmp/unfreeze-is-not-here')",
    "os.listdir('/')", "os.chmod('/tmp', 0o777)", "os.mkdir('/tmp/unfreeze-was-here')",
])  # fmt: skip
def test_files_are_refused(attempt: str) -> None:
    """No file can be opened, made or taken away; bytes that are there already are still decoded."""
    lines, status = tried(attempt)

    assert lines[0].split(",") == list(available_locks())
    assert (lines[1:], status) == (["PermissionError", "(48, 40)"], 0)
    assert not Path("/tmp/unfreeze-was-here").exists()


@pytest.mark.parametrize(
    "attempt", ["socket.socket()", "os.execv('/bin/true', ['true'])", "os.kill(os.getppid(), 0)", "socket.socketpair()"]
)
def test_network_programs_and_other_processes_end_the_child(attempt: str) -> None:
    """Whatever asks for them in a decoder is no decoder any more."""
    lines, status = tried(attempt)

    assert (len(lines), status) == (1, -SIGSYS)


def test_every_child_of_a_pool_is_locked(tmp_path: Path) -> None:
    """The children that read photos have all locks that this system has, from before the first photo on."""
    Image.new("RGB", (48, 40)).save(tmp_path / "photo.png")
    with DecoderPool(workers=1) as pool:
        assert [seen.reason for seen in pool.inspect([tmp_path / "photo.png"])] == [""]
        status = Path(f"/proc/{pool._children[0].process.pid}/status").read_text()
        assert pool.locks == available_locks()

    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status


def test_photos_are_handed_over_in_order_and_none_is_kept_open(tmp_path: Path) -> None:
    """Each request gets its own photo, among others that cannot be opened; a hundred leave nothing open."""
    paths = []
    for number in range(100):
        paths.append(tmp_path / f"{number}.png")
        if number % 7:
            Image.new("RGB", (40 + number, 40)).save(paths[-1])
    with DecoderPool(workers=1) as pool:
        seen = list(pool.inspect(paths))
        child, own = (len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (pool._children[0].process.pid, "self"))
        assert [found.width for found in pool.inspect(paths)] == [found.width for found in seen]
        again = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (pool._children[0].process.pid, "self")]

    assert [found.width or found.reason for found in seen] == [40 + n if n % 7 else "missing" for n in range(100)]
    assert again == [child, own]


def test_a_pipe_is_not_handed_over(tmp_path: Path) -> None:
    """Opening never waits for a writer."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UnreadableImageError, match="not-a-regular-file"):
        open_photo(tmp_path / "pipe")
