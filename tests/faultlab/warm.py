"""Commands of unfreeze in forks of one process that has imported everything: a try costs a second, not ten.

`Warm` starts that process, with `shim.c` in front of the C library, and speaks to it in lines of JSON. Each command is
a fork: the same code as a user's from the command line's entry on, in a process group of its own, so that it can be
killed together with its decoders.
"""

import contextlib
import ctypes
import importlib
import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

HERE = Path(__file__).resolve().parent
COMPILER = shutil.which("cc") or shutil.which("gcc")
Mode = Literal["count", "kill", "torn", "fail", "fail_on"]
MODES: dict[Mode, int] = {"count": 0, "kill": 1, "torn": 2, "fail": 3, "fail_on": 4}  # as in shim.c
SHIM_VARIABLE = "UNFREEZE_FAULT_SHIM"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What befalls a command's file operations below some folders.

    Attributes:
        mode: count does nothing; kill ends the process before the N-th operation; torn writes half of it first; fail
            has that one operation fail; fail_on that and all later ones.
        at: N, from 1.
        error: The errno of what fails.
        folders: Operations below these are counted.
        log: File that gets a line per operation.
    """

    mode: Mode
    at: int = -1
    error: int = 0
    folders: tuple[str, ...] = ()
    log: str = ""


class Warm:
    """The process, and the commands that are forked from it.

    Args:
        work: Folder for the shim and what the commands print.
    """

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.log = work / "said.txt"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        if COMPILER is not None and sys.platform == "linux":
            shim = work / "shim.so"
            command = [COMPILER, "-shared", "-fPIC", "-O1", "-w", "-o", str(shim), str(HERE / "shim.c"), "-ldl"]
            subprocess.run(command, check=True)
            environment |= {"LD_PRELOAD": str(shim), SHIM_VARIABLE: str(shim)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faultlab.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._ask({})  # answered when everything is imported

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def _ask(self, question: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question, default=str) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(
        self,
        arguments: Sequence[object],
        *,
        cache: Path,
        log: Path | None = None,
        fault: Fault | None = None,
        before: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Fork a command.

        Args:
            arguments: What stands behind ``unfreeze``.
            cache: What the command keeps between runs.
            log: File for all that it prints; `self.log` if None.
            fault: What befalls it.
            before: ``module:function`` that the fork calls first.
            environment: Variables of its own.

        Returns:
            Its process id, which is that of its group too.
        """
        variables = {"UNFREEZE_CACHE": str(cache), **(environment or {})}
        asked = {"arguments": list(map(str, arguments)), "environment": variables, "log": str(log or self.log)}
        pid: int = self._ask({**asked, "fault": asdict(fault) if fault else None, "before": before})
        return pid

    def wait(self, pid: int, *, seconds: float = 180.0) -> int | None:
        """Its exit code, negative for a signal; None if it had to be killed after `seconds`."""
        code: int | None = self._ask({"wait": pid, "seconds": seconds})
        return code

    def run(self, arguments: Sequence[object], **settings: Any) -> int | None:
        """Fork a command and wait for it."""
        return self.wait(self.start(arguments, **settings))

    def killed(self, arguments: Sequence[object], *, after: float, **settings: Any) -> int | None:
        """Fork a command, kill it after so many seconds with its decoders, and say how it ended."""
        pid = self.start(arguments, **settings)
        time.sleep(after)
        os.killpg(pid, signal.SIGKILL)
        return self.wait(pid)

    def said(self) -> str:
        """What the last command printed."""
        return self.log.read_text(errors="backslashreplace")


def serve() -> None:
    """Import everything, then fork a command per line of standard input."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    from unfreeze.cli.process import settle_process

    settle_process()
    _import_everything()
    place = os.environ.get(SHIM_VARIABLE)
    shim = ctypes.CDLL(place) if place else None
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            answer = _waited(asked["wait"], asked["seconds"])
        elif "arguments" in asked:
            answer = os.fork()
            if answer == 0:
                _command(asked, shim)
            _settle_group(answer)
        else:
            answer = None
        answers.write(json.dumps(answer) + "\n")


def _settle_group(pid: int) -> None:
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)  # in both processes, so that the group is there before the answer is


def _import_everything() -> None:
    import unfreeze

    for module in pkgutil.walk_packages(unfreeze.__path__, "unfreeze."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("openvino", "timm", "torchvision", "pyarrow.parquet", "pandas", "sklearn.linear_model", "scipy.stats"):
        importlib.import_module(name)


def _waited(pid: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _command(asked: dict[str, Any], shim: ctypes.CDLL | None) -> None:
    """In the fork: run the command and end."""
    code = 99
    try:
        _settle_group(0)
        os.environ.update(asked["environment"])
        tempfile.tempdir = None
        out = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for descriptor, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out), (2, out)):
            os.dup2(source, descriptor)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if asked["before"]:
            module, name = asked["before"].split(":")
            getattr(importlib.import_module(module), name)()
        code = _armed(asked["arguments"], asked["fault"], shim)
        sys.stdout.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _armed(arguments: list[str], fault: dict[str, Any] | None, shim: ctypes.CDLL | None) -> int:
    from unfreeze.cli.main import exit_code_of

    if fault is None:
        return exit_code_of(arguments)
    assert shim is not None
    log = os.open(fault["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600) if fault["log"] else -1
    watched = "\n".join(fault["folders"]).encode()
    shim.fault_arm(MODES[fault["mode"]], ctypes.c_long(fault["at"]), fault["error"], log, 0, watched)
    try:
        return exit_code_of(arguments)
    finally:
        shim.fault_arm(-1, ctypes.c_long(-1), 0, -1, 0, b"")


if __name__ == "__main__":
    serve()
