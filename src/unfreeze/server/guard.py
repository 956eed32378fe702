"""What stands before every route: who asks, from where, how often; and the headers of every answer."""

import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unfreeze.server.metrics import Metrics
from unfreeze.server.problems import ProblemError, response_of
from unfreeze.server.settings import Access

PAGES: Final = frozenset({"/", "/try"})  # to which a link elsewhere may lead
# Routes that hold nothing of anybody's: a monitor and a browser ask for them before they have a token.
OPEN: Final = PAGES | {"/healthz", "/favicon.ico"}
STATIC: Final = "/static/"  # scripts and styles, the same for everybody
TICKETS: Final = "/report/"  # reports are opened by a ticket in their address, which was given for the token
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "geolocation=(), microphone=(), interest-cohort=()",
    "cache-control": "no-store",
}
_LENGTH: Final = re.compile(r"0*\d{1,5}")  # of a body that is read to its end, whatever is answered: 99,999 bytes
_ADDRESSES: Final = 4096  # that are remembered
_BURST_SECONDS: Final = 10.0


@final
class TokenBuckets:
    """Whether an address asks too often.

    Args:
        rate: Requests a second that an address may send on average.
        clock: Seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most, self._clock = rate, max(1.0, rate * _BURST_SECONDS), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when it was

    def takes(self, address: str) -> bool:
        """Whether one more request may come now, which then counts."""
        now = self._clock()
        left, since = self._buckets.pop(address, (self._most, now))
        left = min(self._most, left + (now - since) * self._rate)
        self._buckets[address] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > _ADDRESSES:
            self._buckets.popitem(last=False)
        return left >= 1


@final
class Guard:
    """An ASGI application that lets through to another what may pass.

    Args:
        app: The other one.
        access: Who may ask.
        rate: As for `TokenBuckets`.
        metrics: Counts every answer.
    """

    def __init__(self, app: ASGIApp, *, access: Access, rate: float, metrics: Metrics) -> None:
        self._app, self._access, self._metrics = app, access, metrics
        self._buckets = TokenBuckets(rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        has_rest = _has_long_body(Headers(scope=scope))

        async def receive_noted() -> Message:
            nonlocal has_rest
            message = await receive()
            has_rest = has_rest and message.get("more_body", False)
            return message

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if has_rest:  # what was refused before it was read is not read after it either, if it is long
                    headers["connection"] = "close"
            await send(message)

        try:
            self._check(scope)
        except ProblemError as problem:
            await response_of(problem)(scope, receive, send_guarded)
        else:
            await self._app(scope, receive_noted, send_guarded)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)

    def _check(self, scope: Scope) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        check_host(headers, self._access.hosts)
        check_origin(headers, is_page=path in PAGES and scope["method"] in {"GET", "HEAD"})
        address = scope["client"][0] if scope.get("client") else ""
        if path != "/healthz" and not self._buckets.takes(address):
            detail = "Too many requests come from this address; send this again in 1 s, and fewer a second."
            raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "too-often", detail, retry=True)
        if path not in OPEN and not path.startswith((STATIC, TICKETS)):
            check_token(headers, self._access.token)


def _has_long_body(headers: Headers) -> bool:
    """Whether to close a connection rather than read what was refused.

    The server reads a short rest and drops it: a connection that is closed with something unread is reset, and who
    sent it may never see the answer.
    """
    return "transfer-encoding" in headers or _LENGTH.fullmatch(headers.get("content-length", "0")) is None


def check_host(headers: Headers, allowed: frozenset[str]) -> None:
    """Refuse names that this service does not have: else a page elsewhere could reach it under a name of its own.

    Raises:
        ProblemError: There is not exactly one Host header, or its name is not allowed.
    """
    given = headers.getlist("host")
    if len(given) != 1 or given[0].lower() not in allowed:
        detail = "This service does not go by the name in the Host header; start it with --allowed-host NAME."
        raise ProblemError(HTTPStatus.MISDIRECTED_REQUEST, "wrong-host", detail)


def check_origin(headers: Headers, *, is_page: bool) -> None:
    """Refuse what pages of other origins send.

    Args:
        headers: Of the request.
        is_page: Whether the page itself is asked for, which a link elsewhere may lead to.

    Raises:
        ProblemError: The request comes from another origin.
    """
    host, origins = headers["host"].lower(), headers.getlist("origin")
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
    is_link = is_page and mode == "navigate"
    foreign = any(origin.lower() not in {f"http://{host}", f"https://{host}"} for origin in origins)
    if foreign or (site not in {"same-origin", "none"} and not is_link):
        detail = "Pages of other origins may not ask this service; use its own page, or a program."
        raise ProblemError(HTTPStatus.FORBIDDEN, "wrong-origin", detail)


def check_token(headers: Headers, token: str) -> None:
    """Refuse who does not know the token, in a time that does not say how much of it was right.

    Raises:
        ProblemError: The token is wrong or missing.
    """
    if not token:
        return
    given = headers.get("authorization", "")
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Bearer {token}".encode()):
        detail = "This service wants its token: send the header Authorization: Bearer TOKEN."
        problem = ProblemError(HTTPStatus.UNAUTHORIZED, "wrong-token", detail)
        problem.headers["WWW-Authenticate"] = "Bearer"
        raise problem
