"""The routes of a service."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from unfreeze.server import kserve, metrics, page
from unfreeze.server.documents import (
    EXAMPLE,
    ModelDocument,
    ModelList,
    PredictAnswer,
    ReportTicket,
    answers_of,
    entry_of,
)
from unfreeze.server.guard import Guard
from unfreeze.server.problems import ProblemError, fault, refusals, response_of, stopping
from unfreeze.server.service import Service
from unfreeze.server.uploads import is_form, photos_in

TOP: Final = 5  # labels a photo, where nothing else is asked for
_PHOTO_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["photo"],
                "properties": {
                    "photo": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                },
            }
        },
    },
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted of each photo."""

    top: Annotated[int, Query(ge=1, le=1000, description="How many labels to name per photo.")] = TOP
    nearest: Annotated[int, Query(ge=0, le=10, description="How many training photos to show per photo.")] = 0
    heat: Annotated[bool, Query(description="Whether to show where the network looked.")] = False


ModelName = Annotated[str, Path(description="Of a model that is served.", examples=["leaves-1"], max_length=200)]


def application(service: Service) -> ASGIApp:
    """What a server runs: all routes, behind the guard.

    Args:
        service: Whose threads start and end with it.

    Returns:
        An ASGI application.
    """

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        await run_in_threadpool(service.batcher.close)

    app = new_app("unfreeze serve", "Classes of photos, by models that unfreeze has written.", running)
    add_models(app, service)
    _add_upkeep(app)
    kserve.add_routes(app, service)
    page.add_routes(app, service)
    settings = service.settings
    return Guard(app, access=settings.access, rate=settings.limits.rate, metrics=service.metrics)


def new_app(title: str, description: str, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> FastAPI:
    """An application without routes, whose errors are problem documents.

    Args:
        title: Of its OpenAPI document.
        description: Of the same.
        lifespan: Entered before the first request, left after the last one.

    Returns:
        The application; a `Guard` belongs before it.
    """
    app = FastAPI(
        title=title,
        version="1",
        description=description,
        docs_url=None,  # they come from a server elsewhere
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    _handle_errors(app)
    return app


def add_models(app: FastAPI, service: Service) -> None:
    """Add what a page needs that shows models and asks them."""
    app.state.service = service
    _add_models(app)
    _add_predict(app)


async def _service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Asked = Annotated[Service, Depends(_service_of)]


def _handle_errors(app: FastAPI) -> None:
    """Every error is a problem document."""

    @app.exception_handler(ProblemError)
    async def refused(_: Request, error: ProblemError) -> Response:
        return response_of(error)

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        detail = f"The parameter {first['loc'][-1]} cannot be used: {first['msg'][0].lower()}{first['msg'][1:]}."
        return response_of(ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong-parameter", detail))

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        detail = f"{status.phrase}: GET /openapi.json names all routes, and what they take."
        problem = ProblemError(status, status.phrase.lower().replace(" ", "-"), detail)
        problem.headers.update(error.headers or {})
        return response_of(problem)

    @app.exception_handler(Exception)
    async def faulty(_: Request, __: Exception) -> Response:
        return response_of(fault())  # the server prints the traceback


def _add_models(app: FastAPI) -> None:
    @app.get("/v1/models", tags=["models"], responses=refusals(401))
    async def models(service: Asked) -> ModelList:
        """All models that are served."""
        return ModelList(models=tuple(entry_of(name, model) for name, model in service.models))

    @app.get("/v1/model/{name}", tags=["models"], responses=refusals(401, 404, 422))
    async def model(service: Asked, name: ModelName) -> ModelDocument:
        """A model with its card."""
        known, found = service.models.named(name)
        return ModelDocument(model=entry_of(known, found), card=found.card_text, licence=found.card.licence)

    @app.post("/v1/model/{name}/report", tags=["models"], responses=refusals(401, 404, 422))
    async def report(service: Asked, name: ModelName) -> ReportTicket:
        """An address under which the report of the model's run opens once, within a minute."""
        known, found = service.models.named(name)
        if not found.report:
            detail = f"There is no report beside the model {known}; serve model/ in the folder of its run."
            raise ProblemError(HTTPStatus.NOT_FOUND, "no-report", detail)
        return ReportTicket(address=f"/report/{service.tickets.issue(found.report)}")


def _add_predict(app: FastAPI) -> None:
    @app.post(
        "/v1/predict",
        tags=["predict"],
        openapi_extra={"requestBody": _PHOTO_BODY},
        responses={
            200: {"content": {"application/json": {"example": EXAMPLE}}},
            **refusals(400, 401, 404, 408, 413, 415, 422, 503),
        },
    )
    async def predict(
        request: Request,
        service: Asked,
        wanted: Annotated[Wanted, Depends()],
        model: Annotated[
            str | None, Query(description="Name of the model; the first one if not given.", max_length=200)
        ] = None,
    ) -> PredictAnswer:
        """Classes of one photo (its bytes as the body) or of several (files of a form).

        Of those in a form, one that cannot be read has a problem in place of a label; as the body, it is status 422.
        """
        service.models.named(model)  # before anything is read
        async with service.uploads.body(request) as body:
            photos = await photos_in(request, body, service.settings.limits)
            name, said = await service.scores(model, photos)
            if not is_form(request):
                said.all_said()
            answers = partial(
                answers_of,
                said.model,
                said.photos,
                said.found,
                top=wanted.top,
                unlike=service.settings.unlike,
                nearest=wanted.nearest,
                heat=wanted.heat,
            )
            found = await run_in_threadpool(answers) if wanted.heat else answers()  # pictures take milliseconds
        return PredictAnswer(model=name, version=said.model.version, photos=found)


def _add_upkeep(app: FastAPI) -> None:
    @app.get("/healthz", tags=["upkeep"])
    async def alive() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["upkeep"], responses=refusals(401, 503))
    async def ready(service: Asked) -> dict[str, str]:
        """Whether photos are answered."""
        if not service.batcher.is_running:
            raise stopping()
        return {"status": "ready"}

    @app.get("/metrics", tags=["upkeep"], response_class=Response, responses=refusals(401))
    async def measured(service: Asked) -> Response:
        """Counters and times, in the text form of Prometheus."""
        return Response(service.metrics.text(), headers={"content-type": metrics.MEDIA_TYPE})
