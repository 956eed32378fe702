"""One training shared by the workers of a cluster, by Ray Train: after each epoch its state goes to shared storage.

A worker that ends, however it ends, costs the epoch that it was at: Ray Train places as many as there is room for then,
and they go on from the last state. Steps do not depend on how many share them, so that the losses are those of a
training that nothing befell.
"""

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, final

from torch import distributed

from unfreeze.cluster.connection import Cluster
from unfreeze.cluster.workers import PLACED_SECONDS, TICK, TRIES, check_versions
from unfreeze.core.errors import ClusterError, UnfreezeError
from unfreeze.core.files import write_bytes
from unfreeze.core.progress import Advance
from unfreeze.core.threads import thread_variables, usable_cores
from unfreeze.core.versions import versions
from unfreeze.core.wording import count
from unfreeze.images.pool import DecoderPool
from unfreeze.training.jobs import TrainingJob, job_of, taken_up
from unfreeze.training.sharing import Share, connect_at
from unfreeze.training.states import state_from
from unfreeze.training.trials import TrainingRun
from unfreeze.zoo.devices import find_device

STATE: Final = "state.safetensors"
FOLDER: Final = "training"  # in that of the model, until the training is over
# What a training cannot do without is where a cluster cannot do without either: other machines may go away.
_ON_THE_HEAD: Final = {"num_cpus": 0, "resources": {"node:__internal_head__": 0.001}}
MEETING_SECONDS: Final = 120.0  # until all workers have found each other


@final
class Tally:
    """What the workers of a training tell; an actor, which the command asks."""

    def __init__(self) -> None:
        self._done: dict[Share, int] = {}
        self._error: UnfreezeError | None = None

    def note(self, share: Share, done: int) -> None:
        """A worker is done with so many images, since the training began, if it always had this share of it."""
        self._done = {other: images for other, images in self._done.items() if other.of == share.of}
        self._done[share] = done

    def fail(self, error: UnfreezeError) -> None:
        """A worker met an error that a user can meet, which another try would meet, too."""
        self._error = error

    def told(self) -> tuple[int, UnfreezeError | None]:
        """How many images all are done with, and an error."""
        return sum(self._done.values()), self._error


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """What Ray Train needs to know beside the job.

    Attributes:
        epochs: Until there are so many.
        workers: How many at most, and in the beginning.
        threads: Cores of each, and threads.
        gpu: Whether each gets a GPU too.
        storage: Folder that all machines see.
        versions: Of what moves numbers, where the command runs.
    """

    epochs: int
    workers: int
    threads: int
    gpu: bool
    storage: Path
    versions: Mapping[str, str]


@final
@dataclass(frozen=True, kw_only=True)
class TrainingOnRay:
    """Fills the role of `training.trials.Trainer`.

    Attributes:
        cluster: Where it trains.
        threads: Cores of each worker.
        out: Folder of the model, on storage that all machines see.
        most: How many workers at most; None for as many as the cluster has cores for, and GPUs.
        gpu: Whether each gets a GPU too.
    """

    cluster: Cluster
    threads: int
    out: Path
    most: int | None = None
    gpu: bool = False

    @property
    def processes(self) -> int:
        """As `Trainer.processes`."""
        there = self.cluster.cores() // self.threads
        there = min(there, self.cluster.gpus()) if self.gpu else there
        return max(1, min(there, self.most or there))

    @property
    def speedup(self) -> float:
        """As `Trainer.speedup`: the pace is that of the command's own threads, of which each worker has as many."""
        return float(self.processes)

    def train_to(self, run: TrainingRun, epochs: int, *, advance: Advance) -> None:
        """As `TrainingRun.train_to`.

        Raises:
            PlanError: A step has fewer images than there are workers.
            ClusterError: There is no room, or the workers ended `TRIES` times.
            UnfreezeError: As it was raised on a worker.
        """
        shared = _Shared(
            epochs=epochs,
            workers=self.processes,
            threads=self.threads,
            gpu=self.gpu,
            storage=self.out.absolute() / FOLDER,
            versions=versions(),
        )
        job = job_of(run, processes=shared.workers)
        self._wait_for_room(shared, advance)
        network = Path(job.network)
        job = replace(job, network=str(network.resolve()) if network.is_dir() else job.network)
        try:
            run.take_up(state_from(self._trained(job, shared, advance)))
        finally:
            shutil.rmtree(shared.storage, ignore_errors=True)

    def _wait_for_room(self, shared: _Shared, advance: Advance) -> None:
        """Ray Train itself waits without end."""
        needed, until = shared.workers * shared.threads, time.monotonic() + PLACED_SECONDS
        while self.cluster.free_cores() < needed or (shared.gpu and self.cluster.free_gpus() < shared.workers):
            if self.cluster.cores() < needed or time.monotonic() > until:
                gpu = " and a GPU" if shared.gpu else ""
                each = f"{count(shared.threads, 'core')}{gpu} each"
                wanted = f"{count(shared.workers, 'worker')} with {each} could not be placed"
                raise self.cluster.no_room(wanted, options="--workers or --threads")
            advance(0)
            time.sleep(TICK)

    def _trained(self, job: TrainingJob, shared: _Shared, advance: Advance) -> bytes:
        """The state in the end."""
        ray = self.cluster.ray
        tally = ray.remote(Tally).options(**_ON_THE_HEAD).remote()
        # In a task, so that this process can look at the stop, and reaches the cluster through Ray Client, too.
        training = ray.remote(_train).options(**_ON_THE_HEAD, max_retries=0).remote([ray.put(job)], tally, shared)
        try:
            self._follow(training, tally, advance)
            state: bytes = ray.get(training)
        except ray.exceptions.RayError as error:
            said = str(error).strip().rsplit("\n", maxsplit=1)[-1].rstrip(".")
            msg = f"The workers of the Ray cluster ended {TRIES} times while they trained: {said}. Nothing was written."
            raise ClusterError(msg) from error
        finally:
            ray.cancel(training, force=True)
            ray.kill(tally)
        return state

    def _follow(self, training: Any, tally: Any, advance: Advance) -> None:
        ray, seen, is_over = self.cluster.ray, 0, False
        while not is_over:
            finished, _ = ray.wait([training], timeout=TICK)
            is_over = bool(finished)
            done, error = ray.get(tally.told.remote())
            advance(max(0, done - seen))
            seen = max(seen, done)
            if error is not None:
                raise error


