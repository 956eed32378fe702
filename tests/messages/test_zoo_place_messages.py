"""The words of each error about zoos: one sentence, and what to do."""

import json
from pathlib import Path

import pytest

from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.zoo_entries import ZooIndex, card_in, index_in
from unfreeze.zoo.kept import checked_entry, entry_meant
from unfreeze.zoo.zoo_places import place_of
from zoo_entry import entry
from zoo_servers import served_folder


def said(where: str) -> str:
    """What is said of a place that holds no zoo."""
    with pytest.raises(InputError) as caught:
        place_of(where).index()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_places_that_hold_no_zoo(tmp_path: Path) -> None:
    """A folder that is not there, one without an index, and an address that does not answer or knows no index."""
    assert said(str(tmp_path / "none")) == f"There is no zoo {tmp_path / 'none'}: no such folder. Check the spelling."
    assert said(str(tmp_path)) == f"{tmp_path} is no zoo: it has no zoo.json. Check the address."
    with served_folder(tmp_path) as address:
        assert said(address) == f"{address} is no zoo: it has no zoo.json. Check the address."
    assert said(address).startswith(f"{address} does not answer (")
    assert said(address).endswith("Connection refused). Check the address and the connection.")


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("nothing://x/y", r"nothing:// is not known to fsspec\. Give a folder, https://…, hf://OWNER/NAME or s3://…\."),
        ("hf://me", r"hf://me names no repository of the Hugging Face Hub\. Write hf://OWNER/NAME\."),
        ("hf://me/a/b", r"hf://me/a/b names no repository of the Hugging Face Hub\."),
    ],
)
def test_addresses_of_nothing(where: str, words: str) -> None:
    """An address that no library knows says which are."""
    with pytest.raises(InputError, match=words):
        place_of(where)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html>", r"is not one of this program\. Check the address, or publish again\."),
        (b"[1, 2]", "is not one of this program"),
        (b"{" * 100_000, "is not one of this program"),
        (
            b'{"schema": "unfreeze.zoo/2", "entries": {}}',
            r"schema 'unfreeze\.zoo/2', and unfreeze\.zoo/1 is read\. Update",
        ),
        (b'{"schema": "other/1", "entries": {}}', r"schema 'other/1', and unfreeze\.zoo/1 is read\. Check the address"),
        (b'{"schema": "unfreeze.zoo/1", "entries": []}', r"is damaged at entries\. Publish it again\."),
        (b'{"schema": "unfreeze.zoo/1", "entries": {"a": {}}}', r"is damaged at entries\.a\.network"),
    ],
)
def test_an_index_that_is_none(data: bytes, words: str) -> None:
    """A web page, another document, one of a newer version, and one that is damaged."""
    with pytest.raises(InputError, match=f"^here is no zoo: its zoo.json .*{words}"):
        index_in(data, where="here")


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", ".hidden", "con", "a" * 97, "a\n"])
def test_an_entry_that_would_go_elsewhere(name: str, tmp_path: Path) -> None:
    """An index whose entries are no plain names of folders is refused, and so is a card whose files are none."""
    card = entry(tmp_path / "made")
    listed = ZooIndex(entries={}).with_entry(card).entries["leaves"]
    with pytest.raises(InputError, match="has an entry that cannot be one"):
        index_in(ZooIndex(entries={name: listed}).to_bytes(), where="here")
    document = json.loads(card.to_bytes())
    document["files"][name] = document["files"].pop("config.json")
    with pytest.raises(InputError, match=r"its card\.json names files that no entry has\. Publish it again\."):
        card_in(json.dumps(document).encode(), "leaves", where="here")


@pytest.mark.parametrize(
    "change", [{"size": "224"}, {"mean": [0.5]}, {"channels": "RBG"}, {"more": 1}, {"scale": None}]
)
def test_a_card_that_is_damaged(change: dict[str, object], tmp_path: Path) -> None:
    """A card with a value of another kind, or one too many, says where."""
    document = {**json.loads(entry(tmp_path / "made").to_bytes()), **change}
    with pytest.raises(InputError, match=rf"its card\.json is damaged at {next(iter(change))}.*Publish it again\."):
        card_in(json.dumps(document).encode(), "leaves", where="here")


def test_places_that_take_nothing(tmp_path: Path) -> None:
    """A place on the web, and a folder whose place is taken by a file, say what to do."""
    card = entry(tmp_path / "made")
    with pytest.raises(OutputError, match=r"can only be read\. Publish leaves to a folder that is served there"):
        place_of("https://example.org/zoo").publish(card, tmp_path / "made")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"^Cannot write .*file/zoo: .*Choose another place\."):
        place_of(str(tmp_path / "file" / "zoo")).publish(card, tmp_path / "made")


def test_an_entry_that_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``zoo:NAME`` of what is not kept proposes near names."""
    monkeypatch.setenv("UNFREEZE_ZOO", str(tmp_path / "own"))
    place_of(str(tmp_path / "own")).publish(entry(tmp_path / "made"), tmp_path / "made")

    assert entry_meant("leaves") == entry_meant("zoo:leaves") == tmp_path / "own" / "leaves"
    assert checked_entry(tmp_path / "own" / "leaves").name == "leaves"
    with pytest.raises(InputError, match=r"no entry 'leavs' in the zoo of this machine\. Did you mean leaves\?"):
        entry_meant("zoo:leavs")
    assert entry_meant("leavs") is None
