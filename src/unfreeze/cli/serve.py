"""``unfreeze serve``: models behind HTTP, with a page for people."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson, Device, DeviceName, Unlike
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_model
from unfreeze.cli.shares import parse_share
from unfreeze.cli.work import stoppable
from unfreeze.core.errors import InputError
from unfreeze.core.wording import printable

if TYPE_CHECKING:  # FastAPI takes a moment to import, and help needs none
    from unfreeze.server.service import Service

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
NOTHING_SERVED = "Nothing was served; the same command begins anew."


def serve(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Folders of models; NAME=FOLDER gives one a name.", show_default=False),
    ],
    *,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65_535, help="The same; 0 for any that is free.")
    ] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help=f"Holds the token that requests must carry; {TOKEN_VARIABLE} may hold it too.",
            show_default=False,
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-host",
            metavar="NAME",
            help="By which the service is reached, NAME or NAME:PORT; may be repeated.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=1.0, help="Requests a second that one address may send.")
    ] = 200.0,
    waiting: Annotated[
        int, typer.Option("--waiting", metavar="N", min=1, help="Photos that may be under way; more are refused.")
    ] = 64,
    unlike: Unlike = "1%",
    device: DeviceName = Device.auto,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: AsJson = False,
) -> None:
    """Serve models."""
    folders = [_named(model) for model in models]
    for _, folder in folders:
        checked_model(folder)
    share = None if unlike is None else parse_share(unlike, option="--unlike")
    token = _token(token_file)
    _check_installed()
    from unfreeze.server.running import allowed_hosts, is_loopback, listening_socket, run
    from unfreeze.server.service import Service
    from unfreeze.server.settings import Access, Limits, ServeSettings
    from unfreeze.workflows.serving import checked_names, name_of

    named, others = checked_names([(name or name_of(folder), folder) for name, folder in folders]), allowed_host or ()
    if not is_loopback(host):
        _check_open(host, token, others)
    with (
        result_output(as_json=json) as output,
        stoppable(NOTHING_SERVED) as progress,
        listening_socket(host, port) as listener,
    ):
        taken = listener.getsockname()[1]
        settings = ServeSettings(
            models=named,
            device=device.value,
            access=Access(hosts=allowed_hosts(host, taken, tuple(others)), token=token),
            limits=Limits(rate=rate, waiting=waiting),
            unlike=share,
        )
        service = Service.of(settings, _say)
        progress.stop.check()
        address = f"http://{f'[{host}]' if ':' in host else host}:{taken}/"
        run(service, listener, say=_say, ready=lambda: _ready(output, service, address, opens=open_page))


def _named(model: str) -> tuple[str, Path]:
    """Name, which may be empty, and folder. What is a folder as a whole is one, whatever its name."""
    name, equals, folder = model.partition("=")
    if not equals or Path(model).is_dir():
        return "", Path(model)
    return name, Path(folder)


def _token(file: Path | None) -> str:
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


def _check_installed() -> None:
    missing = [name for module, name in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        msg = f"unfreeze serve needs {' and '.join(missing)}. Install them (pip install 'unfreeze[serve]')."
        raise InputError(msg)


def _check_open(host: str, token: str, others: Sequence[str]) -> None:
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


def _say(sentence: str) -> None:
    print(printable(sentence), file=sys.stderr, flush=True)


def _ready(output: Output, service: "Service", address: str, *, opens: bool) -> None:
    """Say where the service is."""
    models = {name: {"version": model.version, "classes": len(model.class_names)} for name, model in service.models}
    output.document({"schema": "unfreeze.serve/1", "address": address, "models": models})
    output.line(f"Serving {', '.join(models)} at {address}; Ctrl-C ends it.")
    if opens:
        import webbrowser

        token = service.settings.access.token
        webbrowser.open(address + (f"#token={token}" if token else ""))
