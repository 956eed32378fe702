"""Running a service: its socket, its signals, and its end."""

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from unfreeze.core.errors import InputError

STOP_SECONDS: Final = 10  # in which accepted requests are finished
SILENT_SECONDS: Final = 25.0  # in which a connection must have sent a request
_HEADER_BYTES: Final = 16_384
_CONNECTIONS: Final = 1000
_LOOK_SECONDS: Final = 0.25


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that takes connections.

    Args:
        host: An address or a name of this machine.
        port: 0 for any that is free.

    Returns:
        The socket, bound.

    Raises:
        InputError: There is no such address here, or the port is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=512)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
        msg = f"The service cannot listen on {host}, port {port} ({why.lower()}). Choose another --port or --host."
        raise InputError(msg) from error


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


def allowed_hosts(host: str, port: int, others: tuple[str, ...]) -> frozenset[str]:
    """Values of the Host header that a service answers to.

    Args:
        host: Where it listens.
        port: The same.
        others: Names by which it is reached, with a port or for any.

    Returns:
        In lower case.
    """
    own = ["localhost", "127.0.0.1", "[::1]"] if is_loopback(host) else []
    names = [*own, f"[{host}]" if ":" in host else host]
    with_port = {f"{name}:{port}" for name in names} | (set(names) if port in {80, 443} else set())
    given = {form for other in others for form in (other, f"{other}:{port}")}
    return frozenset(name.lower() for name in with_port | given)


def nothing() -> None:
    """What is to be done where nothing is."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """What is done while an application runs.

    Attributes:
        ready: When requests are answered.
        reload: At SIGHUP, in a thread.
        ending: When no request is taken any more, and before those that were are waited for.
    """

    ready: Callable[[], None]
    reload: Callable[[], None] = nothing
    ending: Callable[[], None] = nothing


def run(app: ASGIApp, listener: socket.socket, moments: Moments) -> None:
    """Serve until SIGTERM or Ctrl-C; accepted requests are finished then.

    Args:
        app: What is served.
        listener: Of `listening_socket`.
        moments: What is done meanwhile.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        log_config=None,
        log_level="error",  # not a line for each request that is none
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=STOP_SECONDS,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    server = uvicorn.Server(config)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # a line for each form that is none

    async def serve() -> None:
        watch = asyncio.create_task(_watch(server, moments))
        try:
            await server.serve(sockets=[listener])
        finally:
            watch.cancel()

    with _ending(server):
        asyncio.run(serve())


async def _watch(server: uvicorn.Server, moments: Moments) -> None:
    """Note the moments, and close connections that say nothing."""
    while not server.started:
        await asyncio.sleep(0.01)
    loop, reloads, has_terminal = asyncio.get_running_loop(), set(), os.isatty(0)

    def reload() -> None:
        if has_terminal and not os.isatty(0):  # it was closed, and nobody can end the service from there any more
            server.should_exit = True
            return
        task = loop.create_task(asyncio.to_thread(moments.reload))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGHUP, reload)
    moments.ready()
    silent: dict[tuple[Any, Any], float] = {}
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if server.should_exit:
            moments.ending()
        now = loop.time()
        silent = {key: silent.get(key, now) for key in _silent(server)}
        for (connection, _), since in silent.items():
            if now - since > SILENT_SECONDS:
                connection.transport.close()


def _silent(server: uvicorn.Server) -> Iterator[tuple[Any, Any]]:
    """Connections on which no request is being answered, each with the request before."""
    for connection in list(server.server_state.connections):
        cycle = getattr(connection, "cycle", None)
        if cycle is None or cycle.response_complete:
            yield connection, cycle


@contextmanager
def _ending(server: uvicorn.Server) -> Iterator[None]:
    """Before uvicorn looks at signals, one ends the service; after it has, uvicorn sends it again, to no effect."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler is given
        server.should_exit = True

    usual = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in usual.items():
            signal.signal(each, handler)
