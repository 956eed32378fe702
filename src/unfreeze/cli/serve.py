"""``unfreeze serve``: models behind HTTP, with a page for people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.listening import (
    AllowedHost,
    Host,
    OpenPage,
    Port,
    TokenFile,
    address_of,
    check_installed,
    check_open,
    read_token,
    say,
    with_token,
)
from unfreeze.cli.options import AsJson, Device, DeviceName, Unlike
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_model
from unfreeze.cli.shares import parse_share
from unfreeze.cli.work import stoppable

if TYPE_CHECKING:  # FastAPI takes a moment to import, and help needs none
    from unfreeze.server.service import Service

NOTHING_SERVED = "Nothing was served; the same command begins anew."


def serve(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Folders of models; NAME=FOLDER gives one a name.", show_default=False),
    ],
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
    allowed_host: AllowedHost = None,
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=1.0, help="Requests a second that one address may send.")
    ] = 200.0,
    waiting: Annotated[
        int, typer.Option("--waiting", metavar="N", min=1, help="Photos that may be under way; more are refused.")
    ] = 64,
    unlike: Unlike = "1%",
    device: DeviceName = Device.auto,
    open_page: OpenPage = False,
    json: AsJson = False,
) -> None:
    """Serve models."""
    folders = [_named(model) for model in models]
    for _, folder in folders:
        checked_model(folder)
    share = None if unlike is None else parse_share(unlike, option="--unlike")
    token = read_token(token_file)
    check_installed("unfreeze serve")
    from unfreeze.server.app import application
    from unfreeze.server.running import Moments, allowed_hosts, is_loopback, listening_socket, run
    from unfreeze.server.service import Service
    from unfreeze.server.settings import Access, Limits, ServeSettings
    from unfreeze.workflows.serving import checked_names, name_of

    named, others = checked_names([(name or name_of(folder), folder) for name, folder in folders]), allowed_host or ()
    if not is_loopback(host):
        check_open(host, token, others)
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
        service = Service.of(settings, say)
        progress.stop.check()

        def ready() -> None:
            _ready(output, service, address_of(host, taken), opens=open_page)

        def reload() -> None:
            say("Reading the models again …")
            service.reload()

        run(application(service), listener, Moments(ready=ready, reload=reload))


def _named(model: str) -> tuple[str, Path]:
    """Name, which may be empty, and folder. What is a folder as a whole is one, whatever its name."""
    name, equals, folder = model.partition("=")
    if not equals or Path(model).is_dir():
        return "", Path(model)
    return name, Path(folder)


def _ready(output: Output, service: "Service", address: str, *, opens: bool) -> None:
    """Say where the service is."""
    models = {name: {"version": model.version, "classes": len(model.class_names)} for name, model in service.models}
    output.document({"schema": "unfreeze.serve/1", "address": address, "models": models})
    output.line(f"Serving {', '.join(models)} at {address}; Ctrl-C ends it.")
    if opens:
        import webbrowser

        webbrowser.open(with_token(address, service.settings.access.token))
