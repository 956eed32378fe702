"""The predict protocol of KServe, version 2 (Open Inference Protocol), so that its clients work.

A model has one input, ``image``: BYTES, each element the file of a photo; in JSON as base64, in the binary extension as
it is. Its outputs are ``label`` (BYTES) and ``probabilities`` (FP32, or ``scores`` of an SVM), a row a photo.
"""

import base64
import binascii
import json
import struct
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import numpy as np
from fastapi import FastAPI, Path, Request

from unfreeze.server.batching import Photo
from unfreeze.server.problems import ProblemError, refusals, stopping
from unfreeze.server.service import Answered, Service
from unfreeze.server.settings import Limits
from unfreeze.server.uploads import too_many
from unfreeze.workflows.prediction import prediction_record
from unfreeze.workflows.serving import LoadedModel, predictions_of

INPUT: Final = "image"
_JSON_LENGTH: Final = "inference-header-content-length"
ModelName = Annotated[str, Path(max_length=200)]


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the protocol's routes."""

    @app.get("/v2", tags=["kserve"], responses=refusals(401))
    async def server() -> dict[str, Any]:
        """What answers."""
        return {"name": "unfreeze", "version": "1", "extensions": ["binary_tensor_data"]}

    @app.get("/v2/health/live", tags=["kserve"], responses=refusals(401))
    async def live() -> dict[str, bool]:
        """Whether the process answers."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=["kserve"], responses=refusals(401, 503))
    async def ready() -> dict[str, bool]:
        """Whether photos are answered."""
        if not service.batcher.is_running:
            raise stopping()
        return {"ready": True}

    for prefix in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        _add_model(app, service, prefix)


def _add_model(app: FastAPI, service: Service, prefix: str) -> None:
    versioned = "/versions/" in prefix
    more: dict[str, Any] = {"parameters": [_VERSION]} if versioned else {}

    @app.get(
        prefix, tags=["kserve"], name=f"metadata{versioned}", openapi_extra=more, responses=refusals(401, 404, 422)
    )
    async def metadata(request: Request, name: ModelName) -> dict[str, Any]:
        """What a model takes and gives."""
        known, model = service.models.named(name, request.path_params.get("version"))
        return _metadata(known, model)

    @app.get(
        f"{prefix}/ready",
        tags=["kserve"],
        name=f"ready{versioned}",
        openapi_extra=more,
        responses=refusals(401, 404, 422),
    )
    async def ready(request: Request, name: ModelName) -> dict[str, Any]:
        """Whether a model answers."""
        known, _ = service.models.named(name, request.path_params.get("version"))
        return {"name": known, "ready": service.batcher.is_running}

    @app.post(
        f"{prefix}/infer",
        tags=["kserve"],
        name=f"infer{versioned}",
        openapi_extra=_BODY | more,
        responses=refusals(400, 401, 404, 408, 413, 422, 503),
    )
    async def infer(request: Request, name: ModelName) -> dict[str, Any]:
        """Labels and probabilities of photos."""
        version = request.path_params.get("version")
        service.models.named(name, version)  # before anything is read
        async with service.uploads.body(request) as body:
            asked, photos = _asked(request, body, service.settings.limits)
            known, said = await service.scores(name, photos, version=version)
        return _answer(known, said, asked)


_VERSION: Final[dict[str, Any]] = {
    "name": "version",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "That the model must have.",
}
_TENSOR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {
        "name": {"const": INPUT},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"const": "BYTES"},
        "data": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "byte"}},
    },
}
_REQUEST: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": _TENSOR},
    },
}
_EXAMPLE: Final[dict[str, Any]] = {
    "inputs": [
        {"name": INPUT, "shape": [1], "datatype": "BYTES", "data": ["R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="]}
    ]
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _REQUEST, "example": _EXAMPLE}}}
}


def _metadata(name: str, model: LoadedModel) -> dict[str, Any]:
    outputs = [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": _values_name(model), "datatype": "FP32", "shape": [-1, len(model.class_names)]},
    ]
    inputs = [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}]
    return {
        "name": name,
        "versions": [model.version],
        "platform": "unfreeze",
        "inputs": inputs,
        "outputs": outputs,
        "parameters": {"classes": list(model.class_names)},
    }


def _values_name(model: LoadedModel) -> str:
    return "probabilities" if model.gives_probabilities else "scores"


def _asked(request: Request, body: bytes, limits: Limits) -> tuple[Mapping[str, Any], tuple[Photo, ...]]:
    """The request as JSON, and its photos.

    Raises:
        ProblemError: It is not what the protocol wants, or has too many photos.
    """
    said = request.headers.get(_JSON_LENGTH, "")
    length = int(said) if said.isascii() and said.isdecimal() and len(said) < 12 else len(body)
    try:
        asked = json.loads(body[:length])
        (tensor,) = asked["inputs"]
        if tensor["name"] != INPUT or tensor["datatype"] != "BYTES":
            raise _wrong("its input must be called image and have the datatype BYTES")
        if not isinstance(asked.get("id", ""), str):
            raise _wrong("its id must be text")
        parts = _binary(body[length:]) if "data" not in tensor else _from_base64(tensor["data"])
    except ProblemError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise _wrong("it needs inputs with one tensor that has name, shape, datatype and data") from error
    if not parts:
        raise _wrong("there is no photo in it")
    if len(parts) > limits.photos:
        raise too_many(limits.photos)
    return asked, tuple(Photo("photo", part) for part in parts)


def _wrong(why: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.BAD_REQUEST, "bad-inference-request", f"The inference request cannot be used: {why}."
    )


def _from_base64(data: Any) -> list[bytes]:
    """Elements of JSON.

    Raises:
        ProblemError: They are no base64.
    """
    try:
        return [base64.b64decode(text, validate=True) for text in _flat(data)]
    except (binascii.Error, ValueError, TypeError) as error:
        raise _wrong("each element of data must be a photo as base64") from error


def _flat(data: Any) -> list[Any]:
    """Elements of a list, which may be nested once."""
    return [inner for outer in data for inner in (outer if isinstance(outer, list) else [outer])]


def _binary(data: bytes) -> list[bytes]:
    """Elements of the binary extension: each with its length before it, four bytes, little end first."""
    parts, place = [], 0
    while place < len(data):
        (length,) = struct.unpack_from("<I", data, place)
        if length > len(data) - place - 4:
            raise _wrong("its binary data ends before its last photo does")
        parts.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    return parts


def _answer(name: str, said: Answered, asked: Mapping[str, Any]) -> dict[str, Any]:
    """All photos or none: a tensor has no place for one that cannot be read.

    Raises:
        ProblemError: A photo cannot be read.
    """
    predictions = predictions_of(said.model, [photo.name for photo in said.photos], said.all_said())
    labels = [image.label for image in prediction_record(predictions, top=1).images]
    values = predictions.probabilities if said.model.gives_probabilities else predictions.scores
    identity = {"id": asked["id"]} if "id" in asked else {}
    return {
        **identity,
        "model_name": name,
        "model_version": said.model.version,
        "outputs": _wanted(asked, said.model, labels, np.asarray(values, np.float32)),
    }


def _wanted(
    asked: Mapping[str, Any], model: LoadedModel, labels: Sequence[str | None], values: Any
) -> list[dict[str, Any]]:
    """The outputs that were asked for; all, if none was."""
    outputs: list[dict[str, Any]] = [
        {"name": "label", "datatype": "BYTES", "shape": [len(labels)], "data": list(labels)},
        {
            "name": _values_name(model),
            "datatype": "FP32",
            "shape": list(values.shape),
            "data": [round(float(value), 6) for value in values.ravel()],
        },
    ]
    listed = asked.get("outputs")
    names = {one.get("name") for one in listed if isinstance(one, dict)} if isinstance(listed, list) else set()
    return [one for one in outputs if not names or one["name"] in names]
