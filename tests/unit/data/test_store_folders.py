"""Folders of photos in a store: read as those of a disk, whatever connections do, and refused in a sentence."""

import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
import s3fs
from botocore.exceptions import ClientError, NoCredentialsError
from s3fs.errors import translate_boto_error

from dropping_proxy import dropping_proxy
from object_store import ask_store, object_store
from unfreeze.core import remote_files
from unfreeze.core.errors import ImageSetError, StoppedError
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.remote_files import NotGivenError, patiently
from unfreeze.data import store_folders
from unfreeze.data.folders import files_below
from unfreeze.data.image_table import State
from unfreeze.data.inspection import listed_images
from unfreeze.data.store_folders import NO_NAME, trees

LAYOUTS = {
    "classes": ["cat/1.jpg", "cat/deep/2.jpg", "dog/1.jpg", "dog/2.JPG"],
    "parts": ["train/cat/1.jpg", "train/dog/1.jpg", "Test/cat/2.jpg", "Test/dog/2.jpg", "valid/cat/3.jpg"],
    "parts in classes": ["cat/train/1.jpg", "cat/test/2.jpg", "dog/train/3.jpg", "dog/test/4.jpg"],
    "wrapped": ["set/v1/cat/1.jpg", "set/v1/dog/2.jpg"],
    "masks": ["cat/images/1.jpg", "cat/masks/1.png", "dog/images/2.jpg", "dog/masks/2.png"],
    "others": [
        *("cat/1.jpg", "cat/.hidden.jpg", "cat/notes.txt", "cat/film.mp4", "dog/1.jpg", "Thumbs.db", "stray.jpg"),
        *(
            "@eaDir/cat/1.jpg",
            "scripts/tool.py",
            "old/run.json",
            "old/cat/1.jpg",
            "m/config.json",
            "m/model.safetensors",
        ),
        *("empty/notes.docx", "cat/odd name%2F ü#?.jpg"),
    ],
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a store with a bucket for all tests here."""
    with object_store("photos") as address:
        yield address


@pytest.fixture
def _store(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients ask that store, and nobody waits before another attempt."""
    monkeypatch.setattr(remote_files, "PAUSES", (0.0,) * 4)
    ask_store(monkeypatch, server)


def put(place: str, *names: str) -> None:
    """Objects of different content below an address."""
    fsspec.filesystem("s3").pipe({f"{place}/{name}": name.encode() for name in names})


def listing(source: str | Path, **settings: object) -> tuple[object, ...]:
    """All that is known of the photos of a source, and what becomes of everything else."""
    with listed_images(Path(source), **settings) as table:
        photos = {one.name: (one.label, one.split, one.path.read_bytes()) for one in table.candidates()}
        assert len(table) + sum(table.skipped.values()) - table.number_of(State.SET_ASIDE) >= len(photos)
        findings = [finding.sentence for finding in table.findings]
        return photos, dict(table.skipped), dict(table.skipped_of), findings, table.empty_labels, table.no_classes


@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_of_a_store_is_read_as_the_same_folder_of_a_disk(tmp_path: Path, layout: str) -> None:
    """Classes, parts, what is left out and why, and the name of each photo."""
    for name in LAYOUTS[layout]:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(name.encode())
    put(f"photos/{zlib.crc32(layout.encode())}", *LAYOUTS[layout])

    here, there = listing(tmp_path / "set"), listing(f"s3://photos/{zlib.crc32(layout.encode())}/")

    assert there == here


@pytest.mark.usefixtures("_store")
def test_a_class_that_is_an_empty_folder_is_one_as_on_a_disk() -> None:
    """Programs make it with an object of no size whose name ends in a slash."""
    put("photos/empties", "cat/1.jpg", "dog/1.jpg", "")
    fsspec.filesystem("s3").call_s3("put_object", Bucket="photos", Key="empties/emu/", Body=b"")

    with listed_images(Path("s3://photos/empties")) as table:
        assert table.labels() == {"cat", "dog", "emu"}


@pytest.mark.usefixtures("_store")
def test_names_that_no_disk_has_are_counted_and_lead_nowhere() -> None:
    """A key may have empty parts and dots, which would be other places."""
    keys = ["odd/cat/1.jpg", "odd/dog/1.jpg", "odd/cat//2.jpg", "odd/cat/../../3.jpg", "odd/./4.jpg"]
    for key in keys:
        fsspec.filesystem("s3").call_s3("put_object", Bucket="photos", Key=key, Body=key.encode())

    with listed_images(Path("s3://photos/odd")) as table:
        assert [one.name for one in table.candidates()] == ["cat/1.jpg", "dog/1.jpg"]
        assert table.skipped == {NO_NAME: 3}


@pytest.mark.usefixtures("_store")
def test_a_folder_to_test_on_may_lie_in_the_store_too(tmp_path: Path) -> None:
    """Photos of it are called as on a disk, by the way from the source."""
    put("photos/apart", "learn/cat/1.jpg", "learn/dog/1.jpg", "held/cat/2.jpg", "held/dog/2.jpg")
    for name in ("cat/1.jpg", "dog/1.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")

    with listed_images(Path("s3://photos/apart/learn"), test=Path("s3://photos/apart/held")) as table:
        assert [(one.name, one.split) for one in table.candidates()] == [
            ("../held/cat/2.jpg", "test"),
            ("../held/dog/2.jpg", "test"),
            ("cat/1.jpg", "train"),
            ("dog/1.jpg", "train"),
        ]
    with listed_images(tmp_path, test=Path("s3://photos/apart/held")) as table:
        assert [one.name for one in table.candidates()][2:] == [
            "s3://photos/apart/held/cat/2.jpg",
            "s3://photos/apart/held/dog/2.jpg",
        ]


def test_photos_come_whole_when_connections_drop(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked for again."""
    monkeypatch.setattr(remote_files, "PAUSES", (0.0,) * 4)
    ask_store(monkeypatch, server)
    names = [f"{label}/{number}.jpg" for label in ("cat", "dog") for number in range(6)]
    fsspec.filesystem("s3").pipe({f"photos/drops/{name}": name.encode() * 9000 for name in names})
    with dropping_proxy(server, after=50_000, drops=5) as proxy:
        ask_store(monkeypatch, proxy.address)
        photos = listing("s3://photos/drops")[0]

        assert proxy.dropped == 5
    assert photos == {name: (name[:3], "", name.encode() * 9000) for name in names}


def test_what_a_store_has_listed_and_does_not_give_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has removed it meanwhile, or it may not be read; one that is too large is not asked for."""
    monkeypatch.setattr(store_folders, "MAX_BYTES", 100)
    store = fsspec.filesystem("memory")
    store.pipe(
        {"/gone/cat/1.jpg": b"1", "/gone/cat/2.jpg": b"2", "/gone/dog/1.jpg": b"3" * 101, "/gone/dog/2.jpg": b""}
    )
    monkeypatch.setattr(store_folders, "check_room", lambda *_, **__: store.rm("/gone/cat/2.jpg"))
    with listed_images(Path("memory://gone")) as table:
        assert [one.name for one in table.candidates()] == ["cat/1.jpg", "dog/2.jpg"]
        assert [(one.name, one.reason) for one in table.files_set_aside()] == [
            ("cat/2.jpg", "missing: not in the store any more"),
            ("dog/1.jpg", "file-too-large 101 > 100 bytes"),
        ]


def test_work_on_a_store_stops_between_two_photos() -> None:
    """As work on a disk does; what was asked for is not waited for."""
    fsspec.filesystem("memory").pipe({f"/many/{label}/{n}.jpg": b"1" for label in "ab" for n in range(300)})
    progress = Progress()

    def stop_when_fetching(event: object) -> None:
        if getattr(event, "done", 0) == 100:
            progress.stop.request()

    with pytest.raises(StoppedError), listed_images(Path("memory://many"), progress=progress.also(stop_when_fetching)):
        pass


def test_files_below_a_folder_of_a_store_are_called_by_their_addresses() -> None:
    """So that answers lead back to them."""
    fsspec.filesystem("memory").pipe({"/inbox/a.jpg": b"1", "/inbox/new/b.png": b"2", "/inbox/notes.md": b"3"})

    with trees(SILENT) as places:
        below = files_below(Path("memory://inbox"), tree=places.at(Path("memory://inbox")))
        lost = list(places.fetch_named(below.names, below.paths))

    assert below.names == ("memory://inbox/a.jpg", "memory://inbox/new/b.png")
    assert [path.read_bytes() for path in below.paths] == [b"1", b"2"]
    assert (lost, sum(below.skipped.values())) == ([], 1)


@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("s3://no-such-bucket/x", r"There is no bucket no-such-bucket, which s3://no-such-bucket/x names\. Check the"),
        ("s3://photos/said/phtos", r"There is nothing at s3://photos/said/phtos\. Check the spelling\."),
        ("s3://photos/said/cat", r"s3://photos/said/cat has no class folders with images \(2 file\(s\) beside\)\. Put"),
        ("s3://photos/said/cat/1.jpg", r"s3://photos/said/cat/1\.jpg is one file\. Give the folder that holds the"),
        ("s3://photos/said/list.csv", r"s3://photos/said/list\.csv is one file\. Give the folder"),
        ("s3://photos/said/*.tar", r"There are no \.tar or \.parquet files at s3://photos/said/\*\.tar\. Check the"),
    ],
)
def test_what_cannot_be_learned_from_is_said_in_one_sentence(source: str, message: str) -> None:
    """A bucket that is not there, a typo, a class in place of all of them, a single file."""
    put("photos/said", "cat/1.jpg", "cat/2.jpg", "list.csv")

    with pytest.raises(ImageSetError, match=message) as caught, listed_images(Path(source)):
        pass
    assert "\n" not in str(caught.value)


