"""``unfreeze ui`` as a process that is asked over its socket."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from faultlab.lab import without_times
from served import Served, serving
from unfreeze.core.run_folder import is_worked_in, read_plan
from unfreeze.server.workbench.documents import RunRequest
from unfreeze.server.workbench.roots import Place, Roots

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef0123"
SENTENCE = re.compile(r"[A-Z][^\n]*[^.]\.")
PLACE = {"root": 0, "path": "photos"}
QUICK = {"place": PLACE, "margin": 2, "budget_seconds": None, "strategies": [], "size": 32}
SAME = ("--margin", "2", "--budget", "none", "--strategies", "none", "--size", "32")


def draw(folder: Path, *, count: int = 8, classes: tuple[str, ...] = ("red", "green")) -> Path:
    """Class folders of tiny photos that differ in colour."""
    rng = np.random.default_rng(0)
    for channel, label in enumerate(classes):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 90, (44, 40, 3), dtype=np.uint8)
            pixels[:, :, channel] += 120
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    return folder


def command(folder: Path, *arguments: object) -> str:
    """What a command prints."""
    given = [sys.executable, "-m", "unfreeze", *map(str, arguments), "--json"]
    return subprocess.run(given, capture_output=True, text=True, check=True, cwd=folder).stdout


def client_of(served: Served) -> httpx.Client:
    """Who has the token."""
    return httpx.Client(base_url=served.address, timeout=120, headers={"Authorization": f"Bearer {TOKEN}"})


def follow(client: httpx.Client, name: str, *, since: str = "0") -> list[dict[str, Any]]:
    """All messages of a run's events until it is over: their fields, the data read."""
    found: list[dict[str, Any]] = []
    with client.stream("GET", f"/v1/runs/{name}/events", headers={"Last-Event-ID": since}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for part in "".join(answer.iter_text()).split("\n\n"):
            fields = dict(line.split(": ", 1) for line in part.splitlines() if not line.startswith(":"))
            if fields:
                found.append({**fields, "data": json.loads(fields["data"])})
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a root of photos, and beside it what nobody may see."""
    found = tmp_path_factory.mktemp("workbench")
    draw(found / "root" / "photos")
    draw(found / "secret")
    (found / "root" / "links").mkdir()
    (found / "root" / "links" / "out").symlink_to(found / "secret")
    (found / "root" / "links" / "out.png").symlink_to(found / "secret" / "red" / "0.png")
    (found / "root" / ".hidden").mkdir()
    return found


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """A workbench."""
    with serving(folder, "root", token=TOKEN, command="ui") as found:
        yield found


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    """Of the workbench."""
    with client_of(served) as found:
        yield found


def test_only_folders_below_the_roots_are_shown(client: httpx.Client) -> None:
    """What is hidden is not, nor a link that leads elsewhere; photos and folders are counted."""
    top = client.get("/v1/folders").json()
    photos = client.get("/v1/folders", params=PLACE).json()
    links = client.get("/v1/folders", params={"path": "links"}).json()

    assert top["roots"] == ["root"]
    assert [(one["name"], one["folders"]) for one in top["folders"]] == [("links", 1), ("photos", 2)]
    assert [(one["path"], one["photos"]) for one in photos["folders"]] == [("photos/green", 8), ("photos/red", 8)]
    assert links["folders"] == []


@pytest.mark.parametrize(
    "place",
    [
        {"root": 0, "path": ".."},
        {"root": 0, "path": "photos/../../secret"},
        {"root": 0, "path": "links/out"},
        {"root": 0, "path": "links/out/red"},
        {"root": 0, "path": "/etc"},
        {"root": 0, "path": "photos\0"},
        {"root": 0, "path": "x" * 4000},
        {"root": 0, "path": "nothing"},
        {"root": 0, "path": "photos/red/0.png"},
        {"root": 1, "path": ""},
        {"root": -1, "path": ""},
    ],
    ids=lambda place: f"{place['root']} {place['path'][:20]!r}",
)
def test_no_folder_elsewhere_is_opened_inspected_or_learned_from(place: dict[str, Any], client: httpx.Client) -> None:
    """Whatever names it: the answer is the same as for one that is not there, and says nothing of what is."""
    answers = [
        client.get("/v1/folders", params=place),
        client.post("/v1/inspections", json={"place": place}),
        client.post("/v1/runs", json={**QUICK, "place": place}),
    ]
    first = 422 if place["root"] < 0 else 404  # as a parameter it is no number of a root

    assert [answer.status_code for answer in answers] == [first, 404, 404]
    assert {answer.json()["code"] for answer in answers[1:]} == {"no-folder"}
    assert not [answer for answer in answers if "secret" in answer.text]


def test_no_photo_elsewhere_is_shown(client: httpx.Client) -> None:
    """One below a root is, as a small picture; a link to one outside, and a way up, are none."""
    shown = client.get("/v1/pictures", params={**PLACE, "name": "red/0.png"})
    away = ("../links/out.png", "../../secret/red/0.png", "/etc/hostname")
    refused = [client.get("/v1/pictures", params={**PLACE, "name": name}) for name in away]

    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(404, "no-photo")] * 3


def test_nothing_is_told_or_done_without_the_token(served: Served) -> None:
    """Of all routes that the document names only the sign of life is answered; nor is a part of the token enough."""
    with httpx.Client(base_url=served.address, timeout=60) as client:
        routes = [
            (method, path.replace("{name}", "photos-1"))
            for path, methods in client_of(served).get("/openapi.json").json()["paths"].items()
            for method in methods
        ]
        without = {(method, path): client.request(method, path).status_code for method, path in routes}
        nearly = client.get("/v1/runs", headers={"Authorization": f"Bearer {TOKEN[:-1]}"})
        cookie = client.get("/v1/runs", headers={"Cookie": f"token={TOKEN}"})
        pages = [client.get(path) for path in ("/", "/try", "/static/workbench.js", "/static/parts.js")]

    assert len(routes) > 12
    assert {route for route, status in without.items() if status != 401} == {("get", "/healthz")}
    assert (nearly.status_code, cookie.status_code) == (401, 401)
    assert [page.status_code for page in pages] == [200] * 4
    assert not [page for page in pages if TOKEN in page.text]
    assert all("script-src 'self';" in page.headers["content-security-policy"] for page in pages[:2])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 421),
    ],
    ids=str,
)
def test_pages_elsewhere_begin_nothing(headers: dict[str, str], status: int, client: httpx.Client) -> None:
    """Not even with the token: neither another origin, nor another name of this machine."""
    assert client.post("/v1/runs", json=QUICK, headers=headers).status_code == status
    assert client.get("/v1/runs", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"strategies": ["everything at once"]}, 422),
        ({"strategies": ["--out=/tmp/x"]}, 422),
        ({"margin": -1}, 422),
        ({"margin": "much"}, 422),
        ({"budget_seconds": 0}, 422),
        ({"size": 8}, 422),
        ({"place": "photos"}, 422),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_a_problem_in_one_sentence(
    change: dict[str, Any], status: int, client: httpx.Client, folder: Path
) -> None:
    """And nothing is begun, nor any folder made."""
    before = list(folder.glob("unfreeze-runs/*"))
    answer = client.post("/v1/runs", json={**QUICK, **change})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert SENTENCE.fullmatch(answer.json()["detail"])
    assert list(folder.glob("unfreeze-runs/*")) == before


def test_what_is_in_a_folder_is_what_inspect_finds(client: httpx.Client, folder: Path) -> None:
    """The documents are equal; a folder that cannot be learned from says why as the command does."""
    source = folder / "root" / "photos"

    found = client.post("/v1/inspections", json={"place": PLACE, "anew": True}).json()
    again = client.post("/v1/inspections", json={"place": PLACE}).json()
    empty = client.post("/v1/inspections", json={"place": {"root": 0, "path": ".hidden"}})

    assert found == json.loads(command(folder, "inspect", source)) == again
    assert empty.status_code == 422
    assert str(folder / "root" / ".hidden") in empty.json()["detail"]


def test_a_list_is_what_inspect_writes_and_a_run_learns_from_it(client: httpx.Client, folder: Path) -> None:
    """Without what cannot be used, under a name of its own; no list elsewhere, and nothing but a list, is taken."""
    torn = draw(folder / "root" / "torn")
    try:
        (torn / "red" / "cut.png").write_bytes((torn / "red" / "0.png").read_bytes()[:60])
        place = {"root": 0, "path": "torn"}

        names = [client.post("/v1/lists", json={"place": place}).json()["name"] for _ in range(2)]
        command(folder, "inspect", torn, "--fix", torn / "typed.csv")
        written = [(torn / name).read_text() for name in (*names, "typed.csv")]
        asked = RunRequest(place=Place(path="torn"), cleaned_list=names[0]).settings(Roots((folder / "root",)))
        refused = [
            client.post("/v1/runs", json={**QUICK, "place": place, "cleaned_list": name})
            for name in ("nothing.csv", "../../secret/red/0.png", "red/0.png", "red")
        ]
    finally:
        shutil.rmtree(torn)

    assert names == ["torn-cleaned.csv", "torn-cleaned-2.csv"]
    assert written[0] == written[1] == written[2]
    assert "cut.png" in written[0]
    assert asked.source == torn / names[0]
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(404, "no-list")] * 4
    assert client.get("/v1/inspections").json() == {"standing": ""}


def test_a_run_has_the_numbers_of_the_command_line(served: Served, client: httpx.Client, folder: Path) -> None:
    """Its record equals that of ``unfreeze run`` with the same settings; its page can be closed and opened again."""
    name = client.post("/v1/runs", json=QUICK).json()["name"]
    busy = client.post("/v1/runs", json=QUICK)
    under_way = client.get(f"/v1/runs/{name}").json()
    told = follow(client, name)
    command(folder, "run", folder / "root" / "photos", "--out", "unfreeze-runs/typed-1", *SAME)
    records = [json.loads((folder / "unfreeze-runs" / one / "run.json").read_text()) for one in (name, "typed-1")]
    runs = client.get("/v1/runs").json()["runs"]
    middle = told[len(told) // 2]

    assert (busy.status_code, busy.json()["code"]) == (409, "busy-with-a-run")
    assert (under_way["state"], under_way["is_ours"]) == ("running", True)
    assert [record.pop("codes") for record in records] == [{"computed": 16, "reused": 0}, {"computed": 0, "reused": 16}]
    assert records[0].pop("sha256") != records[1].pop("sha256")  # of the times in it, too
    assert without_times(records[0]) == without_times(records[1])
    assert [(run["name"], run["state"]) for run in runs if run["model"]] == [
        ("typed-1", "finished"),
        (name, "finished"),
    ]
    assert runs[0]["answer"][1:] == records[1]["verdict"][1:]  # the first says where the model is
    assert told[-1]["event"] == "over"
    assert {one["data"]["plain"] for one in told if one["data"].get("event") == "strategy measured"} >= {
        "linear, last layer"
    }
    assert follow(client, name, since=middle["id"]) == told[len(told) // 2 + 1 :]
    assert client.post(f"/v1/runs/{name}/stop").json()["code"] == "not-under-way"
    assert client.post(f"/v1/runs/{name}/resume").json()["code"] == "not-to-continue"
    assert "libtorch" not in Path(f"/proc/{served.process.pid}/maps").read_text()

    results_are_shown(client, folder, name)


def results_are_shown(client: httpx.Client, folder: Path, name: str) -> None:
    """Report, model and comparison of a run that is finished are those that the commands give."""
    report = client.get(client.post(f"/v1/runs/{name}/report").json()["address"])
    address = client.post(f"/v1/runs/{name}/model").json()["address"]
    photo = (folder / "root" / "photos" / "red" / "0.png").read_bytes()
    said = client.post("/v1/predict", params={"model": name}, content=photo).json()["photos"][0]
    both = [f"unfreeze-runs/{one}" for one in ("typed-1", name)]
    compared = client.get("/v1/comparison", params={"first": "typed-1", "second": name}).json()

    assert report.content == (folder / "unfreeze-runs" / name / "report.html").read_bytes()
    assert "sandbox" in report.headers["content-security-policy"]
    assert address == f"/try#model={name}"
    assert said["label"] == "red"
    assert compared["record"] == json.loads(command(folder, "compare", *both))


@pytest.mark.parametrize("name", ["nobody", "..", "%2e%2e", "a%00", "x" * 300])
def test_a_run_that_is_not_there_is_said(name: str, client: httpx.Client) -> None:
    """By every route that names one."""
    for method, rest in (("GET", ""), ("GET", "/events"), ("POST", "/stop"), ("POST", "/report"), ("POST", "/model")):
        answer = client.request(method, f"/v1/runs/{name}{rest}")

        assert answer.status_code in {404, 405, 409, 422}, (rest, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_workbench_asks_nobody(served: Served) -> None:
    """In all its life it opens no connection and looks up no name but the one it listens on."""
    lines = served.connections.read_text().splitlines() if served.connections.exists() else []

    assert [line for line in lines if line != "socket.getaddrinfo 127.0.0.1"] == []


def test_a_run_outlives_the_workbench_that_is_ended(folder: Path, tmp_path: Path) -> None:
    """Ctrl-C stops what is under way; the next workbench has it and goes on."""
    shutil.copytree(folder / "root" / "photos", tmp_path / "root" / "photos")
    with serving(tmp_path, "root", token=TOKEN, command="ui") as served, client_of(served) as client:
        name = client.post("/v1/runs", json={**QUICK, "strategies": ["full"]}).json()["name"]
        run = tmp_path / "unfreeze-runs" / name
        with client.stream("GET", f"/v1/runs/{name}/events") as told:
            next(told.iter_text())
        served.process.send_signal(signal.SIGINT)
        code = served.process.wait(timeout=120)

    assert code == 0  # and, since `serving` has ended, all that it said is read
    assert f"Stopping the run {name}" in "".join(served.said)
    assert read_plan(run) is not None
    assert not is_worked_in(run)

    with serving(tmp_path, "root", token=TOKEN, command="ui") as served, client_of(served) as client:
        before = client.get(f"/v1/runs/{name}").json()["state"]
        client.post(f"/v1/runs/{name}/resume")
        after = client.get(f"/v1/runs/{name}").json()["state"]

    assert (before in {"stopped", "unfinished"}, after) == (True, "running")
    assert not is_worked_in(run)
