"""The page of a service, its two files, and reports in a frame."""

import base64
import hashlib
import re
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from unfreeze.server.problems import ProblemError
from unfreeze.server.service import Service

# The page runs one script and one style sheet of ours, shows photos that it made itself, and asks this service alone.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_STATIC: Final = {
    "/static/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/static/page.css": ("page.css", "text/css; charset=utf-8"),
    "/favicon.ico": ("icon.svg", "image/svg+xml"),
}
_STYLES: Final = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
_ATTRIBUTES: Final = re.compile(rb'\sstyle="([^"]*)"')


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the page, its files, and the frame of a report."""
    html = _html(service)

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return Response(html, media_type="text/html", headers={"content-security-policy": POLICY})

    for address in _STATIC:

        @app.get(address, include_in_schema=False)
        async def static(request: Request) -> Response:
            name, kind = _STATIC[request.url.path]
            return Response(_file(name), headers={"content-type": kind})

    @app.get("/report/{ticket}", include_in_schema=False)
    async def report(ticket: str) -> Response:
        found = service.tickets.redeem(ticket)
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


def _html(service: Service) -> str:
    environment = Environment(
        loader=PackageLoader("unfreeze", "server"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    limits, access = service.settings.limits, service.settings.access
    values: dict[str, Any] = {"needs_token": bool(access.token), "most_bytes": limits.request_bytes}
    return environment.get_template("page.html.j2").render(values)


@cache
def _file(name: str) -> bytes:
    return files("unfreeze.server").joinpath("static", name).read_bytes()
