"""What all commands share that listen to HTTP: where, who may ask, and what they need for it."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from unfreeze.core.errors import InputError
from unfreeze.core.wording import printable

TOKEN_VARIABLE = "UNFREEZE_TOKEN"  # noqa: S105 - its name
SHORTEST_TOKEN = 16  # characters
_NEEDED = MappingProxyType(
    {
        "fastapi": "FastAPI",
        "multipart": "python-multipart",
        "prometheus_client": "prometheus-client",
        "uvicorn": "uvicorn",
    }
)

Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")]
Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="The same; 0 for any that is free.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help=f"Holds the token that requests must carry; {TOKEN_VARIABLE} may hold it too.",
        show_default=False,
    ),
]
AllowedHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-host",
        metavar="NAME",
        help="By which the service is reached, NAME or NAME:PORT; may be repeated.",
        show_default=False,
    ),
]
OpenPage = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]


def read_token(file: Path | None) -> str:
    """The token; empty if none was given.

    Raises:
        InputError: The file cannot be read, or holds none that is long enough.
    """
    try:
        text = os.environ.get(TOKEN_VARIABLE, "") if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        msg = f"The token cannot be read from {file}. Give a text file that you may read to --token-file."
        raise InputError(msg) from error
    token = text.strip()
    if (file is not None or token) and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        where = TOKEN_VARIABLE if file is None else file
        msg = (
            f"A token of at least {SHORTEST_TOKEN} ASCII characters is wanted, and {where} holds {len(token)}. Make "
            "one, for example with: openssl rand -hex 32."
        )
        raise InputError(msg)
    return token


def check_installed(command: str) -> None:
    """Make sure that what serves is installed.

    Args:
        command: Which needs it: ``unfreeze serve``.

    Raises:
        InputError: It is not.
    """
    missing = [name for module, name in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        msg = f"{command} needs {' and '.join(missing)}. Install them (pip install 'unfreeze[serve]')."
        raise InputError(msg)


def check_open(host: str, token: str, others: Sequence[str]) -> None:
    """What others can reach must know who asks, and by which names it is reached.

    Raises:
        InputError: It does not.
    """
    if not token:
        msg = (
            f"Others can reach {host}, so a token is wanted, and there is none. Give one with --token-file FILE or "
            f"{TOKEN_VARIABLE}, or listen on 127.0.0.1."
        )
        raise InputError(msg)
    if not others:
        msg = (
            f"Others can reach {host}, so the name by which they do is wanted. Give it with --allowed-host NAME, or "
            "listen on 127.0.0.1."
        )
        raise InputError(msg)


def address_of(host: str, port: int) -> str:
    """What a browser asks for."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def with_token(address: str, token: str) -> str:
    """An address with the token behind it, which a browser sends to nobody."""
    return address + (f"#token={token}" if token else "")


def say(sentence: str) -> None:
    """Tell whoever runs the command something."""
    print(printable(sentence), file=sys.stderr, flush=True)
