"""Write the JSON Schema of run.json to docs/reference/run.schema.json: ``python docs/write_schema.py``.

A test compares the file with the records, so that neither changes alone.
"""

import json
import re
from importlib.metadata import version
from pathlib import Path

from unfreeze.core.run_record import run_schema

FILE = Path(__file__).parent / "reference" / "run.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# pydantic's way to write a schema changes with its version.
_SET_BY = re.compile(r"pydantic ([\w.]+)\.")


def current_schema() -> str:
    """The text of the file, as it should be now."""
    comment = f"Written by docs/write_schema.py, with pydantic {version('pydantic')}."
    document = {"$schema": DIALECT, "$comment": comment, **run_schema()}
    return json.dumps(document, indent=2) + "\n"


def set_by(page: str) -> str:
    """The version of pydantic that the file names."""
    found = _SET_BY.search(page)
    return "" if found is None else found[1]


if __name__ == "__main__":
    FILE.write_text(current_schema(), encoding="utf-8")
