"""Run records from JSON: read strictly, and a newer or a broken file gets one sentence.

Reading is pydantic's, which typer brings with it. It is imported when a record is read, since help has to be there at
once.
"""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unfreeze.core.errors import InputError
from unfreeze.core.records import SCHEMA, RunRecord

if TYPE_CHECKING:
    from pydantic import TypeAdapter

RUN_FILE = "run.json"


def run_from_json(document: Any, *, name: str = RUN_FILE) -> RunRecord:
    """The record that `RunRecord.to_json` wrote.

    Args:
        document: As JSON has it.
        name: Where it came from, named in the error.

    Returns:
        The record.

    Raises:
        InputError: It is of another version, or is none.
    """
    from pydantic import ValidationError

    _check_schema(document, name)
    try:
        # As text, since strict reading takes a list for a tuple in JSON alone.
        return _adapter().validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        msg = f"{name} is damaged, or not what unfreeze wrote: {place}: {first['msg']}. Run again, or restore the file."
        raise InputError(msg) from error


def read_run(folder: Path) -> RunRecord:
    """The record of a finished run.

    Args:
        folder: Of the run, or its `run.json`.

    Returns:
        The record.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    path = folder / RUN_FILE if folder.is_dir() else folder
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        msg = f"There is no finished run in {folder}: {path} cannot be read ({error.strerror}). Give a run's folder."
        raise InputError(msg) from error
    except ValueError as error:
        msg = f"{path} is damaged: it is no JSON ({error}). Run again, or restore the file."
        raise InputError(msg) from error
    return run_from_json(document, name=str(path))


def run_schema() -> dict[str, Any]:
    """The JSON Schema of `run.json`."""
    return _adapter().json_schema()


@cache
def _adapter() -> "TypeAdapter[RunRecord]":
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def _check_schema(document: Any, name: str) -> None:
    """Tell a record of another version from one that is damaged."""
    found = document.get("schema") if isinstance(document, dict) else None
    if found == SCHEMA:
        return
    kind, _, version = found.rpartition("/") if isinstance(found, str) else ("", "", "")
    ours_kind, _, ours = SCHEMA.rpartition("/")
    if kind != ours_kind or not version.isdecimal():
        msg = f"{name} is no record of a run: its schema is {found!r}, wanted {SCHEMA!r}. Give a run's folder."
    elif int(version) > int(ours):
        msg = f"{name} was written by a newer unfreeze (schema {found}, this one reads {SCHEMA}). Update unfreeze."
    else:
        msg = f"{name} was written by an older unfreeze (schema {found}, this one reads {SCHEMA}). Run again."
    raise InputError(msg)
