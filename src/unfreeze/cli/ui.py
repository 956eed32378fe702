"""``unfreeze ui``: the workbench, for people who do not type."""

import secrets
from pathlib import Path
from typing import Annotated

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
from unfreeze.cli.options import AsJson, Device, DeviceName
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.work import stoppable
from unfreeze.core.errors import InputError
from unfreeze.core.run_folder import RUNS
from unfreeze.core.wording import listed

NOTHING_BEGUN = "No run was under way; the same command shows the workbench again."


def ui(
    roots: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="ROOT",
            help="Folders below which photos may be chosen; the current folder if not given.",
            show_default=False,
        ),
    ] = None,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8001,
    token_file: TokenFile = None,
    allowed_host: AllowedHost = None,
    device: DeviceName = Device.auto,
    open_page: OpenPage = False,
    json: AsJson = False,
) -> None:
    """Show the workbench."""
    folders = _checked_roots(roots or [Path()])
    token = read_token(token_file)
    check_installed("unfreeze ui")
    from unfreeze.server.running import Moments, allowed_hosts, is_loopback, listening_socket, run
    from unfreeze.server.settings import Access
    from unfreeze.server.workbench.roots import Roots
    from unfreeze.server.workbench.routes import workbench_application
    from unfreeze.server.workbench.workbench import Workbench

    others = tuple(allowed_host or ())
    if not is_loopback(host):
        check_open(host, token, others)
    with (
        result_output(as_json=json) as output,
        stoppable(NOTHING_BEGUN) as progress,
        listening_socket(host, port) as listener,
    ):
        taken = listener.getsockname()[1]
        access = Access(hosts=allowed_hosts(host, taken, others), token=token or secrets.token_urlsafe(32))
        bench = Workbench.of(Roots(folders), RUNS, access=access, device=device.value, say=say)
        progress.stop.check()
        address = address_of(host, taken)
        page = with_token(address, access.token)

        def ready() -> None:
            output.document({"schema": "unfreeze.ui/1", "address": address, "page": page})
            _ready(output, page, folders, opens=open_page)

        run(workbench_application(bench), listener, Moments(ready=ready, ending=bench.end))
        for name in bench.runs.under_way():
            say(f"Stopping the run {name}; go on with it in the workbench, or: unfreeze run --resume {RUNS / name}")
        bench.runs.close(hurries=lambda: progress.stop.is_requested)


def _checked_roots(given: list[Path]) -> tuple[Path, ...]:
    """The roots, each once, with all links resolved.

    Raises:
        InputError: One is no folder.
    """
    for root in given:
        if not root.expanduser().is_dir():
            msg = f"There is no folder {root}. Give folders below which photos may be chosen."
            raise InputError(msg)
    return tuple(dict.fromkeys(root.expanduser().resolve() for root in given))


def _ready(output: Output, page: str, folders: tuple[Path, ...], *, opens: bool) -> None:
    """Say where the workbench is."""
    output.line(f"The workbench of {listed([str(folder) for folder in folders])}, for a browser on this machine:")
    output.line(page)
    output.line("Ctrl-C ends it; a run that is under way is stopped, keeps what there is, and can go on.")
    if opens:
        import webbrowser

        webbrowser.open(page)
