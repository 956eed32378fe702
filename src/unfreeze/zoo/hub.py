"""Zoos in repositories of the Hugging Face Hub."""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.zoo_entries import CARD, INDEX, EntryCard, ZooIndex, index_in
from unfreeze.zoo.answering import answers
from unfreeze.zoo.zoo_places import NothingThereError, ZooPlace, other_content, parts_of, unanswered

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

MOST_COMMITS = 12  # attempts, while others publish to the same repository
CONFLICT = 412  # what the Hub answers when the parent of a commit is not the latest any more
_REPOSITORY = re.compile(r"hf://([\w.-]+/[\w.-]+)/?")
_README = """---
tags:
- unfreeze
---

# A zoo of unfreeze

`unfreeze zoo list --zoo hf://{repository}` lists what is in it, and
`unfreeze zoo pull NAME --zoo hf://{repository}` brings an entry to your machine.
"""


def hub_place(where: str) -> "HubPlace":
    """A zoo on the Hub.

    Args:
        where: ``hf://OWNER/NAME``.

    Raises:
        InputError: It names no repository.
    """
    found = _REPOSITORY.fullmatch(where)
    if found is None:
        msg = f"{where} names no repository of the Hugging Face Hub. Write hf://OWNER/NAME."
        raise InputError(msg)
    return HubPlace(where, found[1])


@final
@dataclass(frozen=True)
class HubPlace(ZooPlace):
    """A repository.

    Attributes:
        repository: Its owner and name.
    """

    repository: str

    def parts(self, path: str) -> Iterator[bytes]:
        """See `ZooPlace`; by way of the Hub's own cache."""
        with downloaded(self.repository, path, self.where).open("rb") as file:
            yield from parts_of(file)

    def publish(self, card: EntryCard, folder: Path) -> bool:
        """See `ZooPlace`: one commit on the commit that was read.

        The Hub refuses it if somebody else was faster; then all is read again, and nothing of others is lost.
        """
        from huggingface_hub import HfApi

        api = HfApi()
        with _hub_errors_explained(self.where):
            _check_signed_in(api)
            api.create_repo(self.repository, exist_ok=True)
            for attempt in range(MOST_COMMITS):
                if (new := self._committed(api, card, folder)) is not None:
                    return new
                time.sleep(0.05 * 2 ** min(attempt, 5))
        msg = f"{self.where} is being published to by others all the time. Try again later."
        raise OutputError(msg)

    def _committed(self, api: "HfApi", card: EntryCard, folder: Path) -> bool | None:
        """One attempt: whether the entry is new; None if somebody else was faster."""
        from huggingface_hub.errors import HfHubHTTPError

        parent = api.repo_info(self.repository).sha
        index = self._index_at(parent)
        if self._is_there(card, parent):
            if card.name in index.entries:
                return False
            files: dict[str, bytes | Path] = {}
        else:
            files = {f"{card.name}/{name}": folder / name for name in card.files}
            files[f"{card.name}/{CARD}"] = card.to_bytes()
            if not index.entries and not self._has("README.md", parent):
                files["README.md"] = _README.format(repository=self.repository).encode()
        files[INDEX] = index.with_entry(card).to_bytes()
        try:
            api.create_commit(
                self.repository, _additions(files), commit_message=f"Add {card.name}", parent_commit=parent
            )
        except HfHubHTTPError as error:
            if error.response is not None and error.response.status_code == CONFLICT:
                return None
            raise
        return True

    def _index_at(self, revision: str | None) -> ZooIndex:
        try:
            data = downloaded(self.repository, INDEX, self.where, revision).read_bytes()
        except NothingThereError:
            return ZooIndex(entries={})
        return index_in(data, where=self.where)

    def _has(self, path: str, revision: str | None) -> bool:
        try:
            downloaded(self.repository, path, self.where, revision)
        except NothingThereError:
            return False
        return True

    def _is_there(self, card: EntryCard, revision: str | None) -> bool:
        try:
            there = downloaded(self.repository, f"{card.name}/{CARD}", self.where, revision).read_bytes()
        except NothingThereError:
            return False
        if there != card.to_bytes():
            raise other_content(card.name, self.where)
        return True


def _additions(files: dict[str, bytes | Path]) -> list["CommitOperationAdd"]:
    from huggingface_hub import CommitOperationAdd

    return [
        CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
        for name, content in files.items()
    ]


def _check_signed_in(api: "HfApi") -> None:
    """Whoever is not known to the Hub may not write there: said before anything is sent."""
    api.whoami()


def downloaded(repository: str, path: str, where: str, revision: str | None = None) -> Path:
    """A file of a repository, in the Hub's own cache.

    Args:
        repository: Its owner and name.
        path: In it.
        where: As people write it, for errors.
        revision: Of the repository; the latest if None.

    Raises:
        NothingThereError: It has no such file.
        InputError: There is no such repository, or the Hub does not answer.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with _hub_errors_explained(where):
        try:
            return Path(hf_hub_download(repository, path, revision=revision))
        except LocalEntryNotFoundError as error:  # it does not answer, and the file is not in the cache
            raise unanswered(where, error.__cause__ or error) from error
        except EntryNotFoundError as error:
            msg = f"{where} has no {path}."
            raise NothingThereError(msg) from error


@contextlib.contextmanager
def _hub_errors_explained(where: str) -> Iterator[None]:
    """Say in a sentence what the Hub, or the way to it, refused."""
    import httpx
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    if not answers(constants.ENDPOINT):
        raise unanswered(where, f"nothing is heard of {constants.ENDPOINT}")
    try:
        yield
    except LocalTokenNotFoundError as error:
        msg = f"{where} cannot be written: you are not signed in to the Hugging Face Hub. Run hf auth login first."
        raise OutputError(msg) from error
    except HFValidationError as error:
        msg = f"{where} names no repository of the Hugging Face Hub. Write hf://OWNER/NAME."
        raise InputError(msg) from error
    except HfHubHTTPError as error:
        raise _answered(where, error.response.status_code if error.response is not None else 0) from error
    except (httpx.HTTPError, ConnectionError, TimeoutError) as error:
        raise unanswered(where, error) from error
    except (RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error.__cause__ or error).strip().splitlines()[0][:160].rstrip(".")
        msg = f"{where} did not take what was sent ({reason}). Try again."
        raise OutputError(msg) from error


def _answered(where: str, status: int) -> InputError:
    if status == 404:
        return InputError(f"There is no repository {where}, or you may not see it. Check the spelling.")
    if status in {401, 403}:
        return OutputError(
            f"{where} refuses it: the Hugging Face Hub does not let you. "
            "Run hf auth login with a token that may write there."
        )
    return unanswered(where, f"it answers {status}")
