"""The connection to a cluster, or a cluster of our own on this machine: closed to all others, and gone afterwards."""

import os
import re
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final, final

from unfreeze.cluster.addresses import Address
from unfreeze.core.errors import ClusterError
from unfreeze.core.wording import count

# Older ones run code that a file brings: Parquet until 2.54 (CVE-2026-41486), WebDataset until 2.55 (CVE-2026-57516).
OLDEST: Final = (2, 56)
CONNECTED_SECONDS: Final = 60.0  # Ray takes 5 to 8 s on two cores to start
ANSWER_SECONDS: Final = 10.0  # of a cluster that is asked whether it knows our token
TOKEN, TOKEN_FILE, MODE = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"
# A call of each protocol that needs the token, answers at once and changes nothing.
_ASKED: Final = {"client": "/ray.rpc.RayletDriver/ClusterInfo", "inside": "/ray.rpc.NodeInfoGcsService/GetClusterId"}
_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TQDM_PATCH_PRINT": "0",  # print stays Python's own
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # Ray warns of what it will do in a later version
}
_OWN: Final = {
    **_QUIET,
    MODE: "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # everything listens on the loopback interface, on Linux too
    "RAY_enable_metrics_collection": "0",
    "RAY_worker_niceness": "0",  # by default workers yield to all else on the machine
}


@final
class Cluster:
    """A cluster that this process is connected to; see `connected`.

    Args:
        ray: The library.
        address: Of the cluster.
    """

    def __init__(self, ray: Any, address: Address) -> None:
        self.ray, self.address = ray, address

    def cores(self) -> int:
        """Of all its machines together."""
        return int(self.ray.cluster_resources().get("CPU", 0))

    def free_cores(self) -> int:
        """Those that nobody has reserved."""
        return int(self.ray.available_resources().get("CPU", 0))

    def no_room(self, wanted: str, *, options: str) -> ClusterError:
        """What to say where work cannot be placed.

        Args:
            wanted: What found no place, and how many cores that needs: a sentence without its end.
            options: That ask for fewer.
        """
        cores, free = count(self.cores(), "core"), self.free_cores()
        return ClusterError(
            f"The Ray cluster has no room: {wanted}; of its {cores}, {free} are free. Wait for other work, or ask for "
            f"fewer with {options}."
        )

    def gpus(self) -> int:
        """Of all its machines together."""
        return int(self.ray.cluster_resources().get("GPU", 0))

    def free_gpus(self) -> int:
        """Those that nobody has reserved."""
        return int(self.ray.available_resources().get("GPU", 0))


@contextmanager
def connected(address: Address) -> Iterator[Cluster]:
    """Connect to a cluster, or start one.

    Args:
        address: Which. One of our own has all cores that this process may use, listens on the loopback interface, asks
            for a token that nobody else knows, and has no dashboard.

    Yields:
        The cluster; the connection ends with the block, and so does a cluster of our own.

    Raises:
        ClusterError: Ray is not installed or too old, nothing answers there, or it does not know our token.
    """
    _check_installed()
    own = address.kind == "own"
    settings = dict(_OWN if own else _QUIET)
    if own:
        settings[TOKEN] = os.environ.get(TOKEN) or secrets.token_hex(32)
    elif _token():
        settings[MODE] = os.environ.get(MODE, "token")
    with _environment(settings), _folder(own) as folder:  # before Ray is imported, which looks at it then
        if not own:
            _check_token(address)
        import ray

        _connect(ray, address, folder)
        try:
            yield Cluster(ray, address)
        finally:
            ray.shutdown()


def _connect(ray: Any, address: Address, folder: Path | None) -> None:
    """Start a cluster of our own in this folder, or connect to one that is there.

    Raises:
        ClusterError: It does not work.
    """
    quiet = {"address": address.for_ray, "logging_level": "ERROR", "log_to_driver": False}
    try:
        if folder is None:
            _in_time(partial(ray.init, **quiet))
            return
        with _our_handlers():  # in this thread, with which its processes end
            # Ray opens its folder to everybody; the one around it stays private.
            ray.init(**quiet, num_cpus=_cores_here(), include_dashboard=False, _temp_dir=str(folder / "r"))
    except Exception as error:  # of whatever kind: Ray names none
        raise ClusterError(_no_connection(address, str(error))) from error


