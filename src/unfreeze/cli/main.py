"""The command ``unfreeze``: its commands, and what becomes of an error.

Nothing heavy is imported here or at the top of a command's module: torch alone takes seconds, and help has to be there
at once. So every command imports what it needs in its own body, which is the one place where this project does that.
"""

import contextlib
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from unfreeze import __version__
from unfreeze.cli import cache, manual, zoo, zoo_entries
from unfreeze.cli.arguments import understood
from unfreeze.cli.codes import codes
from unfreeze.cli.compare import compare
from unfreeze.cli.evaluate import evaluate
from unfreeze.cli.export import export
from unfreeze.cli.inspect import inspect
from unfreeze.cli.output import ReaderGoneError
from unfreeze.cli.predict import predict
from unfreeze.cli.probe import probe
from unfreeze.cli.process import open_streams, settle_process
from unfreeze.cli.report import report
from unfreeze.cli.run import run
from unfreeze.cli.sample import sample
from unfreeze.cli.serve import serve
from unfreeze.cli.tune import tune
from unfreeze.cli.ui import ui
from unfreeze.cli.usage import usage_sentence
from unfreeze.cli.version import version
from unfreeze.core.errors import StoppedError, UnfreezeError
from unfreeze.core.files import explained_error
from unfreeze.core.stop import INTERRUPTED
from unfreeze.core.wording import printable

READER_GONE = 141  # what a shell reports of a program that SIGPIPE ended
TRACEBACK_VARIABLE = "UNFREEZE_TRACEBACK"

