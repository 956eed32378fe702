"""``unfreeze serve --on ray``: the same service, on several processes of a real Ray cluster of this machine."""

import contextlib
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import grpc
import httpx
import psutil
import pytest

from served import PROGRAM, REPORT, Served, photos, saved_model
from unfreeze.core.stop import Stop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (find_spec("ray") and find_spec("aiohttp")), reason="Ray Serve is not installed"),
]

TOKEN = "a token of more than 16 characters"
ALLOWED = {"authorization": f"Bearer {TOKEN}"}
READY_SECONDS = 180


def free_port() -> int:
    """One that nobody listens on now, and that is not given to whoever asks for any: Ray's processes ask for many."""
    given_out = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.Random(os.getpid()).sample(range(20_000, given_out), 100):  # tests run side by side
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    pytest.fail("every port that was tried is taken")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a run that has a model and a report, and photos."""
    found = tmp_path_factory.mktemp("served")
    (found / "run-1").mkdir()
    (found / "run-1" / "report.html").write_text(REPORT)
    saved_model(found / "run-1" / "model", seed=1)
    photos(found / "photos")
    return found


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """Two replicas behind one port."""
    port = free_port()
    words = ["serve", str(folder / "run-1" / "model"), "--on", "ray", "--replicas", "2", "--port", str(port)]
    with pytest.MonkeyPatch.context() as patch, (folder / "said.txt").open("w+") as said:
        patch.setenv("UNFREEZE_TOKEN", TOKEN)
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM % str(folder / "connections.txt"), *words],
            stdout=said,
            stderr=said,
            text=True,
        )
        deadline = time.monotonic() + READY_SECONDS
        while "Serving" not in (folder / "said.txt").read_text():
            assert process.poll() is None, (folder / "said.txt").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        try:
            yield Served(f"http://127.0.0.1:{port}/", process, folder / "connections.txt", [])
        finally:
            process.terminate()
            assert process.wait(timeout=120) == 0, (folder / "said.txt").read_text()


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    """Of the service, with its token."""
    with httpx.Client(base_url=served.address, timeout=60, headers=ALLOWED) as found:
        yield found


def replicas(served: Served) -> list[psutil.Process]:
    """The processes that serve."""
    children = psutil.Process(served.process.pid).children(recursive=True)
    return [child for child in children if "ServeReplica" in " ".join(child.cmdline())]


def test_answers_are_those_of_one_process(client: httpx.Client, folder: Path) -> None:
    """Every photo gets the labels and numbers that the service gives without Ray, whichever replica answers."""
    from starlette.testclient import TestClient

    from unfreeze.server.app import application
    from unfreeze.server.service import Service
    from unfreeze.server.settings import Access, ServeSettings

    named = sorted((folder / "photos").iterdir())
    access = Access(hosts=frozenset({"testserver"}))
    alone = Service.of(ServeSettings(models={"run-1": folder / "run-1" / "model"}, access=access), print)
    with TestClient(application(alone)) as here:
        wanted = [here.post("/v1/predict", content=path.read_bytes()).json()["photos"][0] for path in named]

    for _ in range(3):
        found = [client.post("/v1/predict", content=path.read_bytes()).json()["photos"][0] for path in named]
        assert [one["label"] for one in found] == [one["label"] for one in wanted]
        for mine, theirs in zip(found, wanted, strict=True):
            assert mine["probability"] == pytest.approx(theirs["probability"], abs=2e-6)


def test_our_own_token_stands_before_it(served: Served, client: httpx.Client) -> None:
    """Without the token, with another, by another name and from another origin nothing is answered but /healthz."""
    address = f"{served.address}v1/models"

    assert client.get("/v1/models").json()["models"][0]["has_report"] is False
    assert httpx.get(address).status_code == 401
    assert httpx.get(address, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/v1/models", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/v1/models", headers={"origin": "http://evil.example"}).status_code == 403
    assert httpx.get(f"{served.address}healthz").json() == {"status": "alive"}


def test_what_replicas_say_to_each_other_needs_the_cluster_s_token(served: Served) -> None:
    """They listen on all interfaces and unpickle what they are sent: a call without the token is not looked at."""
    heard = [one for each in replicas(served) for one in each.net_connections("tcp") if one.status == "LISTEN"]
    ports = {one.laddr.port for one in heard if one.laddr.ip in {"::", "0.0.0.0"}}

    for port in ports:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary("/ray.serve.ASGIService/HandleRequest")(b"", timeout=10)
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_replica_that_is_killed_is_replaced(served: Served, client: httpx.Client, folder: Path) -> None:
    """The other one goes on answering, and soon there are two again."""
    photo = next((folder / "photos").iterdir()).read_bytes()
    victim = replicas(served)[0]
    victim.kill()
    victim.wait(timeout=60)

    deadline, answers = time.monotonic() + READY_SECONDS, []
    while time.monotonic() < deadline and len(replicas(served)) < 2:
        answers.append(client.post("/v1/predict", content=photo).status_code)

    assert len(replicas(served)) == 2
    assert client.post("/v1/predict", content=photo).status_code == 200
    assert answers.count(200) >= len(answers) - 1  # one may have been under way in the process that was killed


def said(*words: str) -> tuple[int, str]:
    """Exit code and last line of a command that cannot begin."""
    done = subprocess.run([sys.executable, "-m", "unfreeze", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--replicas", "2"), r"--replicas and --threads are of a cluster.*"),
        (("--on", "ray", "--port", "0"), r"With --on the port has to be named.*"),
        (("--on", "spark"), r"--on takes ray.*"),
        (("--on", "ray", "--replicas", "500", "--port", "PORT"), r"The Ray cluster has no room: 500 replicas.*"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_sentence(folder: Path, words: tuple[str, ...], sentence: str) -> None:
    """Exit code 2, and no traceback."""
    given = [word.replace("PORT", str(free_port())) for word in words]

    code, line = said("serve", str(folder / "run-1" / "model"), *given)

    assert code == 2
    assert re.fullmatch(rf"unfreeze: {sentence}", line)


def test_a_model_that_does_not_load_is_named(folder: Path, tmp_path: Path) -> None:
    """The sentence is that of the replica which could not read it."""
    broken = tmp_path / "model"
    saved_model(broken, seed=1)
    (broken / "model.safetensors").write_bytes(b"no weights")

    code, line = said("serve", str(broken), "--on", "ray", "--port", str(free_port()))

    assert code == 2
    assert line.startswith("unfreeze: The models cannot be served on the Ray cluster: ")
    assert "model.safetensors" in line


def test_waiting_ends_with_the_stop() -> None:
    """A stop that was asked for is accepted, so that the command ends with exit code 0."""
    from unfreeze.cluster.serving import until_stopped

    stop = Stop()
    stop.request()
    until_stopped(stop)

    assert not stop.is_requested
