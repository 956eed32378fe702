"""Files on the web and in a store: what comes is what lies there, also where connections drop."""

import io
import re
import urllib.error
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from dropping_proxy import dropping_proxy
from object_store import ask_store, object_store
from unfreeze.core import remote_files
from unfreeze.core.errors import ImageSetError
from unfreeze.core.remote_files import Connection, RemoteFile, open_remote, patiently
from unfreeze.data.shards import shards_of
from zoo_servers import served_folder, serving

CONTENT = np.random.default_rng(0).bytes(3_000_000)


class WithRanges(SimpleHTTPRequestHandler):
    """A server that gives what is asked for of a file, as stores do."""

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        """Answer with the file, from the place that is asked for."""
        data = Path(self.translate_path(self.path)).read_bytes()
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begins = int(found[1]) if found else 0
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(len(data) - begins))
        self.send_header("ETag", f'"{hash(data)}"')
        self.end_headers()
        self.wfile.write(data[begins:])


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits before another attempt."""
    monkeypatch.setattr(remote_files, "PAUSES", (0.0,) * 4)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("gives_parts", [True, False])
def test_a_file_of_the_web_is_whole_however_often_the_connection_drops(tmp_path: Path, *, gives_parts: bool) -> None:
    """Also where a server only gives whole files, from their beginning."""
    (tmp_path / "photos.tar").write_bytes(CONTENT)
    serve = serving(partial(WithRanges, directory=str(tmp_path))) if gives_parts else served_folder(tmp_path)
    with (
        serve as server,
        dropping_proxy(server, after=1_000_000, drops=2) as proxy,
        open_remote(f"{proxy.address}/photos.tar") as file,
    ):
        assert file.read() == CONTENT
        assert proxy.dropped == 2
        assert file.seek(-5, io.SEEK_END) == len(CONTENT) - 5
        assert file.read() == CONTENT[-5:]
        assert file.seek(7) == 7
        assert file.read(9) == CONTENT[7:16]


@pytest.mark.usefixtures("_quick")
def test_files_of_a_store_are_found_and_whole_when_connections_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a folder, by a pattern, and by name."""
    with object_store("photos") as server, dropping_proxy(server, after=1_500_000, drops=3) as proxy:
        ask_store(monkeypatch, proxy.address)
        fsspec.filesystem("s3").pipe({f"photos/train/{name}": CONTENT for name in ("0.tar", "1.tar", "notes.md")})

        tars = ["s3://photos/train/0.tar", "s3://photos/train/1.tar"]
        for source in ("s3://photos/train", "s3://photos/train/*", "s3://photos/train/{0..1}.tar"):
            assert [shard.place for shard in shards_of(Path(source))] == tars
        with open_remote(tars[1]) as file:
            assert file.read() == CONTENT
        assert proxy.dropped > 0
        with pytest.raises(ImageSetError, match=r"There is nothing at s3://photos/2\.tar\. Check the spelling\."):
            open_remote("s3://photos/2.tar").read()


def test_a_file_that_changes_while_it_is_read_is_refused() -> None:
    """Its first part would be of another file than its second."""
    versions = iter("12")

    def connect(at: int) -> Connection:
        return Connection(stream=io.BytesIO(CONTENT[at:1000]), begins=at, size=2000, version=next(versions))

    with pytest.raises(ImageSetError, match="x has changed while it was read"):
        RemoteFile("x", connect, wait=lambda seconds: None).readall()


def test_a_place_that_never_answers_is_given_up_after_five_attempts() -> None:
    """They are further and further apart; what another attempt cannot mend is tried once."""
    waited: list[float] = []

    def dead() -> None:
        raise TimeoutError("timed out")

    def refused() -> None:
        raise urllib.error.HTTPError("x", 403, "Forbidden", {}, None)  # type: ignore[arg-type]

    with pytest.raises(ImageSetError, match=r"x cannot be read \(timed out\)"):
        patiently(dead, "x", waited.append)
    assert waited == sorted(waited)
    assert len(waited) == 4
    with pytest.raises(ImageSetError, match="x may not be read"):
        patiently(refused, "x", waited.append)
    assert len(waited) == 4


def test_an_address_that_nobody_knows_is_named() -> None:
    """In a sentence, at once."""
    with pytest.raises(ImageSetError, match="fsspec knows no such address"):
        open_remote("nowhere://a/b.tar").read()
