"""``unfreeze serve`` as a process that is asked over its socket."""

import base64
import io
import json
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from served import CLASSES, REPORT, SIDE, Served, photos, saved_model, serving
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.unlike import add_unlike
from unfreeze.zoo.devices import CPU

pytestmark = pytest.mark.slow

SENTENCE = re.compile(r"[A-Z][^\n]*[^.]\.")
TOLERANCE = 2e-6  # of a probability; answers are rounded to six digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a run that has a model and a report, another model, and photos."""
    found = tmp_path_factory.mktemp("served")
    (found / "run-1").mkdir()
    (found / "run-1" / "report.html").write_text(REPORT)
    saved_model(found / "run-1" / "model", seed=1)
    saved_model(found / "second", seed=2, side=128)  # large enough that its last map has places
    photos(found / "photos")
    return found


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """A service of both."""
    with serving(folder, folder / "run-1" / "model", f"other={folder / 'second'}") as found:
        yield found


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    """Of the service."""
    with httpx.Client(base_url=served.address, timeout=60) as found:
        yield found


def predicted(model: Path, named: list[Path]) -> dict[str, Any]:
    """What ``unfreeze predict`` says: by name of the photo."""
    command = [sys.executable, "-m", "unfreeze", "predict", str(model), *map(str, named), "--top", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {Path(image["path"]).name: image for image in json.loads(done.stdout)["images"]}


def same(answer: dict[str, Any], image: dict[str, Any]) -> bool:
    """Whether the service says what the command says."""
    pairs = list(zip(answer["top"], image["top"], strict=True))
    return answer["label"] == image["label"] and all(
        mine["label"] == theirs["label"] and abs(mine["probability"] - theirs["probability"]) <= TOLERANCE
        for mine, theirs in pairs
    )


def files_of(named: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    """Photos of a form."""
    return [("photo", (path.name, path.read_bytes())) for path in named]


def test_answers_are_those_of_predict_in_any_batch(client: httpx.Client, folder: Path) -> None:
    """A photo alone, among others and among many requests gets the labels and numbers that ``predict`` gives it."""
    named = sorted((folder / "photos").iterdir())
    for name, model in (("run-1", folder / "run-1" / "model"), ("other", folder / "second")):
        wanted = predicted(model, named)
        address = f"/v1/predict?model={name}&top=3"

        alone = [client.post(address, content=path.read_bytes()).json()["photos"][0] for path in named]
        together = client.post(address, files=files_of(named)).json()["photos"]
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(client.post, address, content=path.read_bytes()) for path in named * 8]
            crowd = [one.result().json() for one in asked]

        assert all(same(answer, wanted[path.name]) for answer, path in zip(alone, named, strict=True))
        assert [answer["name"] for answer in together] == [path.name for path in named]
        assert all(same(answer, wanted[answer["name"]]) for answer in together)
        assert all(same(one["photos"][0], wanted[path.name]) for one, path in zip(crowd, named * 8, strict=True))
        assert len({image["label"] for image in wanted.values()}) > 1


def test_a_broken_photo_costs_only_itself(client: httpx.Client, folder: Path) -> None:
    """Among several it has a problem in place of a label; the others have theirs."""
    named = sorted((folder / "photos").iterdir())[:2]
    broken = ("photo", ("cut.jpg", named[0].read_bytes()[:300]))

    first, second, third = client.post("/v1/predict", files=[*files_of(named), broken]).json()["photos"]

    assert first["label"] in CLASSES
    assert second["label"] in CLASSES
    assert (third["name"], third["label"], third["top"]) == ("cut.jpg", None, [])
    assert third["problem"]["code"] == "truncated"


def test_where_the_network_looked_is_said_when_it_is_asked(client: httpx.Client, folder: Path) -> None:
    """A map with its largest value at 255 and a picture; of a model without a map, in a sentence that there is none."""
    path = folder / "photos" / "photo 1.png"

    plain, looked = (client.post(f"/v1/predict?model=other&heat={word}", content=path.read_bytes()) for word in "01")
    without = client.post("/v1/predict?model=run-1&heat=true", content=path.read_bytes()).json()["photos"][0]
    models = {one["name"]: one["has_heat"] for one in client.get("/v1/models").json()["models"]}

    heat = looked.json()["photos"][0]["heat"]
    assert plain.json()["photos"][0] == looked.json()["photos"][0] | {"heat": None}
    assert max(max(row) for row in heat["grid"]) == 255
    assert Image.open(io.BytesIO(base64.b64decode(heat["picture"]))).format == "WEBP"
    assert (without["heat"]["grid"], without["heat"]["picture"]) == ([], "")
    assert SENTENCE.fullmatch(without["heat"]["note"])
    assert models == {"run-1": False, "other": True}


PHOTO = b"GIF89a"
REFUSED: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "no image": ("POST", "/v1/predict", {"content": b"hello"}, 422, "not-an-image"),
    "cut off": ("POST", "/v1/predict", {"content": b"\x89PNG\r\n\x1a\n"}, 422, "corrupt-png"),
    "empty": ("POST", "/v1/predict", {"content": b""}, 400, "no-photo"),
    "empty form": ("POST", "/v1/predict", {"data": {"a": "b"}, "files": {}}, 422, "not-an-image"),
    "JSON": ("POST", "/v1/predict", {"json": {"url": "http://example.org/a.jpg"}}, 415, "wrong-type"),
    "too many": ("POST", "/v1/predict", {"files": [("photo", ("a", PHOTO))] * 17}, 413, "too-many-photos"),
    "far too many": ("POST", "/v1/predict", {"files": [("photo", ("a", PHOTO))] * 40}, 400, "bad-form"),
    "no boundary": (
        "POST",
        "/v1/predict",
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        400,
        "bad-form",
    ),
    "unknown model": ("POST", "/v1/predict?model=../../etc/passwd", {"content": PHOTO}, 404, "unknown-model"),
    "unknown card": ("GET", "/v1/model/nobody", {}, 404, "unknown-model"),
    "no report": ("POST", "/v1/model/other/report", {}, 404, "no-report"),
    "no ticket": ("GET", "/report/AAAA", {}, 404, "no-ticket"),
    "top": ("POST", "/v1/predict?top=0", {"content": PHOTO}, 422, "wrong-parameter"),
    "route": ("GET", "/v1/predict/%2e%2e/%2e%2e/etc/passwd", {}, 404, "not-found"),
    "static": ("GET", "/static/%2e%2e/page.html.j2", {}, 404, "not-found"),
    "method": ("DELETE", "/v1/models", {}, 405, "method-not-allowed"),
    "host": ("GET", "/v1/models", {"headers": {"host": "evil.example"}}, 421, "wrong-host"),
    "host without port": ("GET", "/healthz", {"headers": {"host": "127.0.0.1"}}, 421, "wrong-host"),
    "origin": ("POST", "/v1/predict", {"headers": {"origin": "http://evil.example"}}, 403, "wrong-origin"),
    "null origin": ("POST", "/v1/predict", {"headers": {"origin": "null"}}, 403, "wrong-origin"),
    "cross-site": ("GET", "/v1/models", {"headers": {"sec-fetch-site": "cross-site"}}, 403, "wrong-origin"),
    "other port": ("GET", "/v1/models", {"headers": {"sec-fetch-site": "same-site"}}, 403, "wrong-origin"),
    "inference": ("POST", "/v2/models/other/infer", {"json": {"inputs": []}}, 400, "bad-inference-request"),
    "base64": (
        "POST",
        "/v2/models/other/infer",
        {"json": {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["%%"]}]}},
        400,
        "bad-inference-request",
    ),
    "inference of no image": (
        "POST",
        "/v2/models/other/infer",
        {"json": {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["aGVsbG8="]}]}},
        422,
        "not-an-image",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_refusal_is_a_problem_in_one_sentence(case: str, client: httpx.Client, folder: Path) -> None:
    """Status, code, and a sentence that names no path of this machine and no module."""
    method, address, settings, status, code = REFUSED[case]

    answer = client.request(method, address, **settings)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert SENTENCE.fullmatch(answer.json()["detail"])
    assert str(folder) not in answer.text
    assert not re.search(r"Traceback|unfreeze\.\w|\.py\b|line \d", answer.text)
    assert answer.json()["status"] == status


