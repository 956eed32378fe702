"""Codes and trials on a real Ray cluster of this machine, beside the same without."""

import json
import math
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
import torch
from threadpoolctl import threadpool_limits

from timeless import without_times
from unfreeze.cluster import workers as workers_module
from unfreeze.cluster.addresses import Address
from unfreeze.cluster.codes import CodesJob, CodesOnWorkers
from unfreeze.cluster.connection import TOKEN, Cluster, connected
from unfreeze.cluster.training import TrainingOnRay
from unfreeze.cluster.trials import TrialsOnCluster
from unfreeze.cluster.workers import Workers
from unfreeze.core.errors import ClusterError
from unfreeze.core.events import Event, PhaseAdvanced
from unfreeze.core.progress import Progress, ignore
from unfreeze.core.records import plain
from unfreeze.core.settings import EngineSettings, ImageSettings, StudySettings
from unfreeze.core.strategies import unfreeze
from unfreeze.features.engine_choice import EngineChoice
from unfreeze.features.engines import REFERENCE
from unfreeze.features.resources import Resources
from unfreeze.images.levels import WHOLE
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.catalogue import PhotoCatalogue
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.codes import write_codes
from unfreeze.workflows.setup import set_up

# Not `importorskip`: Ray looks at the environment when it is imported, and `connected` sets it.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")]

PhotoFolder = Callable[..., Path]
EXACT = EngineSettings("openvino", "f32", "cpu")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Of our own, with a core for every one that there is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(TOKEN, raising=False)
        with connected(Address("own")) as found:
            yield found


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As ``--threads 1`` has it in a process of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


def ray_processes(title: str) -> list[psutil.Process]:
    """Processes of our cluster that Ray calls so."""
    return [child for child in psutil.Process().children(recursive=True) if title in " ".join(child.cmdline())]


def listened_on() -> set[str]:
    """Addresses at which processes of our cluster can be reached."""
    own = [psutil.Process(), *psutil.Process().children(recursive=True)]
    heard = [one.laddr for process in own for one in process.net_connections("tcp") if one.status == "LISTEN"]
    return {address.ip.removeprefix("::ffff:") for address in heard}


def test_codes_are_equal_bit_for_bit_though_workers_are_killed(
    cluster: Cluster, photo_folder: PhotoFolder, tmp_path: Path
) -> None:
    """Every worker is killed when the first portion is done: others take up what these were at, nothing is lost."""
    settings = ImageSettings(source=photo_folder("red", "green", "blue", count=300), size=32, request=EXACT)
    killed: list[int] = []

    def kill(event: Event) -> None:
        if isinstance(event, PhaseAdvanced) and not killed:
            for process in ray_processes("ray::Worker.carry_out"):
                killed.append(process.pid)
                process.kill()

    with DecoderPool(workers=1) as pool:
        here = Resources(pool=pool, cache=tmp_path / "here")
        alone = write_codes(settings, here, place=tmp_path / "alone.parquet")
        there = Resources(pool=pool, cache=tmp_path / "there", progress=Progress(kill))
        elsewhere = CodesOnWorkers(cluster, threads=1)
        on_ray = write_codes(settings, there, place=tmp_path / "on-ray.parquet", elsewhere=elsewhere)

    assert killed
    assert pq.read_table(tmp_path / "on-ray.parquet").equals(pq.read_table(tmp_path / "alone.parquet"))
    assert (on_ray.computed, on_ray.reused, on_ray.files_found) == (alone.computed, alone.reused, alone.files_found)


@pytest.mark.usefixtures("one_thread")
def test_a_race_gives_the_same_record(cluster: Cluster, photo_folder: PhotoFolder, tmp_path: Path) -> None:
    """By rounds, everything but times is equal: predictions, scores, trainings, their audits and the depth curve."""
    source = photo_folder("red", "green", "blue", count=10)
    settings = StudySettings(
        source=source, size=48, resize="squash", rounds=1, epochs=1, budget_seconds=None, max_bad=0.0, request=EXACT
    )
    found = []
    with DecoderPool(workers=1) as pool:
        setup = set_up(settings, Resources(pool=pool, cache=tmp_path / "cache"))
        for elsewhere in (None, TrialsOnCluster(cluster=cluster)):
            fresh = replace(setup, catalogue=PhotoCatalogue(setup.experiment))
            race = fresh.race(Clock(time.perf_counter, math.inf), settings, elsewhere)
            race.run([unfreeze(1)])
            records = [measured.record(race.task) for measured in race.measured]
            found.append((records, race.story, fresh.catalogue.shared.depth_curve()))
    alone, on_ray = (without_times(json.loads(json.dumps(plain(one)))) for one in found)

    assert on_ray == alone
    assert {len(record["predictions"]) for record in alone[0]} == {5}