def test_a_store_without_credentials_and_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither is a matter of patience alone: the reason is named."""
    monkeypatch.setattr(remote_files, "PAUSES", (0.0,))
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    ask_store(monkeypatch, closed)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ImageSetError, match=r'cannot be read \(Could not connect to the endpoint URL: "http://127\.0'):
        listing("s3://photos/x")

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(ImageSetError, match="cannot be read without credentials, and none were found"):
        listing("s3://photos/x")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDenied", r"s3://b/x may not be read \(Said\)\. Check your rights there\."),
        ("PermanentRedirect", r"s3://b/x lies in another region, or behind another endpoint, than was asked \(Said\)"),
        ("AuthorizationHeaderMalformed", "lies in another region"),
        ("NoSuchKey", r"There is nothing at s3://b/x\. Check the spelling\."),
    ],
)
def test_what_a_store_answers_is_told_at_once(code: str, message: str) -> None:
    """No other attempt would mend it."""
    waited: list[float] = []

    def refused() -> None:
        raise translate_boto_error(ClientError({"Error": {"Code": code, "Message": "Said"}}, "GetObject"))

    with pytest.raises(ImageSetError, match=message):
        patiently(refused, "s3://b/x", waited.append)
    assert waited == []


def test_reasons_of_photos_that_are_not_given_begin_as_those_of_a_disk() -> None:
    """So that they are counted together."""

    def lost() -> None:
        raise FileNotFoundError("x")

    def denied() -> None:
        raise PermissionError("no")

    reasons = []
    for attempt in (lost, denied):
        with pytest.raises(NotGivenError) as caught:
            patiently(attempt, "s3://b/x")
        reasons.append(caught.value.reason)
    assert reasons == ["missing: not in the store any more", "permission: the store does not give it (no)"]
    with pytest.raises(ImageSetError, match="without credentials"):
        patiently(lambda: (_ for _ in ()).throw(NoCredentialsError()), "s3://b/x")