def training_on(cluster: Cluster, *, threads: int, out: Path, most: int | None, device: str) -> TrainingOnRay:
    """Workers with a GPU each where the command would train on one.

    Args:
        cluster: As for `TrainingOnRay`, as the others.
        threads: Cores of each worker.
        out: Folder of the model.
        most: How many workers at most.
        device: As for `zoo.devices.find_device`.

    Returns:
        The trainer.

    Raises:
        InputError: There is no such device here.
    """
    gpu = not find_device(device).is_cpu
    return TrainingOnRay(cluster=cluster, threads=threads, out=out, most=most, gpu=gpu)


# --- on the cluster -------------------------------------------------------------------------------------------------


def _train(job: list[Any], tally: Any, shared: _Shared) -> bytes:
    """Have Ray Train carry it out; gives the state in the end."""
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.backend import Backend
    from ray.train.torch import TorchConfig, TorchTrainer

    class Apart(TorchConfig):  # type: ignore[misc]  # Ray has no types
        """Leaves it to the workers to join: PyTorch's store of addresses would listen on all interfaces."""

        @property
        def backend_cls(self) -> Any:
            return Backend

    trainer = TorchTrainer(
        _take_part,
        train_loop_config={"job": job, "tally": tally, "shared": shared},
        torch_config=Apart(),
        scaling_config=ScalingConfig(
            num_workers=(1, shared.workers),  # as many as there is room for, whenever it places them
            use_gpu=shared.gpu,
            resources_per_worker={"CPU": shared.threads, **({"GPU": 1} if shared.gpu else {})},
        ),
        run_config=RunConfig(
            name="epochs",
            storage_path=str(shared.storage),
            failure_config=FailureConfig(max_failures=TRIES - 1),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
            worker_runtime_env={"env_vars": thread_variables(shared.threads)},
        ),
    )
    with trainer.fit().checkpoint.as_directory() as folder:
        return (Path(folder) / STATE).read_bytes()


def _take_part(given: Mapping[str, Any]) -> None:
    """What each worker does."""
    import ray
    import ray.train

    context, tally, shared = ray.train.get_context(), given["tally"], given["shared"]
    share = Share(context.get_world_rank(), context.get_world_size())
    try:
        check_versions(versions(), ours=shared.versions)
        job = _where_it_stands(ray.get(given["job"][0]), ray.train.get_checkpoint())
        with ExitStack() as stack:
            stack.enter_context(_together(share, "nccl" if shared.gpu else "gloo"))
            pool = stack.enter_context(DecoderPool(workers=usable_cores()))
            _go_on(taken_up(job, share, pool), shared, share, tally)
    except UnfreezeError as error:
        ray.get(tally.fail.remote(error))


def _where_it_stands(job: TrainingJob, checkpoint: Any) -> TrainingJob:
    if checkpoint is None:
        return job
    with checkpoint.as_directory() as folder:
        return replace(job, state=state_from((Path(folder) / STATE).read_bytes()))


def _go_on(run: TrainingRun, shared: _Shared, share: Share, tally: Any) -> None:
    """Epoch by epoch, after each of which the first worker writes down the state; the others wait for it."""
    from ray.train import Checkpoint, report

    part = share.part(len(run.rows))
    done = len(run.curve) * (part.stop - part.start)

    def advance(images: int) -> None:
        nonlocal done
        if images:
            done += images
            tally.note.remote(share, done)

    while len(run.curve) < shared.epochs:
        run.train_to(len(run.curve) + 1, advance=advance)
        with tempfile.TemporaryDirectory(dir=shared.storage) as folder:  # which goes in the end, whoever is killed
            checkpoint = None
            if share.rank == 0:
                write_bytes(Path(folder) / STATE, run.state.to_bytes())
                checkpoint = Checkpoint.from_directory(folder)
            report({"loss": run.curve[-1]}, checkpoint=checkpoint)


@contextmanager
def _together(share: Share, backend: str) -> Iterator[None]:
    """In one process group with the others, whose store of addresses listens where Ray does and nowhere else."""
    from ray.train.collective import broadcast_from_rank_zero
    from ray.util import get_node_ip_address

    own = get_node_ip_address()
    connect_at(own)
    with socket.create_server((own, 0), backlog=share.of) as heard:
        host, port = broadcast_from_rank_zero(heard.getsockname()[:2])
        store = distributed.TCPStore(  # type: ignore[attr-defined]  # of its C part
            host,
            port,
            share.of,
            is_master=share.rank == 0,
            timeout=timedelta(seconds=MEETING_SECONDS),
            master_listen_fd=heard.detach() if share.rank == 0 else None,
        )
    distributed.init_process_group(backend, store=store, rank=share.rank, world_size=share.of)
    try:
        yield
    finally:
        distributed.destroy_process_group()