@pytest.mark.parametrize("length", [b"Content-Length: 30000000", b"Transfer-Encoding: chunked"])
def test_an_upload_that_is_too_large_is_refused_before_it_is_read(length: bytes, served: Served) -> None:
    """By what its length says, and by its bytes where it says none."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n\r\n" % (served.port, length)
    body = b"" if b"Content" in length else (b"100000\r\n" + bytes(2**20) + b"\r\n") * 20

    status, _, rest = served.raw(head + body).partition(b"\r\n")

    assert status.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too-large"' in rest


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
    ],
    ids=["no request", "two lengths", "two encodings", "long header", "bad name"],
)
def test_what_is_no_request_costs_nothing(sent: bytes, served: Served, client: httpx.Client) -> None:
    """It is told so or cut off, in a word without a version, and the next request is answered."""
    answer = served.raw(sent)

    assert answer[9:12] in {b"", b"400", b"421", b"431", b"501"}
    assert b"uvicorn" not in answer
    assert "Invalid" not in "".join(served.said)
    assert client.get("/healthz").status_code == 200


def test_no_header_names_what_runs_here(client: httpx.Client) -> None:
    """Neither a server nor a version; every answer has a policy and is not kept."""
    for address in ("/", "/healthz", "/v1/models", "/nothing"):
        headers = client.get(address).headers

        assert "server" not in headers
        assert not re.search(r"uvicorn|fastapi|python", str(headers), re.IGNORECASE)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert not [name for name in headers if name.startswith("access-control")]


def test_models_are_listed_with_their_cards(client: httpx.Client) -> None:
    """Each by its name, with its classes; the one of a run has the report of that run, which opens once."""
    listed = client.get("/v1/models").json()["models"]
    card = client.get("/v1/model/run-1").json()
    opened = client.post("/v1/model/run-1/report").json()["address"]
    report = client.get(opened)

    assert [(one["name"], one["has_report"], one["size"]) for one in listed] == [
        ("run-1", True, SIDE),
        ("other", False, 128),
    ]
    assert listed[0]["classes"] == list(CLASSES)
    assert listed[0]["version"] != listed[1]["version"]
    assert card["card"] == "# A model\n"
    assert report.text == REPORT
    assert "sandbox" in report.headers["content-security-policy"]
    assert "script" not in report.headers["content-security-policy"]
    assert client.get(opened).status_code == 404


def test_clients_of_kserve_get_labels_and_probabilities(client: httpx.Client, folder: Path) -> None:
    """Of photos as base64 in JSON, and as they are behind the JSON; the numbers are those of the other route."""
    data = [path.read_bytes() for path in sorted((folder / "photos").iterdir())[:3]]
    wanted = [client.post("/v1/predict?model=other&top=3", content=one).json()["photos"][0] for one in data]
    tensor = {"name": "image", "shape": [3], "datatype": "BYTES"}
    text = {"id": "7", "inputs": [{**tensor, "data": [base64.b64encode(one).decode() for one in data]}]}
    binary = b"".join(struct.pack("<I", len(one)) + one for one in data)
    header = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(binary)}}]}).encode()
    version = client.get("/v2/models/other").json()["versions"][0]

    by_text = client.post("/v2/models/other/infer", json=text).json()
    by_bytes = client.post(
        f"/v2/models/other/versions/{version}/infer",
        content=header + binary,
        headers={"Inference-Header-Content-Length": str(len(header))},
    ).json()

    assert by_text["id"] == "7"
    for answer in (by_text, by_bytes):
        labels, values = answer["outputs"]
        assert labels["data"] == [one["label"] for one in wanted]
        assert values["shape"] == [3, len(CLASSES)]
        rows = [values["data"][place : place + 3] for place in (0, 3, 6)]
        assert [max(row) for row in rows] == pytest.approx([one["probability"] for one in wanted], abs=TOLERANCE)
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/other/ready").json()["ready"] is True


def test_what_is_unlike_training_is_marked_as_predict_marks_it(folder: Path, tmp_path: Path) -> None:
    """By the same shares, beside the training photos most like it; a model that knows nothing of them says neither."""
    learned = photos(tmp_path / "learned", count=48)
    shutil.copytree(folder / "second", tmp_path / "knowing")
    with DecoderPool(workers=1) as pool:
        names = [path.name for path in learned]
        add_unlike(tmp_path / "knowing", learned, np.arange(48) % 3, pool=pool, device=CPU, seed=0, names=names)
    Image.new("RGB", (40, 40), "white").save(tmp_path / "white.png")
    named = [*learned[:3], tmp_path / "white.png"]
    command = [sys.executable, "-m", "unfreeze", "predict", str(tmp_path / "knowing"), *map(str, named)]
    done = subprocess.run([*command, "--unlike", "5%", "--json"], capture_output=True, text=True, check=True)
    table = subprocess.run([*command, "--unlike", "5%"], capture_output=True, text=True, check=True).stdout
    wanted = [image["unlike"] for image in json.loads(done.stdout)["images"]]

    with serving(tmp_path, tmp_path / "knowing", folder / "second", "--unlike", "5%") as served:
        knowing, other = (
            httpx.post(f"{served.address}v1/predict?nearest=2&model={name}", files=files_of(named), timeout=60).json()[
                "photos"
            ]
            for name in ("knowing", "second")
        )

    assert [photo["unlike"] for photo in knowing] == wanted
    assert wanted[-1] == {"likeness": pytest.approx(1 / 49, abs=1e-6), "marked": True}
    assert [share["likeness"] > 0.05 for share in wanted[:3]] == [True] * 3
    assert table.count("unlike anything in training") == 1
    assert [photo["unlike"] for photo in other] == [None] * 4
    first = [photo["nearest"][0] for photo in knowing[:3]]
    assert [(one["name"], one["similarity"]) for one in first] == [
        (name, pytest.approx(1, abs=1e-3)) for name in names[:3]
    ]
    assert [one["label"] for one in first] == list(CLASSES[:3])
    assert Image.open(io.BytesIO(base64.b64decode(first[0]["picture"]))).size == (96, 96)
    assert [len(photo["nearest"]) for photo in (*knowing, *other)] == [2] * 4 + [0] * 4
    assert "does not know what its training photos look like" in "".join(served.said)


def test_metrics_are_read_by_prometheus_own_parser(client: httpx.Client, folder: Path) -> None:
    """They count answers and photos, name each version that is served, and hold no word of a request."""
    before = samples(client)
    photo = next((folder / "photos").iterdir())
    for _ in range(3):
        client.post("/v1/predict", content=photo.read_bytes())
    client.get("/secret-address?and=more")
    after = samples(client)

    answered = ("unfreeze_photos_total", "answered", "run-1")
    asked = ("unfreeze_requests_total", "/v1/predict", "200")
    assert after[answered] == before.get(answered, 0) + 3
    assert after[asked] == before.get(asked, 0) + 3
    assert after["unfreeze_waiting_photos",] == 0
    assert {key[1] for key in after if key[0] == "unfreeze_model_info"} == {"run-1", "other"}
    assert "secret-address" not in str(after)


def samples(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """Numbers of the metrics, by name and sorted labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (
            one.name,
            *(value for _, value in sorted(one.labels.items(), key=lambda pair: pair[0] != "outcome")),
        ): one.value
        for family in families
        for one in family.samples
        if not one.name.endswith(("_bucket", "_created"))
    }


