"""What a request is told that cannot be answered: application/problem+json (RFC 9457), one sentence for people.

No answer names a path, a module or another request.
"""

import re
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, final

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1

# By the first word of the decoder's reason; what it says behind that stands in the sentence.
_REASONS = MappingProxyType(
    {
        "not-an-image": "This is no image",
        "truncated": "The image is cut off",
        "too-many-pixels": "The image has too many pixels",
        "file-too-large": "The image is too large",
        "camera-raw": "Camera RAW is not read",
        "format-not-allowed": "This format is not read",
        "heic": "HEIC is not read here",
        "decoder-timeout": "The image takes too long to decode",
        "decoder-memory": "The image takes too much memory to decode",
        "decoder-crash": "The image breaks its decoder",
    }
)


@final
class ProblemError(Exception):
    """A request that is refused.

    Args:
        status: Of HTTP.
        code: A word that programs compare.
        detail: A sentence: what was wanted, what was found, what to do.
        retry: Whether the same request may succeed in a moment.
    """

    def __init__(self, status: HTTPStatus, code: str, detail: str, *, retry: bool = False) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers = {"Retry-After": str(RETRY_SECONDS)} if retry else {}


def response_of(problem: ProblemError) -> JSONResponse:
    """The answer to a request that is refused."""
    document = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "code": problem.code,
        "detail": problem.detail,
    }
    return JSONResponse(document, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def unreadable(reason: str) -> ProblemError:
    """A photo that cannot be read.

    Args:
        reason: The decoder's: a code, and after a colon or space what was found.
    """
    code = re.split("[: ]", reason, maxsplit=1)[0]
    found = reason.removeprefix(code).strip(": ")
    opening = _REASONS.get(code, "The image cannot be read")
    detail = f"{opening} ({found or code}); send JPEG, PNG, WebP, GIF, BMP or TIFF that an image viewer opens."
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, code, detail)


def busy() -> ProblemError:
    """The service has as much to do as it takes on."""
    detail = f"The service has as much to do as it takes on; send this again in {RETRY_SECONDS} s."
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, retry=True)


def stopping() -> ProblemError:
    """The service ends, or has not begun."""
    detail = "The service is not ready: it is starting or stopping; send this again in a moment."
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", detail, retry=True)


def too_large(most: int) -> ProblemError:
    """An upload of too many bytes."""
    detail = f"A request may have {most:,} bytes, and this one has more; send smaller photos, or fewer at a time."
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)


def fault() -> ProblemError:
    """A mistake of ours; what it was stands on the service's standard error alone."""
    detail = "This is a fault of the service; its log says more."
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "fault", detail)


_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "A word that programs compare."},
        "detail": {"type": "string", "description": "One sentence for people."},
    },
}
_PROBLEM: Final[dict[str, Any]] = {"content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "The request holds no photo, or is not what its type says.", **_PROBLEM},
    401: {"description": "The token is wrong or missing.", **_PROBLEM},
    403: {"description": "The request comes from another origin.", **_PROBLEM},
    404: {"description": "There is nothing of that name.", **_PROBLEM},
    408: {"description": "The body came too slowly.", **_PROBLEM},
    409: {"description": "It does not go with what is under way, or is over.", **_PROBLEM},
    413: {"description": "There are too many bytes, or too many photos.", **_PROBLEM},
    415: {"description": "This is no type for photos.", **_PROBLEM},
    421: {"description": "The service has no such name.", **_PROBLEM},
    422: {"description": "No photo can be read, or a parameter is wrong.", **_PROBLEM},
    429: {"description": "Requests come too often.", **_PROBLEM},
    503: {"description": "There is too much to do.", **_PROBLEM},
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer instead, for OpenAPI; what every route may is among it."""
    return {status: _REFUSALS[status] for status in (*statuses, 403, 421, 429)}
