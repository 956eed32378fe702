"""A store of codes that machines share in an object store: found by all, written once, compared with its names."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pytest

from dropping_proxy import dropping_proxy
from object_store import ask_store, object_store
from unfreeze.cli.main import exit_code_of
from unfreeze.core import remote_files
from unfreeze.core.errors import ImageSetError, OutputError
from unfreeze.store.codes import CodeStore, Row, open_store
from unfreeze.store.key_index import key_index
from unfreeze.store.manifests import key_of
from unfreeze.store.places import kept_beside, shared_stores, stores_folder
from unfreeze.store.shards import encoded_shard
from unfreeze.store.shared import SharedShards, shared_manifests

WIDTHS = {"low": 3, "last": 5}
DESCRIPTION = {"weights": "a"}
Machine = Callable[[str], CodeStore]


def rows(rng: np.random.Generator, *names: str, width: int = 1) -> dict[str, Row]:
    """Random codes; of a width that is a multiple of the usual."""
    return {n: {tap: rng.normal(size=w * width).astype(np.float32) for tap, w in WIDTHS.items()} for n in names}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Machine:
    """Opens the shared store of a test as a machine that has a folder of its own."""
    monkeypatch.setattr(remote_files, "PAUSES", (0.0,) * 4)
    fsspec.filesystem("memory").store.clear()  # which is one for all tests
    address = Path(f"memory://{request.node.originalname}/cache")

    def opened(name: str) -> CodeStore:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        return open_store(DESCRIPTION, WIDTHS, cache=address)

    return opened


def there(store: CodeStore) -> dict[str, bytes]:
    """All objects of a store, by name, as another client sees them."""
    memory, place = fsspec.filesystem("memory"), f"/{shared_place(store)}"
    return {path.rpartition("/")[2]: memory.cat_file(path) for path in memory.find(place)}


def shared_place(store: CodeStore) -> str:
    """Where the shared part of a store lies in the memory of the tests."""
    (place,) = [path for path in fsspec.filesystem("memory").find("/") if store.folder.name in path][:1]
    return place.rpartition("/")[0].lstrip("/")


def test_what_one_machine_writes_another_finds_bit_for_bit(machine: Machine, rng: np.random.Generator) -> None:
    """It is fetched once, and is in a folder of that machine then."""
    written = rows(rng, "x", "y", "z")
    first = machine("first")
    shard = first.write(written)
    second = machine("second")

    assert second.folder != first.folder
    assert {*second.keys().astype(str)} == {"x", "y", "z"}
    assert not (second.folder / shard.name).exists()
    with key_index(second) as index:
        assert index.missing(["x", "new", "z"]) == ["new"]
        by_tap, found, new = index.read(["z", "x"])
    assert (found.all(), new.any()) == (True, False)
    for tap in WIDTHS:
        np.testing.assert_array_equal(by_tap[tap], [written["z"][tap], written["x"][tap]])
    assert (second.folder / shard.name).read_bytes() == shard.read_bytes() == there(second)[shard.name]
    assert second.read(["y"])["y"]["low"].tobytes() == written["y"]["low"].tobytes()


def test_what_others_write_meanwhile_is_taken_up(machine: Machine, rng: np.random.Generator) -> None:
    """As the driver of workers on several machines does."""
    driver, worker = machine("driver"), machine("worker")
    with key_index(driver) as index:
        worker.write(rows(rng, "x"))
        index.take_up()
        assert index.read(["x"])[1:] == ([True], [True])


def test_what_did_not_arrive_is_put_there_when_the_store_is_opened_again(
    machine: Machine, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that lost its connection has its codes still, and the others get them later; damaged ones never."""
    store, memory = machine("first"), fsspec.filesystem("memory")
    whole, damaged = store.write(rows(rng, "x")), store.write(rows(rng, "y"))
    for name in (whole.name, damaged.name):
        memory.rm(f"/{shared_place(store)}/{name}")
    damaged.write_bytes(b"?" + damaged.read_bytes()[1:])

    again = machine("first")

    assert there(again).keys() == {whole.name, "manifest.json"}


def test_an_object_that_is_not_what_its_name_says_is_not_used(machine: Machine, rng: np.random.Generator) -> None:
    """Torn, empty or foreign: its images are computed again, and what is whole takes the place of its name."""
    written, memory = rows(rng, "x", "y"), fsspec.filesystem("memory")
    store = machine("first")
    torn, other = store.write({"x": written["x"]}), store.write({"y": written["y"]})
    place = shared_place(store)
    foreign = encoded_shard(rows(rng, "z"), open_store({"weights": "b"}, WIDTHS, cache=store.folder).manifest)
    memory.pipe_file(f"/{place}/{torn.name}", torn.read_bytes()[:-9])
    memory.pipe_file(f"/{place}/{other.name}", b"")
    memory.pipe_file(f"/{place}/{foreign[0]}", foreign[1])
    memory.pipe_file(f"/{place}/notes.parquet", b"mine")
    memory.pipe_file(f"/{place}/deep/{torn.name}", torn.read_bytes())

    second = machine("second")
    with key_index(second) as index:
        assert index.missing(["x", "y", "z"]) == ["x", "y", "z"]
        index.write({"x": written["x"]})
        assert index.missing(["x", "y", "z"]) == ["y", "z"]

    assert there(second)[torn.name] == torn.read_bytes()
    with key_index(machine("third")) as index:
        assert index.missing(["x", "y", "z"]) == ["y", "z"]


