"""The routes of a workbench."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import FastAPI, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from unfreeze.core.errors import UnfreezeError
from unfreeze.core.event_log import EVENTS_FILE
from unfreeze.core.run_folder import MODEL
from unfreeze.server import page
from unfreeze.server.app import add_models, new_app
from unfreeze.server.documents import ReportTicket
from unfreeze.server.guard import Guard
from unfreeze.server.problems import ProblemError, refusals, response_of
from unfreeze.server.workbench import events
from unfreeze.server.workbench.documents import (
    Comparison,
    ListName,
    ListRequest,
    LookRequest,
    RunList,
    RunName,
    RunRequest,
    Standing,
    TriedModel,
    comparison_of,
)
from unfreeze.server.workbench.inspections import PICTURE_TYPE
from unfreeze.server.workbench.roots import Listing, Place
from unfreeze.server.workbench.runs import RunEntry
from unfreeze.server.workbench.workbench import Workbench
from unfreeze.workflows.comparing import compare
from unfreeze.workflows.reports import REPORT

TRY: Final = "/try"  # where models are tried
Name = Annotated[str, Path(description="Of a run.", max_length=255)]
Root = Annotated[int, Query(description="Number of a root, from 0.", ge=0)]
Below = Annotated[str, Query(description="Folder below it, with slashes.", max_length=4096)]


def workbench_application(bench: Workbench) -> ASGIApp:
    """What a server runs: all routes, behind the guard.

    Every route but the pages wants the token in a header, which a browser never sends of its own accord: so no page
    elsewhere can have it change anything here.

    Args:
        bench: The workbench.

    Returns:
        An ASGI application.
    """

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(bench.service.batcher.close)
        await run_in_threadpool(bench.pictures.close)

    app = new_app("unfreeze ui", "Runs, from a folder of photos to a model that is tried.", running)
    _handle_refusals(app)
    _add_page(app)
    _add_folders(app, bench)
    _add_runs(app, bench)
    _add_results(app, bench)
    add_models(app, bench.service)
    page.add_routes(app, bench.service, TRY, above="/")
    settings = bench.service.settings
    return Guard(app, access=settings.access, rate=settings.limits.rate, metrics=bench.service.metrics)


def _handle_refusals(app: FastAPI) -> None:
    @app.exception_handler(UnfreezeError)
    async def refused(_: Request, error: UnfreezeError) -> Response:
        return response_of(ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "cannot-be-done", str(error)))


def _add_page(app: FastAPI) -> None:
    html = page.rendered("workbench.html.j2")

    @app.get("/", include_in_schema=False)
    async def workbench() -> Response:
        return page.page_response(html)

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "alive"}


def _add_folders(app: FastAPI, bench: Workbench) -> None:
    @app.get("/v1/folders", responses=refusals(401, 404, 422))
    def folders(root: Root = 0, path: Below = "") -> Listing:
        """What is in a folder below a root."""
        return bench.roots.listing(Place(root=root, path=path))

    @app.post("/v1/inspections", responses=refusals(400, 401, 404, 422, 503))
    async def inspect(request: Request, asked: LookRequest) -> Response:
        """What ``unfreeze inspect`` finds in a folder: its document."""
        folder = await run_in_threadpool(bench.roots.folder, asked.place)
        found = await bench.inspections.of(folder, anew=asked.anew, is_gone=request.is_disconnected)
        return Response(found, media_type="application/json")

    @app.get("/v1/inspections", responses=refusals(401))
    def standing() -> Standing:
        """How far the inspection is that is under way."""
        return Standing(standing=bench.inspections.standing)

    @app.post("/v1/lists", status_code=HTTPStatus.CREATED, responses=refusals(400, 401, 404, 422, 503))
    async def cleaned(request: Request, asked: ListRequest) -> ListName:
        """Write what ``unfreeze inspect --fix`` writes: a list of a folder without what cannot be used."""
        folder = await run_in_threadpool(bench.roots.folder, asked.place)
        return ListName(name=await bench.inspections.cleaned_list(folder, is_gone=request.is_disconnected))

    @app.get("/v1/pictures", responses=refusals(401, 404, 422))
    def picture(root: Root, path: Below, name: Annotated[str, Query(max_length=4096)]) -> Response:
        """A small picture of a photo in a folder."""
        photo: FilePath = bench.roots.photo(Place(root=root, path=path), name)
        return Response(bench.pictures.of(photo), media_type=PICTURE_TYPE)


def _add_runs(app: FastAPI, bench: Workbench) -> None:
    @app.get("/v1/runs", responses=refusals(401))
    def runs() -> RunList:
        """All runs."""
        return RunList(runs=bench.runs.entries())

    @app.post("/v1/runs", status_code=HTTPStatus.CREATED, responses=refusals(400, 401, 404, 409, 422))
    def start(asked: RunRequest) -> RunName:
        """Begin a run."""
        return RunName(name=bench.runs.start(asked.settings(bench.roots)))

    @app.get("/v1/runs/{name}", responses=refusals(401, 404, 422))
    def run(name: Name) -> RunEntry:
        """A run, with its answer."""
        return bench.runs.entry(name)

    @app.get("/v1/runs/{name}/events", response_class=StreamingResponse, responses=refusals(401, 404, 422))
    async def follow(
        name: Name, last_event_id: Annotated[str, Header(pattern=r"^\d{1,15}$")] = "0"
    ) -> StreamingResponse:
        """What happens in a run, as server-sent events: docs/reference/events.md has them; the last one is ``over``."""
        folder = await run_in_threadpool(bench.runs.path, name)
        told = events.stream(
            folder / EVENTS_FILE,
            int(last_event_id),
            is_over=lambda: not bench.runs.is_under_way(name),
            is_ending=lambda: bench.is_ending,
        )
        return StreamingResponse(told, media_type=events.MEDIA_TYPE)

    @app.post("/v1/runs/{name}/stop", status_code=HTTPStatus.ACCEPTED, responses=refusals(401, 404, 409, 422))
    def stop(name: Name) -> RunName:
        """Ask a run to stop; what there is by then is kept."""
        bench.runs.stop(name)
        return RunName(name=name)

    @app.post("/v1/runs/{name}/resume", status_code=HTTPStatus.ACCEPTED, responses=refusals(401, 404, 409, 422))
    def resume(name: Name) -> RunName:
        """Go on with a run that was stopped or broken off."""
        bench.runs.resume(name)
        return RunName(name=name)


def _add_results(app: FastAPI, bench: Workbench) -> None:
    @app.post("/v1/runs/{name}/report", responses=refusals(401, 404, 422))
    def report(name: Name) -> ReportTicket:
        """An address under which the report of a run opens once, within a minute."""
        path = bench.runs.path(name) / REPORT
        try:
            html = path.read_bytes()
        except OSError as error:
            detail = "This run has no report; it is written when a run is over."
            raise ProblemError(HTTPStatus.NOT_FOUND, "no-report", detail) from error
        return ReportTicket(address=f"/report/{bench.service.tickets.issue(html)}")

    @app.post("/v1/runs/{name}/model", responses=refusals(401, 404, 422))
    async def model(name: Name) -> TriedModel:
        """Load the model of a run, so that it can be tried."""
        folder = await run_in_threadpool(bench.runs.path, name)
        await run_in_threadpool(bench.service.models.add, name, folder / MODEL)
        if not bench.service.batcher.is_running:
            bench.service.batcher.start()
        return TriedModel(address=f"{TRY}#{urlencode({'model': name})}")

    @app.get("/v1/comparison", responses=refusals(401, 404, 422))
    def comparison(
        first: Annotated[str, Query(max_length=255)], second: Annotated[str, Query(max_length=255)]
    ) -> Comparison:
        """What ``unfreeze compare`` says of two runs."""
        return comparison_of(compare(bench.runs.path(first), bench.runs.path(second)))