def _in_time(connect: Callable[[], object]) -> None:
    """Connect in a thread that is waited for: where the way is blocked, Ray tries without end.

    Raises:
        TimeoutError: It takes too long.
    """
    failed: list[Exception] = []

    def run() -> None:
        try:
            connect()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(CONNECTED_SECONDS)
    if thread.is_alive():
        msg = f"there was no connection in {CONNECTED_SECONDS:.0f} s"
        raise TimeoutError(msg)
    if failed:
        raise failed[0]


@contextmanager
def _our_handlers() -> Iterator[None]:
    """What Ray sets for signals is undone: the command stops between two steps, as it does without Ray."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _no_connection(address: Address, said: str) -> str:
    reason = said.strip().split("\n", maxsplit=1)[0].rstrip(".")
    if address.kind == "own":
        return f"Ray could not be started on this machine: {reason}. Leave --on out to work without it."
    return f"The Ray cluster at {address.for_ray} cannot be used: {reason}. Check the address and the versions of Ray."


def _check_installed() -> None:
    try:
        found = metadata.version("ray")
        metadata.version("grpcio")
    except metadata.PackageNotFoundError as error:
        msg = "--on needs Ray. Install it (pip install 'unfreeze[ray]'), or leave --on out to work on this machine."
        raise ClusterError(msg) from error
    if tuple(map(int, re.findall(r"\d+", found)[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        msg = (
            f"Ray {found} is installed, which has known security holes. Install {oldest} or later "
            "(pip install 'unfreeze[ray]')."
        )
        raise ClusterError(msg)


def _token() -> str:
    """The token that Ray would use, of the environment or a file; none that was not meant for this cluster."""
    given = os.environ.get(TOKEN, "").strip()
    if given:
        return given
    named = os.environ.get(TOKEN_FILE)
    if not named and os.environ.get(MODE, "").lower() != "token":
        return ""
    try:
        return Path(named or Path.home() / ".ray" / "auth_token").read_text().strip()
    except (OSError, ValueError):
        return ""


def _check_token(address: Address) -> None:
    """Ask whether the cluster is there and knows our token: Ray itself tries for 20 to 30 s, and does not say which.

    Raises:
        ClusterError: It is not there, or does not.
    """
    if not address.place or os.environ.get("RAY_USE_TLS") == "1":  # where only Ray has the certificates
        return
    import grpc  # comes with Ray Client

    token = _token()
    metadata_of_call = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(address.place) as channel:
        try:
            channel.unary_unary(_ASKED[address.kind])(b"", timeout=ANSWER_SECONDS, metadata=metadata_of_call)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                raise ClusterError(_wrong_token(address, given=bool(token))) from error
            if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                msg = (
                    f"No Ray cluster answers at {address.for_ray}. Check host and port (10001 is the usual one of Ray "
                    "Client), and whether the cluster runs."
                )
                raise ClusterError(msg) from error


def _wrong_token(address: Address, *, given: bool) -> str:
    found = f"the one in {TOKEN}, {TOKEN_FILE} or ~/.ray/auth_token is another" if given else "none was given"
    return f"The Ray cluster at {address.for_ray} asks for its token, and {found}. Set {TOKEN} to the cluster's token."


def _cores_here() -> int:
    """Cores that this process may use, however many threads its own work is limited to."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """With these variables, which the processes of Ray inherit."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _folder(own: bool) -> Iterator[Path | None]:
    """A private folder for sockets and logs of a cluster of our own, with a short name, as sockets must have."""
    if not own:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="unfreeze-ray-", dir="/tmp" if os.name == "posix" else None))  # noqa: S108
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