def test_keys_are_read_without_codes(
    machine: Machine, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking for a few images among many would take all codes otherwise."""
    store = machine("first")
    name, data = encoded_shard(rows(rng, *map(str, range(200)), width=1000), _wide(store))
    shared = SharedShards(f"memory://{shared_place(store)}")
    assert shared.put(name, data)
    memory, asked = fsspec.filesystem("memory", use_listings_cache=False), []
    whole = memory.cat_file

    def counted(path: str, **part: int) -> bytes:
        asked.append(part["end"] - part["start"])
        return whole(path, **part)

    monkeypatch.setattr(memory, "cat_file", counted)
    assert shared.names() == [name]
    assert list(shared.keys([name])) == [list(map(str, range(200)))]
    assert sum(asked) < 0.05 * len(data)


def _wide(store: CodeStore) -> dict[str, object]:
    return store.manifest | {"widths": {tap: 1000 * width for tap, width in WIDTHS.items()}}


def test_choices_of_other_machines_are_known(machine: Machine) -> None:
    """The manifest of a store is there once one machine has opened it; a damaged one, and what is none, is not."""
    store, memory = machine("first"), fsspec.filesystem("memory")
    address = f"memory://{shared_place(store).rpartition('/')[0]}"
    memory.pipe_file(f"{address}/other/manifest.json", b"{}")
    memory.pipe_file(f"{address}/empty/nothing", b"")

    assert list(shared_manifests(address)) == [store.manifest]
    assert key_of(store.manifest) == store.folder.name
    assert list(shared_manifests("")) == []
    assert json.loads(there(store)["manifest.json"]) == store.manifest


def test_what_is_kept_beside_codes_stays_on_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Converted networks and timings are true of it alone; each shared store has a folder of its own there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("UNFREEZE_CACHE", "s3://bucket/cache")

    assert shared_stores() == "s3://bucket/cache/codes"
    assert kept_beside("networks").is_relative_to(tmp_path)
    assert stores_folder().is_relative_to(tmp_path)
    assert stores_folder() != stores_folder(Path("s3://bucket/other"))
    assert (shared_stores(tmp_path), stores_folder(tmp_path)) == ("", tmp_path / "codes")


def test_of_eight_that_put_a_shard_at_once_one_is_first(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have put the same, so that none has to know; connections that drop are made anew."""
    monkeypatch.setattr(remote_files, "PAUSES", (0.0,) * 4)
    name, data = encoded_shard(rows(rng, *map(str, range(400))), open_store({}, WIDTHS, cache=tmp_path).manifest)
    with object_store("shared") as server:
        ask_store(monkeypatch, server)
        begin = threading.Barrier(8)

        def put(_: int) -> bool:
            shared = SharedShards("s3://shared/cache/codes/key")
            begin.wait()
            return shared.put(name, data)

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(put, range(8))) == 1
        with dropping_proxy(server, after=len(data) // 2, drops=2) as proxy:
            ask_store(monkeypatch, proxy.address)
            shared = SharedShards("s3://shared/cache/codes/key")
            assert shared.names() == [name]
            assert shared.fetch(name) == data
            assert proxy.dropped == 2


def test_an_object_store_that_is_not_there_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the address, in a sentence."""
    monkeypatch.setattr(remote_files, "PAUSES", (0.0,))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with object_store("shared") as server:
        ask_store(monkeypatch, server)
        with pytest.raises(
            (ImageSetError, OutputError), match="There is no bucket other, which s3://other/cache/codes/"
        ):
            open_store(DESCRIPTION, WIDTHS, cache=Path("s3://other/cache"))


@pytest.mark.parametrize("command", ["list", "verify", "repair", "prune --all"])
def test_upkeep_says_that_it_is_of_this_machine(
    command: str,
    machine: Machine,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What lies in the object store stays as it is."""
    store = machine("first")
    store.write(rows(rng, "x"))
    before, address = there(store), f"memory://{shared_place(store).rpartition('/codes/')[0]}"
    store.close()
    monkeypatch.setenv("UNFREEZE_CACHE", address)

    assert exit_code_of(["cache", *command.split()]) == 0
    assert f"This is what this machine keeps of {address}/codes." in " ".join(capfd.readouterr().out.split())
    assert there(store) == before