def test_the_document_of_the_interface_names_every_route(client: httpx.Client) -> None:
    """With an example of an answer, and without a link to anywhere else."""
    document = client.get("/openapi.json").json()

    assert {"/v1/predict", "/v1/models", "/v1/model/{name}", "/healthz", "/readyz", "/metrics"} <= set(
        document["paths"]
    )
    predict = document["paths"]["/v1/predict"]["post"]
    example = predict["responses"]["200"]["content"]["application/json"]["example"]
    assert example["photos"][0]["label"] == example["photos"][0]["top"][0]["label"]
    assert set(predict["requestBody"]["content"]) == {"image/*", "multipart/form-data"}
    assert "http" not in json.dumps(document)


def test_the_service_asks_nobody(client: httpx.Client, served: Served) -> None:
    """In all its life it opens no connection and looks up no name but the one it listens on."""
    client.get("/healthz")
    lines = served.connections.read_text().splitlines() if served.connections.exists() else []

    assert [line for line in lines if line != "socket.getaddrinfo 127.0.0.1"] == []


def test_a_refusal_reaches_who_sent_a_short_body(served: Served) -> None:
    """What was refused before it was read is read nevertheless: the same connection goes on to the next request."""
    refused = b"POST /v1/predict?model=nobody HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 90000\r\n\r\n"
    ended = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n"

    for _ in range(20):
        answers = served.raw(refused % served.port + bytes(90_000) + ended % served.port)
        assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"404", b"200"]