def test_a_cluster_without_room_says_so(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that needs more cores than there are is not waited for without end."""
    monkeypatch.setattr(workers_module, "PLACED_SECONDS", 1.0)
    cores = cluster.cores()
    with (
        pytest.raises(ClusterError, match=rf"no room: a worker needs {cores + 1} cores.*of its {cores} core"),
        Workers(cluster, a_job(tmp_path), threads=cores + 1) as workers,
    ):
        list(workers.each([1], number=1, tick=ignore))


def test_a_training_goes_on_after_a_worker_was_killed(cluster: Cluster, tmp_path: Path) -> None:
    """Two workers, whom only this machine reaches, share every batch: over 52 steps the losses are those of one."""
    alone, on_ray = a_training(), a_training()
    killed: list[int] = []
    heard: set[str] = set()

    def kill_one(done: int) -> None:
        if not killed and list(tmp_path.rglob("state.safetensors")):
            heard.update(listened_on())
            worker = ray_processes("RayTrainWorker")[0]
            killed.append(worker.pid)
            worker.kill()

    TrainingOnRay(cluster=cluster, threads=1, out=tmp_path, most=2).train_to(on_ray, 13, advance=kill_one)
    alone.train_to(13)

    assert killed
    assert heard == {"127.0.0.1"}
    assert len(alone.state.losses) == 52
    assert on_ray.state.losses == pytest.approx(alone.state.losses, abs=1e-4)
    assert on_ray.result().audit.passed
    assert not list(tmp_path.iterdir())


def test_a_training_without_room_says_so(cluster: Cluster, tmp_path: Path) -> None:
    """A worker that needs more cores than there are is refused at once."""
    cores = cluster.cores()

    with pytest.raises(ClusterError, match=rf"no room: 1 worker with {cores + 1} cores each .* of its {cores} core"):
        TrainingOnRay(cluster=cluster, threads=cores + 1, out=tmp_path).train_to(a_training(), 1, advance=ignore)


def a_job(folder: Path) -> CodesJob:
    """One that nobody begins."""
    choice = EngineChoice(engine=REFERENCE, candidates=(), because="")
    settings = ImageSettings(source=folder)
    return CodesJob(settings=settings, levels=WHOLE, choice=choice, sample=(), to_come=0, cache=folder)


def test_a_worker_with_other_versions_is_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would give other last bits; the sentence names the first library that differs."""
    ours = {**workers_module.versions(), "torch": "0.4"}
    monkeypatch.setattr(workers_module, "versions", lambda: ours)
    said = rf"has torch {torch.__version__.split('+')[0]}\S*, and here is 0\.4"
    with pytest.raises(ClusterError, match=said), Workers(cluster, a_job(tmp_path), threads=1, most=1) as workers:
        list(workers.each([1], number=1, tick=ignore))


@pytest.mark.parametrize(("token", "said"), [("wrong" * 8, "is another"), ("", "none was given")])
def test_a_wrong_token_says_so(cluster: Cluster, token: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Ray itself tries for 20 s and then says that there was no connection."""
    place = cluster.ray.get_runtime_context().gcs_address
    monkeypatch.setenv(TOKEN, token)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", os.devnull)
    with pytest.raises(ClusterError, match=rf"asks for its token, and .*{said}"), connected(Address("inside", place)):
        pass


@pytest.mark.skipif(os.name == "nt", reason="modes of folders are those of POSIX")
@pytest.mark.usefixtures("cluster")
def test_our_own_cluster_has_a_private_folder() -> None:
    """Nobody else gets at its sockets and logs, though Ray opens its own folder to everybody."""
    commands = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    folders = set(re.findall(r"/tmp/unfreeze-ray-\w+", " ".join(commands)))

    assert len(folders) == 1
    assert Path(folders.pop()).stat().st_mode & 0o777 == 0o700


def test_a_command_says_in_a_line_that_nobody_answers(photo_folder: PhotoFolder, tmp_path: Path) -> None:
    """On port 1 of this machine nothing listens: exit code 2, and no traceback."""
    words = ["codes", str(photo_folder("red", "green")), "--on", "ray://127.0.0.1:1", "--out", str(tmp_path / "c.npy")]
    done = subprocess.run(
        [sys.executable, "-m", "unfreeze", *words], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 2
    assert "No Ray cluster answers at ray://127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_our_own_cluster_listens_on_the_loopback_interface_alone(cluster: Cluster) -> None:
    """No process of it can be reached from another machine, and none of them is a dashboard's server."""
    assert listened_on() == {"127.0.0.1"}
    with closing(socket.socket()) as free:
        assert free.connect_ex(("127.0.0.1", 8265)) != 0
