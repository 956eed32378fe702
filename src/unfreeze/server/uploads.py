"""The photos in a request's body: limited before they are read, and kept in memory alone."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from unfreeze.core.wording import count, printable
from unfreeze.server.batching import Photo
from unfreeze.server.problems import ProblemError, busy, too_large
from unfreeze.server.settings import Limits

LONGEST_NAME = 200  # characters of a photo's name that are said again
_FIELDS = 8  # beside photos in a form; none is read


@final
@dataclass(eq=False)
class Uploads:
    """Bodies that are being read or answered.

    Args:
        limits: What they may take.
        bytes_now: That they take together, at most.
    """

    limits: Limits
    bytes_now: int = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request; its bytes count until the block ends.

        Raises:
            ProblemError: It is too large, comes too slowly, or too much is being read already.
        """
        most = self.limits.request_bytes
        said = request.headers.get("content-length", "")
        expected = int(said) if said.isascii() and said.isdecimal() else most
        if expected > most:
            raise too_large(most)
        if self.bytes_now + expected > self.limits.upload_bytes:
            raise busy()
        self.bytes_now += expected
        try:
            yield await self._read(request)
        finally:
            self.bytes_now -= expected

    async def _read(self, request: Request) -> bytes:
        body, most, seconds = bytearray(), self.limits.request_bytes, self.limits.upload_seconds
        try:
            async with asyncio.timeout(seconds):
                async for piece in request.stream():
                    body += piece
                    if len(body) > most:
                        raise too_large(most)
        except TimeoutError as error:
            detail = f"The body did not come within {seconds:g} s; send smaller photos, or fewer at a time."
            raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, "too-slow", detail) from error
        except ClientDisconnect as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "cut-off", "The request ended before its body did.") from error
        return bytes(body)


async def photos_in(request: Request, body: bytes, limits: Limits) -> tuple[Photo, ...]:
    """The photos that a body holds: the body itself, or the files of a form.

    Args:
        request: For its Content-Type.
        body: What was read.
        limits: How many photos there may be.

    Returns:
        At least one.

    Raises:
        ProblemError: There is none, there are too many, or it is no form.
    """
    if _kind(request) == "application/json":
        detail = "JSON was sent; send the bytes of a photo as the body, or photos as multipart/form-data."
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wrong-type", detail)
    found = await _in_form(request, body, limits) if is_form(request) else (Photo("photo", body),)
    if not body or not found:
        detail = "There is no photo in the request; send its bytes as the body, or files as multipart/form-data."
        raise ProblemError(HTTPStatus.BAD_REQUEST, "no-photo", detail)
    return found


def is_form(request: Request) -> bool:
    """Whether the body of a request is a form, which may hold several photos."""
    return _kind(request) == "multipart/form-data"


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def _in_form(request: Request, body: bytes, limits: Limits) -> tuple[Photo, ...]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    # One file more than allowed is let through, so that we say what is wrong.
    parser = MultiPartParser(request.headers, stream(), max_files=limits.photos + 1, max_fields=_FIELDS)
    parser.spool_max_size = limits.request_bytes + 1  # none of it goes to the disk
    try:
        form = await parser.parse()
    except (MultiPartException, UnicodeError, LookupError, ValueError) as error:
        detail = f"The form cannot be read; send at most {count(limits.photos, 'file')} as multipart/form-data."
        raise ProblemError(HTTPStatus.BAD_REQUEST, "bad-form", detail) from error
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    try:
        if len(files) > limits.photos:
            raise too_many(limits.photos)
        return tuple([Photo(name_of(file.filename), await file.read()) for file in files])
    finally:
        await form.close()


def too_many(most: int) -> ProblemError:
    """More photos than a request may have."""
    detail = f"A request may have {count(most, 'photo')}, and this one has more; send several requests."
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-many-photos", detail)


def name_of(given: str | None) -> str:
    """A client's name of a photo, without a folder, as it may be shown."""
    last = (given or "photo").replace("\\", "/").rsplit("/", 1)[-1]
    return printable(last[-LONGEST_NAME:]) or "photo"
