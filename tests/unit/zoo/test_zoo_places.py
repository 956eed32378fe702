"""Zoos in folders, on the web, in stores and on a stand-in for the Hub: what is published is what comes back."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.zoo_entries import EntryCard, index_in
from unfreeze.zoo.hub import HubPlace
from unfreeze.zoo.zoo_places import FolderPlace, StorePlace, WebPlace, ZooPlace, place_of
from zoo_entry import entry
from zoo_servers import TOKEN, Hub, ask, served_folder, standing_in_for_the_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A stand-in for the Hub, to which this process is signed in."""
    with standing_in_for_the_hub() as known:
        ask(known, monkeypatch, tmp_path / "hub")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield known


@pytest.fixture
def store() -> Iterator[str]:
    """An empty store that fsspec reaches."""
    address = "memory://zoos/one"
    yield address
    files = fsspec.filesystem("memory")
    if files.exists("/zoos"):
        files.rm("/zoos", recursive=True)


@pytest.fixture(params=["folder", "store", "hub"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> ZooPlace:
    """A place that can be written, of each kind."""
    if request.param == "folder":
        return place_of(str(tmp_path / "zoo"))
    if request.param == "store":
        return place_of(request.getfixturevalue("store"))
    request.getfixturevalue("hub")
    return place_of("hf://me/zoo")


def brought(place: ZooPlace, name: str, folder: Path) -> dict[str, bytes]:
    """The files of an entry, as they come back."""
    card = place.card(name, place.index().entries[name].card_sha256)
    folder.mkdir()
    for file in card.files:
        place.fetch(card, file, folder / file, lambda: None)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_published_comes_back(place: ZooPlace, tmp_path: Path) -> None:
    """The index names the entry, its card is the one that was given, and its files are the same bytes."""
    card = entry(tmp_path / "made")

    assert place.publish(card, tmp_path / "made") is True
    (name,) = place.index().entries
    listed = place.index().entries[name]
    assert (name, listed.outputs, listed.measured) == ("leaves", 2, card.measured)
    assert place.card(name, listed.card_sha256) == card
    assert brought(place, name, tmp_path / "back") == {
        path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()
    }


def test_publishing_the_same_again_changes_nothing(place: ZooPlace, tmp_path: Path) -> None:
    """A second time the same entry is there already; another content under its name is refused."""
    place.publish(entry(tmp_path / "made"), tmp_path / "made")
    before = place.document("zoo.json")

    assert place.publish(entry(tmp_path / "made"), tmp_path / "made") is False
    other = entry(tmp_path / "other", weights=b"something else")
    with pytest.raises(OutputError, match=r"has an entry leaves of other content, and entries are never replaced"):
        place.publish(other, tmp_path / "other")
    assert place.document("zoo.json") == before
    assert brought(place, "leaves", tmp_path / "back")["model.safetensors"] != b"something else"


def test_publishers_at_once_lose_nothing(place: ZooPlace, tmp_path: Path) -> None:
    """Five entries that are published at the same time are all in the index afterwards, and all come back."""
    names = [f"entry{number}" for number in range(5)]
    cards = [entry(tmp_path / name, name, weights=name.encode()) for name in names]
    failed: list[BaseException] = []

    def publish(card: EntryCard) -> None:
        try:
            place.publish(card, tmp_path / card.name)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=publish, args=(card,)) for card in cards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert sorted(place.index().entries) == names
    for name in names:
        assert brought(place, name, tmp_path / f"back-{name}")["model.safetensors"] == name.encode()


def test_a_commit_on_an_older_one_is_made_anew(hub: Hub, tmp_path: Path) -> None:
    """Of two commits on the same parent the Hub refuses one; it is made again on the newer one, in one commit each."""
    place = place_of("hf://me/zoo")
    place.publish(entry(tmp_path / "first", "first"), tmp_path / "first")
    before, hub.together = len(hub.commits["me/zoo"]), threading.Barrier(2)
    threads = [
        threading.Thread(target=place.publish, args=(entry(tmp_path / name, name), tmp_path / name)) for name in "ab"
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if hub.conflicts:
            hub.together = None  # the refused one comes alone
        for thread in threads:
            thread.join(0.01)

    assert hub.conflicts == 1
    assert len(hub.commits["me/zoo"]) == before + 2
    assert sorted(index_in(hub.files("me/zoo")["zoo.json"], where="").entries) == ["a", "b", "first"]


def test_large_files_go_in_parts(hub: Hub, tmp_path: Path) -> None:
    """Weights go by way of Git LFS, in several parts where the Hub asks for them, and none of them twice."""
    place = place_of("hf://me/zoo")
    weights = bytes(range(256)) * 200

    place.publish(entry(tmp_path / "one", "one", weights=weights), tmp_path / "one")
    place.publish(entry(tmp_path / "two", "two", weights=weights), tmp_path / "two")
    assert hub.files("me/zoo")["one/model.safetensors"] == weights == hub.files("me/zoo")["two/model.safetensors"]
    assert hub.parts == 3


def test_the_readme_of_others_stays(hub: Hub, tmp_path: Path) -> None:
    """A repository that has a README.md keeps it; an empty one gets one that says how to list it."""
    hub.add("me/zoo", {"README.md": b"mine"})
    place_of("hf://me/zoo").publish(entry(tmp_path / "one", "one"), tmp_path / "one")
    place_of("hf://me/new").publish(entry(tmp_path / "one", "one"), tmp_path / "one")

    assert hub.files("me/zoo")["README.md"] == b"mine"
    assert b"unfreeze zoo list --zoo hf://me/new" in hub.files("me/new")["README.md"]


def test_a_folder_that_is_served_is_a_zoo(tmp_path: Path) -> None:
    """What was published to a folder comes back from a web server that serves it."""
    place_of(str(tmp_path / "zoo")).publish(entry(tmp_path / "made"), tmp_path / "made")

    with served_folder(tmp_path / "zoo") as address:
        back = brought(place_of(f"{address}/"), "leaves", tmp_path / "back")
    assert back["model.safetensors"] == (tmp_path / "made" / "model.safetensors").read_bytes()


def test_an_unfinished_upload_goes_on(store: str, tmp_path: Path) -> None:
    """Files without a card, which a publisher left that died, are no entry, and the same entry is finished later."""
    card = entry(tmp_path / "made")
    place = place_of(store)
    place.publish(entry(tmp_path / "first", "first"), tmp_path / "first")
    files = fsspec.filesystem("memory")
    files.put_file(str(tmp_path / "made" / "config.json"), "/zoos/one/leaves/config.json")

    assert list(place.index().entries) == ["first"]
    assert place.publish(card, tmp_path / "made") is True
    assert sorted(place.index().entries) == ["first", "leaves"]


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("zoo", FolderPlace),
        ("/mnt/zoo", FolderPlace),
        ("file:///mnt/zoo", FolderPlace),
        ("https://example.org/zoo", WebPlace),
        ("memory://zoo", StorePlace),
        ("hf://me/zoo", HubPlace),
    ],
)
def test_places_are_told_by_their_address(where: str, kind: type) -> None:
    """A folder, the web, a store and the Hub are told apart by what stands before ``://``."""
    assert isinstance(place_of(where), kind)


