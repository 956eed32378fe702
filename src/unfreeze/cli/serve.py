"""``unfreeze serve``: models behind HTTP, with a page for people."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
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
from unfreeze.cli.on_cluster import cluster_at, threads_with
from unfreeze.cli.options import AsJson, Device, DeviceName, On, Unlike
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_model
from unfreeze.cli.shares import parse_share
from unfreeze.cli.work import stoppable
from unfreeze.core.errors import InputError
from unfreeze.core.progress import Progress
from unfreeze.core.wording import count

if TYPE_CHECKING:  # FastAPI takes a moment to import, and help needs none
    from unfreeze.cluster.serving import Replicas
    from unfreeze.server.settings import ServeSettings

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
    on: On = None,
    replicas: Annotated[
        int | None,
        typer.Option("--replicas", metavar="N", min=1, help="With --on: how many processes serve.", show_default=False),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", min=1, help="With --on: cores of each of them (1).", show_default=False),
    ] = None,
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
    asked = _replicas(on, replicas, threads, host=host, port=port)
    from unfreeze.server.running import allowed_hosts, is_loopback
    from unfreeze.server.settings import Access, Limits, ServeSettings
    from unfreeze.workflows.serving import checked_names, name_of

    named, others = checked_names([(name or name_of(folder), folder) for name, folder in folders]), allowed_host or ()
    if not is_loopback(host):
        check_open(host, token, others)

    def settings(taken: int) -> ServeSettings:
        return ServeSettings(
            models=named,
            device=device.value,
            access=Access(hosts=allowed_hosts(host, taken, tuple(others)), token=token),
            limits=Limits(rate=rate, waiting=waiting),
            unlike=share,
        )

    with result_output(as_json=json) as output, stoppable(NOTHING_SERVED) as progress:
        if asked is None:
            _serve_here(settings, output, progress, (host, port), opens=open_page)
        else:
            _serve_on(on or "", settings(port), asked, output, progress, opens=open_page)


def _serve_here(
    settings_at: Callable[[int], "ServeSettings"],
    output: Output,
    progress: Progress,
    place: tuple[str, int],
    *,
    opens: bool,
) -> None:
    """Serve in this process, until it is stopped; settings depend on the port, which may be any that is free."""
    from unfreeze.server.app import application
    from unfreeze.server.running import Moments, listening_socket, run
    from unfreeze.server.service import Service

    with listening_socket(*place) as listener:
        taken = listener.getsockname()[1]
        service = Service.of(settings_at(taken), say)
        progress.stop.check()

        def ready() -> None:
            models = {name: {"version": it.version, "classes": len(it.class_names)} for name, it in service.models}
            _ready(output, models, address_of(place[0], taken), service.settings, opens=opens)

        def reload() -> None:
            say("Reading the models again …")
            service.reload()

        run(application(service), listener, Moments(ready=ready, reload=reload))


def _replicas(on: str | None, number: int | None, threads: int | None, *, host: str, port: int) -> "Replicas | None":
    """What is wanted of a cluster; None where this process serves.

    Raises:
        InputError: Options do not go together.
        ClusterError: Ray Serve is not installed.
    """
    if on is None:
        if number is not None or threads is not None:
            msg = "--replicas and --threads are of a cluster. Say which with --on, or leave them out."
            raise InputError(msg)
        return None
    threads = threads_with(on, None, threads)
    if not port:
        msg = "With --on the port has to be named: --port 0 finds a free one on this machine alone."
        raise InputError(msg)
    from unfreeze.cluster.serving import Replicas, check_serve_installed

    check_serve_installed()
    return Replicas(number=number or 1, threads=threads or 1, host=host, port=port)


def _serve_on(
    on: str, settings: "ServeSettings", asked: "Replicas", output: Output, progress: Progress, *, opens: bool
) -> None:
    """Serve on a cluster, until this process is stopped. The folders are there, too: it may be other machines."""
    from unfreeze.cluster.serving import replicated, until_stopped
    from unfreeze.server.replica import replica
    from unfreeze.server.running import listening_socket

    settings = replace(
        settings, models={name: folder.resolve() for name, folder in settings.models.items()}, reports=False
    )
    if on == "ray":
        listening_socket(asked.host, asked.port).close()  # says whether it is free
    with cluster_at(on, progress) as cluster:
        assert cluster is not None  # noqa: S101 - one was named
        progress.say(f"starting {count(asked.number, 'replica')} …")
        with replicated(cluster, partial(replica, settings), asked):
            progress.stop.check()
            models: dict[str, dict[str, object]] = {name: {} for name in settings.models}
            _ready(output, models, address_of(asked.host, asked.port), settings, opens=opens)
            until_stopped(progress.stop)


def _named(model: str) -> tuple[str, Path]:
    """Name, which may be empty, and folder. What is a folder as a whole is one, whatever its name."""
    name, equals, folder = model.partition("=")
    if not equals or Path(model).is_dir():
        return "", Path(model)
    return name, Path(folder)


def _ready(
    output: Output,
    models: Mapping[str, Mapping[str, object]],
    address: str,
    settings: "ServeSettings",
    *,
    opens: bool,
) -> None:
    """Say where the service is."""
    output.document({"schema": "unfreeze.serve/1", "address": address, "models": models})
    output.line(f"Serving {', '.join(models)} at {address}; Ctrl-C ends it.")
    if opens:
        import webbrowser

        webbrowser.open(with_token(address, settings.access.token))
