"""The page of a service, the files of all pages, and reports in a frame."""

import base64
import hashlib
import re
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import PurePath
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from unfreeze.server.problems import ProblemError
from unfreeze.server.service import Service, Tickets

# The page runs one script and one style sheet of ours, shows photos that it made itself, and asks this service alone.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_KINDS: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_STYLES: Final = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
_ATTRIBUTES: Final = re.compile(rb'\sstyle="([^"]*)"')


def add_routes(app: FastAPI, service: Service, address: str = "/", *, above: str = "") -> None:
    """Add the page on which photos get their labels, and all that it consists of.

    Args:
        app: Gets the routes.
        service: Whose models are asked.
        address: Of the page.
        above: Address of the page that it belongs to; empty if it stands alone.
    """
    limits = service.settings.limits
    needs_token = bool(service.settings.access.token)
    html = rendered("page.html.j2", needs_token=needs_token, most_bytes=limits.request_bytes, above=above)

    @app.get(address, include_in_schema=False)
    async def page() -> Response:
        return page_response(html)

    add_static_files(app)
    add_reports(app, service.tickets)


def rendered(template: str, **values: Any) -> str:
    """A page of ours: HTML."""
    environment = Environment(
        loader=PackageLoader("unfreeze", "server"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template).render(values)


def page_response(html: str) -> Response:
    """A page with what it may do."""
    return Response(html, media_type="text/html", headers={"content-security-policy": POLICY})


def add_static_files(app: FastAPI) -> None:
    """Add scripts, styles and the icon of all pages."""
    names = {f"/static/{name}": name for name in _names()} | {"/favicon.ico": "icon.svg"}

    for address in names:

        @app.get(address, include_in_schema=False)
        async def static(request: Request) -> Response:
            name = names[request.url.path]
            return Response(_file(name), headers={"content-type": _KINDS[PurePath(name).suffix]})


def add_reports(app: FastAPI, tickets: Tickets) -> None:
    """Add the frame of a report, which is opened by a ticket."""

    @app.get("/report/{ticket}", include_in_schema=False)
    async def report(ticket: str) -> Response:
        found = tickets.redeem(ticket)
        if found is None:
            detail = "This address was opened already, or is too old; open the report from the page."
            raise ProblemError(HTTPStatus.NOT_FOUND, "no-ticket", detail)
        return Response(found, media_type="text/html", headers={"content-security-policy": report_policy(found)})


def report_policy(html: bytes) -> str:
    """What a report may do in a frame: show itself with its own styles, each by its hash, and nothing else.

    Args:
        html: The report.

    Returns:
        The value of Content-Security-Policy.
    """
    styles = {*_STYLES.findall(html), *_ATTRIBUTES.findall(html)}
    hashes = " ".join(sorted(f"'sha256-{base64.b64encode(hashlib.sha256(one).digest()).decode()}'" for one in styles))
    return (
        f"default-src 'none'; style-src 'unsafe-hashes' {hashes}; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'; sandbox"
    )


def _names() -> list[str]:
    folder = files("unfreeze.server").joinpath("static")
    return sorted(file.name for file in folder.iterdir() if PurePath(file.name).suffix in _KINDS)


@cache
def _file(name: str) -> bytes:
    return files("unfreeze.server").joinpath("static", name).read_bytes()