@pytest.mark.parametrize("damage", ["file", "card", "longer"])
def test_what_is_not_what_the_index_says_is_refused(damage: str, tmp_path: Path) -> None:
    """A file or a card that was changed, and a file that goes on, are refused by their hash of 64 digits."""
    place = place_of(str(tmp_path / "zoo"))
    place.publish(entry(tmp_path / "made"), tmp_path / "made")
    weights, card = tmp_path / "zoo" / "leaves" / "model.safetensors", tmp_path / "zoo" / "leaves" / "card.json"
    if damage == "card":
        card.write_bytes(card.read_bytes().replace(b"apache-2.0", b"mit-000000"))
    else:
        data = weights.read_bytes()
        weights.write_bytes(data + b"\0" if damage == "longer" else b"\1" + data[1:])

    with pytest.raises(InputError, match=r"has another SHA-256 than (its card|zoo)\.json says"):
        brought(place, "leaves", tmp_path / "back")


def test_a_renamed_card_is_another_entry(tmp_path: Path) -> None:
    """A card that lies in a folder of another name is left out of the index."""
    place = place_of(str(tmp_path / "zoo"))
    place.publish(entry(tmp_path / "made"), tmp_path / "made")
    (tmp_path / "zoo" / "leaves").rename(tmp_path / "zoo" / "moved")
    card = replace(entry(tmp_path / "made"), name="third")
    place.publish(card, tmp_path / "made")

    assert list(place.index().entries) == ["third"]