def test_a_token_opens_what_is_closed_without(folder: Path, tmp_path: Path) -> None:
    """Without it only the page and the sign of life are answered, and no part of it is enough."""
    token = "0123456789abcdef0123"
    with (
        serving(tmp_path, folder / "second", token=token) as served,
        httpx.Client(base_url=served.address, timeout=60) as client,
    ):
        given = {
            said: client.get("/v1/models", headers={"authorization": said} if said else {})
            for said in ("", f"Bearer {token[:-1]}", f"Bearer {token}x", f"Basic {token}", f"Bearer {token}")
        }
        open_to_all = {path: client.get(path).status_code for path in ("/", "/healthz", "/static/page.js")}
        closed = {
            path: client.get(path).status_code
            for path in ("/readyz", "/metrics", "/openapi.json", "/v2", "/v1/model/second", "/nothing")
        }

    assert [answer.status_code for answer in given.values()] == [401, 401, 401, 401, 200]
    assert given[""].json()["code"] == "wrong-token"
    assert given[""].headers["www-authenticate"] == "Bearer"
    assert set(open_to_all.values()) == {200}
    assert set(closed.values()) == {401}
    assert token not in "".join(served.said)


def test_what_is_too_much_is_refused_at_once_and_the_rest_is_served(folder: Path, tmp_path: Path) -> None:
    """More photos than may wait are told 503, requests that come too often 429, both when to come again."""
    data = next((folder / "photos").iterdir()).read_bytes()
    with (
        serving(tmp_path, folder / "second", "--waiting", "2", "--rate", "2") as served,
        httpx.Client(base_url=served.address, timeout=60) as client,
    ):
        full = client.post("/v1/predict", files=[("photo", ("a.jpg", data))] * 3)
        fits = client.post("/v1/predict", files=[("photo", ("a.jpg", data))] * 2)
        often = [client.get("/v1/models") for _ in range(40)]
        alive = [client.get("/healthz").status_code for _ in range(5)]

    assert (full.status_code, full.json()["code"], full.headers["retry-after"]) == (503, "busy", "1")
    assert fits.status_code == 200
    assert {answer.status_code for answer in often} == {200, 429}
    assert {answer.headers.get("retry-after") for answer in often if answer.status_code == 429} == {"1"}
    assert set(alive) == {200}


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP on Windows")
def test_a_model_is_replaced_without_losing_a_request(folder: Path, tmp_path: Path) -> None:
    """Every request of four clients is answered, by the old or the new version; one that is damaged changes nothing."""
    shutil.copytree(folder / "run-1" / "model", tmp_path / "now")
    data = next((folder / "photos").iterdir()).read_bytes()
    seen: list[tuple[int, str]] = []
    with serving(tmp_path, tmp_path / "now") as served:
        over = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=served.address, timeout=60) as client:
                while not over.is_set():
                    answer = client.post("/v1/predict", content=data)
                    seen.append((answer.status_code, answer.json().get("version", "")))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        old = version_of(served)
        shutil.move(tmp_path / "now", tmp_path / "before")
        shutil.copytree(folder / "second", tmp_path / "now")
        served.process.send_signal(signal.SIGHUP)
        new = changed(served, old)
        (tmp_path / "now" / "model.safetensors").write_bytes(b"damaged")
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: any("stays as it was" in line for line in served.said))
        asked = len(seen)
        wait_until(lambda: len(seen) > asked + 8)
        over.set()
        for thread in threads:
            thread.join()

        assert version_of(served) == new

    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} == {old, new}
    assert seen[-1][1] == new