# Without rich_markup_mode and pretty exceptions, typer does not import rich.
app = typer.Typer(
    name="unfreeze",
    help=manual.formatted(manual.UNFREEZE),
    epilog="unfreeze help COMMAND, or unfreeze COMMAND --help, is the manual page of a command.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit
    return wanted


@app.callback()
def options(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    show_traceback: Annotated[
        bool, typer.Option("--traceback", help=f"Show where an error came from; so does {TRACEBACK_VARIABLE}=1.")
    ] = False,
) -> None:
    """Options that stand before the command; `main` reads --traceback itself, so that it may stand anywhere."""


cache_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
zoo_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


def _add(name: str, command: Callable[..., None], page: str, *, group: typer.Typer = app) -> None:
    group.command(name, help=manual.formatted(page), short_help=page.strip().splitlines()[0])(command)


_add("run", run, manual.RUN)
_add("inspect", inspect, manual.INSPECT)
_add("codes", codes, manual.CODES)
_add("probe", probe, manual.PROBE)
_add("tune", tune, manual.TUNE)
_add("predict", predict, manual.PREDICT)
_add("evaluate", evaluate, manual.EVALUATE)
_add("export", export, manual.EXPORT)
_add("serve", serve, manual.SERVE)
_add("ui", ui, manual.UI)
_add("report", report, manual.REPORT)
_add("compare", compare, manual.COMPARE)
_add("sample", sample, manual.SAMPLE)
_add("list", cache.list_stores, manual.CACHE_LIST, group=cache_app)
_add("verify", cache.verify, manual.CACHE_VERIFY, group=cache_app)
_add("repair", cache.repair, manual.CACHE_REPAIR, group=cache_app)
_add("prune", cache.prune, manual.CACHE_PRUNE, group=cache_app)
app.add_typer(
    cache_app,
    name="cache",
    help=manual.formatted(manual.CACHE),
    short_help=manual.CACHE.strip().splitlines()[0],
    epilog="unfreeze cache COMMAND --help is the manual page of a command.",
)
_add("list", zoo_entries.list_entries, manual.ZOO_LIST, group=zoo_app)
_add("show", zoo_entries.show, manual.ZOO_SHOW, group=zoo_app)
_add("pull", zoo_entries.pull, manual.ZOO_PULL, group=zoo_app)
_add("import", zoo.import_network, manual.ZOO_IMPORT, group=zoo_app)
_add("verify", zoo_entries.verify, manual.ZOO_VERIFY, group=zoo_app)
_add("publish", zoo_entries.publish, manual.ZOO_PUBLISH, group=zoo_app)
app.add_typer(
    zoo_app,
    name="zoo",
    help=manual.formatted(manual.ZOO),
    short_help=manual.ZOO.strip().splitlines()[0],
    epilog="unfreeze zoo COMMAND --help is the manual page of a command.",
)
_add("version", version, manual.VERSION)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: What stands behind ``unfreeze``; those of the process if None.

    Raises:
        SystemExit: Always, with the exit code.
    """
    open_streams()
    if not sys.warnoptions:  # what libraries say to programmers is no news for users; python -W brings it back
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
    settle_process()
    given = list(sys.argv[1:] if arguments is None else arguments)
    wants_traceback = "--traceback" in given or os.environ.get(TRACEBACK_VARIABLE, "") not in {"", "0"}
    code = exit_code_of([part for part in given if part != "--traceback"], show_traceback=wants_traceback)
    _let_go_of_closed_streams()
    sys.exit(code)


def _let_go_of_closed_streams() -> None:
    """What a terminal that was closed did not take is dropped: else Python complains when it flushes at its end."""
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def exit_code_of(arguments: Sequence[str], *, show_traceback: bool = False) -> int:
    """Run one command; an error becomes one sentence on standard error and an exit code.

    Args:
        arguments: What stands behind ``unfreeze``.
        show_traceback: Whether to print where an error came from.

    Returns:
        The exit code.
    """
    try:
        code = app(arguments := understood(arguments), prog_name="unfreeze", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGoneError) as error:
        return _reader_gone(error, show_traceback=show_traceback)
    except KeyboardInterrupt as error:
        return _explained(error, str(StoppedError()), INTERRUPTED, show_traceback=show_traceback)
    except UnfreezeError as error:
        return _explained(error, str(error), error.exit_code, show_traceback=show_traceback)
    except Exception as error:
        return _other(error, arguments, show_traceback=show_traceback)
    return code if isinstance(code, int) else 0


def _other(error: Exception, arguments: Sequence[str], *, show_traceback: bool) -> int:
    """Usage errors, a disk that takes no more, and our own faults."""
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(str(error), err=True)
        return 2
    if type(error).__name__ == "Abort":
        return _explained(error, str(StoppedError()), INTERRUPTED, show_traceback=show_traceback)
    if callable(getattr(error, "format_message", None)):  # what the parser raises; see `cli.usage`
        return _explained(
            error, usage_sentence(error, arguments, typer.main.get_command(app)), 2, show_traceback=show_traceback
        )
    explained = explained_error(error, None) if isinstance(error, OSError) else None
    if isinstance(explained, UnfreezeError):
        return _explained(error, str(explained), explained.exit_code, show_traceback=show_traceback)
    return _fault(error, show_traceback=show_traceback)


def _explained(error: BaseException, text: str, code: int, *, show_traceback: bool) -> int:
    if show_traceback:
        traceback.print_exception(error)
    # Lines after the first are indented, so that no name can pretend to be a line of ours.
    lines = [printable(line) for line in (text.strip() or type(error).__name__).split("\n")]
    with contextlib.suppress(OSError):  # a terminal that was closed
        print("unfreeze: " + "\n  ".join(lines), file=sys.stderr)
    return code


def _fault(error: Exception, *, show_traceback: bool) -> int:
    summary = printable(f"{type(error).__name__}: {error}".splitlines()[0])
    if show_traceback:
        return _explained(error, f"this is a fault of unfreeze, please report it ({summary}).", 1, show_traceback=True)
    text = "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace")
    try:
        handle, name = tempfile.mkstemp(prefix="unfreeze-fault-", suffix=".txt")
        with os.fdopen(handle, "wb") as file:
            file.write(text)
    except OSError:
        return _explained(error, f"this is a fault of unfreeze, please report it ({summary}).", 1, show_traceback=True)
    sentence = f"this is a fault of unfreeze, please report it ({summary}); the traceback was written to {Path(name)}."
    return _explained(error, sentence, 1, show_traceback=False)


def _reader_gone(error: Exception, *, show_traceback: bool) -> int:
    """Standard output was closed by its reader: nothing is wrong. A pipe of ours that broke is a fault, though."""
    if isinstance(error, BrokenPipeError) and not _stdout_is_broken():
        return _fault(error, show_traceback=show_traceback)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python complains when it flushes at its end
    return READER_GONE


def _stdout_is_broken() -> bool:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return True
    return False
