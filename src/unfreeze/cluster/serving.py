"""An application on the workers of a cluster, behind one port: Ray Serve starts them, and starts them anew."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

from unfreeze.cluster.connection import Cluster
from unfreeze.core.errors import ClusterError
from unfreeze.core.stop import Stop
from unfreeze.core.threads import thread_variables
from unfreeze.core.wording import count

NAME: Final = "unfreeze"  # of the application on the cluster
LOOK_SECONDS: Final = 0.25
STOP_SECONDS: Final = 10.0  # in which accepted requests are finished
_LOGS: Final = {"log_level": "ERROR", "enable_access_log": False}

MakeApplication = Callable[[], Any]


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """Copies of an application, each in a process of its own.

    Attributes:
        number: How many.
        threads: Cores that each gets, and threads that it uses.
        host: Where the machine that Ray calls the head listens.
        port: The same.
    """

    number: int
    threads: int
    host: str
    port: int


def check_serve_installed() -> None:
    """Make sure that Ray Serve is installed, before anything is started.

    Raises:
        ClusterError: It is not.
    """
    if find_spec("ray") is None or find_spec("aiohttp") is None:
        msg = "serve --on needs Ray Serve. Install it (pip install 'unfreeze[ray-serve]'), or leave --on out."
        raise ClusterError(msg)


@contextmanager
def replicated(cluster: Cluster, make: MakeApplication, asked: Replicas) -> Iterator[None]:
    """Serve an application on a cluster, for as long as the block lasts; accepted requests are finished then.

    Args:
        cluster: Where.
        make: Makes the ASGI application, on each replica; sent to it.
        asked: How many, and where they are reached.

    Raises:
        ClusterError: There is no room, or a replica does not start.
    """
    needed = asked.number * asked.threads
    if needed > cluster.free_cores():
        wanted = f"{count(asked.number, 'replica')} of {count(asked.threads, 'core')} need {needed}"
        raise cluster.no_room(wanted, options="--replicas or --threads")
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.ERROR)  # what it says here; replicas have their own
    try:
        serve.start(
            proxy_location="HeadOnly", http_options={"host": asked.host, "port": asked.port}, logging_config=_LOGS
        )
        serve.run(_application(serve, make, asked), name=NAME, route_prefix="/", logging_config=_LOGS)
    except Exception as error:  # of whatever kind: Ray names none
        raise ClusterError(_not_served(serve, error)) from error
    try:
        yield
    finally:
        serve.delete(NAME)


def _application(serve: Any, make: MakeApplication, asked: Replicas) -> Any:
    def build() -> Any:  # Ray calls a function of this kind on the replica, and nothing else
        return make()

    options = {"num_cpus": asked.threads, "runtime_env": {"env_vars": thread_variables(asked.threads)}}
    deployment = serve.deployment(
        serve.ingress(build)(),
        name="models",
        num_replicas=asked.number,
        ray_actor_options=options,
        graceful_shutdown_timeout_s=STOP_SECONDS,
    )
    return deployment.bind()


def _not_served(serve: Any, error: Exception) -> str:
    """The last line of what a replica said, which names the reason."""
    said = str(error)
    application = serve.status().applications.get(NAME)
    if application is not None:
        said = "\n".join([said, *(each.message for each in application.deployments.values())])
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if "Error: " in line), lines[-1] if lines else "no reason is known")
    return f"The models cannot be served on the Ray cluster: {reason.partition('Error: ')[2] or reason}"


def until_stopped(stop: Stop) -> None:
    """Wait until somebody asks the work to stop, or the terminal is closed."""
    had_terminal = os.isatty(0)
    while not (stop.is_requested or (had_terminal and not os.isatty(0))):
        time.sleep(LOOK_SECONDS)
    stop.accept()
