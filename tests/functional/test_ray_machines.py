"""A Ray cluster of two machines (two addresses of this one), as whoever keeps a cluster starts it."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from small_training import a_training
from unfreeze.cluster.addresses import Address
from unfreeze.cluster.connection import TOKEN, Cluster, connected
from unfreeze.cluster.training import TrainingOnRay

pytestmark = [pytest.mark.long, pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")]

READY_SECONDS = 120.0


@contextmanager
def machine(*options: str) -> Iterator[psutil.Process]:
    """With a core that Ray may use; its processes end with the block."""
    words = ["start", "--num-cpus=1", "--num-gpus=0", "--block", "--disable-usage-stats", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    found = psutil.Process(process.pid)
    try:
        yield found
    finally:
        end(found)
        process.wait()


def end(machine: psutil.Process) -> None:
    """As a machine ends that loses its power: nobody is told."""
    for each in [*machine.children(recursive=True), machine]:
        each.kill()


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as heard:
        return int(heard.getsockname()[1])


def wait_until_heard(port: int) -> None:
    """A server listens there."""
    until = time.monotonic() + READY_SECONDS
    while socket.socket().connect_ex(("127.0.0.1", port)):
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Address, Sequence[psutil.Process]]]:
    """The cluster, as a job inside sees it, and the two machines, the head first."""
    port = free_port()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv(TOKEN, secrets.token_hex(32))
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # workers read what tests define
        folder = f"--temp-dir={tmp_path_factory.mktemp('r')}"
        head = ["--head", f"--port={port}", "--include-dashboard=false", folder]
        first = stack.enter_context(machine("--node-ip-address=127.0.0.1", *head))
        wait_until_heard(port)
        second = stack.enter_context(machine("--node-ip-address=127.0.0.2", f"--address=127.0.0.1:{port}"))
        yield Address("inside", f"127.0.0.1:{port}"), (first, second)


def wait_for_cores(cluster: Cluster, cores: int) -> None:
    """Both machines have joined."""
    until = time.monotonic() + READY_SECONDS
    while cluster.cores() < cores:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_training_goes_on_where_a_machine_is_left(
    machines: tuple[Address, Sequence[psutil.Process]], tmp_path: Path
) -> None:
    """Of two workers one goes on alone when the other's machine is gone, and the losses are those of one process."""
    address, (_, second) = machines
    alone, on_ray = a_training(), a_training()
    gone: list[str] = []

    def lose_one(done: int) -> None:
        if not gone and list(tmp_path.rglob("state.safetensors")):
            gone.append("the second machine")
            end(second)

    with connected(address) as cluster:
        wait_for_cores(cluster, 2)
        trainer = TrainingOnRay(cluster=cluster, threads=1, out=tmp_path)
        assert trainer.processes == 2
        trainer.train_to(on_ray, 13, advance=lose_one)
        left = cluster.cores()
    alone.train_to(13)

    assert (gone, left) == (["the second machine"], 1)
    assert on_ray.state.losses == pytest.approx(alone.state.losses, abs=1e-4)