def version_of(served: Served) -> str:
    """Of the first model."""
    version: str = httpx.get(f"{served.address}v1/models").json()["models"][0]["version"]
    return version


def changed(served: Served, old: str) -> str:
    """The next version."""
    wait_until(lambda: version_of(served) != old)
    return version_of(served)


def wait_until(holds: Any) -> None:
    """Look again and again, for some minutes at most."""
    until = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM on Windows")
def test_sigterm_finishes_what_was_taken_and_exits_with_zero(folder: Path, tmp_path: Path) -> None:
    """Requests whose photos are under way are answered whole, and then the process ends by itself."""
    named = sorted((folder / "photos").iterdir())
    with serving(tmp_path, folder / "second") as served, ThreadPoolExecutor(3) as threads:
        address = f"{served.address}v1/predict"
        asked = [threads.submit(httpx.post, address, files=files_of((named * 3)[:16]), timeout=60) for _ in range(3)]
        wait_until(lambda: waiting_photos(served) or all(one.done() for one in asked))
        served.process.send_signal(signal.SIGTERM)
        answers = [one.result() for one in asked]
        code = served.process.wait(timeout=30)

    assert [answer.status_code for answer in answers] == [200] * 3
    assert {len(answer.json()["photos"]) for answer in answers} == {16}
    assert code == 0
    assert "Traceback" not in "".join(served.said)


def waiting_photos(served: Served) -> float:
    """How many are under way."""
    (found,) = re.findall(r"^unfreeze_waiting_photos (\S+)", httpx.get(f"{served.address}metrics").text, re.MULTILINE)
    return float(found)
