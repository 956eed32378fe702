"""One of several processes that serve the same models behind one port."""

import sys
from dataclasses import replace

from starlette.types import ASGIApp

from unfreeze.core.threads import usable_cores
from unfreeze.server.app import application
from unfreeze.server.service import Service
from unfreeze.server.settings import ServeSettings


def replica(settings: ServeSettings) -> ASGIApp:
    """The application of a service, made in the process that serves.

    Args:
        settings: Of the service; as many photos are decoded at a time as this process has cores.

    Returns:
        An ASGI application, with a limit of requests and metrics of its own.

    Raises:
        InputError: A folder is no model, or there is no such device.
    """
    return application(Service.of(replace(settings, decoders=usable_cores()), _say))


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
