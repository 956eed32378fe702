"""What bodies may take."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.requests import Request

from unfreeze.server.problems import ProblemError
from unfreeze.server.settings import Limits
from unfreeze.server.uploads import Uploads


def request_of(pieces: Sequence[bytes], *, length: int | None = None, pause: float = 0.0) -> Request:
    """A request whose body comes in pieces, each after a pause."""
    waiting = list(pieces)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


async def refusal_of(uploads: Uploads, request: Request) -> str:
    """The code of the problem; empty if the body is read."""
    try:
        async with uploads.body(request):
            return ""
    except ProblemError as problem:
        return problem.code


def test_a_body_that_comes_too_slowly_is_refused() -> None:
    """One byte at a time, for ever, ends when the time is over, and what it counted for is free again."""
    uploads = Uploads(Limits(upload_seconds=0.05))

    assert asyncio.run(refusal_of(uploads, request_of([b"x"] * 1000, pause=0.01))) == "too-slow"
    assert uploads.bytes_now == 0


@pytest.mark.parametrize(("length", "pieces"), [(101, [b""]), (None, [b"x" * 60] * 9), (10, [b"x" * 60] * 2)])
def test_a_body_of_too_many_bytes_is_refused(length: int | None, pieces: list[bytes]) -> None:
    """By what it says, by what comes, and where it says less than comes."""
    uploads = Uploads(Limits(request_bytes=100))

    assert asyncio.run(refusal_of(uploads, request_of(pieces, length=length))) == "too-large"


def test_bodies_together_take_no_more_than_is_allowed() -> None:
    """While two are held, a third is told to come again; one that says no length counts as the largest."""
    uploads = Uploads(Limits(request_bytes=100, upload_bytes=150))

    async def three() -> tuple[str, str, str]:
        async with uploads.body(request_of([b"x" * 40], length=40)), uploads.body(request_of([b"y"])):
            third = await refusal_of(uploads, request_of([b"z" * 20], length=20))
            small = await refusal_of(uploads, request_of([b"z" * 10], length=10))
        return third, small, await refusal_of(uploads, request_of([b"z" * 20], length=20))

    assert asyncio.run(three()) == ("busy", "", "")
