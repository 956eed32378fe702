"""Workers: Ray actors, each of which carries out one item of a job at a time.

A worker that ends, however it ends, costs what it was at: that goes to another worker. Ray would restart an actor by
itself, but waits without end where there is no room for it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, final, runtime_checkable

from unfreeze.cluster.connection import Cluster
from unfreeze.core.errors import ClusterError, UnfreezeError
from unfreeze.core.progress import Advance
from unfreeze.core.threads import thread_variables
from unfreeze.core.versions import versions
from unfreeze.core.wording import count

PLACED_SECONDS: Final = 30.0  # until a worker has its cores
TRIES: Final = 3  # of one item, and of workers in a row that do not even start
AHEAD: Final = 4  # finished items a worker that may wait for an earlier one
TICK: Final = 0.5  # seconds between two looks at the stop


@runtime_checkable
class Job(Protocol):
    """What a worker does; plain data, which is sent to it."""

    def ready(self) -> AbstractContextManager[Callable[[Any], Any]]:
        """What carries out an item, on the worker; everything is ready inside."""
        ...


@dataclass(frozen=True)
class Failed:
    """An error that a user can meet, on its way back."""

    kind: type[UnfreezeError]
    text: str


@final
class Worker:
    """What runs on the cluster; light, so that it is there as soon as it is placed.

    Args:
        job: What it does.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._carry_out: Callable[[Any], Any] | None = None
        self._for_life = ExitStack()

    def versions(self) -> dict[str, str]:
        """Of what moves numbers, where it runs."""
        return versions()

    def carry_out(self, item: Any) -> Any:
        """Carry out an item; the first one waits until everything is ready."""
        try:
            if self._carry_out is None:
                self._carry_out = self._for_life.enter_context(self._job.ready())
            return self._carry_out(item)
        except UnfreezeError as error:
            return Failed(type(error), str(error))


@dataclass(eq=False)
class _Given:
    """An item in the hands of a worker."""

    worker: Any
    number: int
    item: Any
    tries: int


@dataclass(eq=False)
class _Round:
    """One call of `Workers.each`: what has to be given out again, what runs, and what waits for its turn."""

    items: Iterator[tuple[int, Any]]
    again: list[_Given] = field(default_factory=list)
    running: dict[Any, _Given] = field(default_factory=dict)
    finished: dict[int, Any] = field(default_factory=dict)
    turn: int = 0
    handed_out: int = 0
    is_exhausted: bool = False

    def next_item(self, most_ahead: int) -> _Given | None:
        """What is to be given out next; None if there is nothing now."""
        if self.again:
            return self.again.pop()
        if self.is_exhausted or self.handed_out - self.turn >= most_ahead:
            return None
        found = next(self.items, None)
        if found is None:
            self.is_exhausted = True
            return None
        self.handed_out += 1
        return _Given(None, *found, tries=0)

    @property
    def is_over(self) -> bool:
        return self.is_exhausted and not self.again and not self.running and not self.finished


@final
class Workers:
    """Workers of a cluster, started when there is something to do; a context manager.

    Args:
        cluster: Where they run.
        job: What each does.
        threads: Cores that each gets, and threads that it uses.
        most: How many at most; as many as the cluster has cores for if None.
        gpu: Whether each gets a GPU too.
    """

    def __init__(self, cluster: Cluster, job: Job, *, threads: int, most: int | None = None, gpu: bool = False) -> None:
        self._ray, self._cluster, self._threads, self._gpu = cluster.ray, cluster, threads, gpu
        raised = cluster.ray.exceptions
        self._ended = (raised.RayActorError, raised.OutOfMemoryError, raised.ObjectLostError, raised.WorkerCrashedError)
        self._job = self._put(job)
        self.number = most or max(1, cluster.cores() // threads)
        self._joining: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._stale: dict[Any, Any] = {}  # works at an item that nobody waits for any more
        self._busy = self._failed_starts = 0
        self._alone_since: float | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *of_error: object) -> None:
        for worker in (*self._joining.values(), *self._idle, *self._stale.values()):
            self._ray.kill(worker)

    def _put(self, job: Job) -> Any:
        """The job, once for all workers."""
        try:
            return self._ray.put(job)
        except ImportError as error:  # Ray Client looks at it on the cluster
            raise ClusterError(_not_installed(error)) from error

    def each(self, items: Iterable[Any], *, number: int, tick: Advance) -> Iterator[Any]:
        """Have every item carried out.

        Args:
            items: Taken as workers become free.
            number: How many there are; no more workers are started.
            tick: Called with 0 several times a second; ends the work by raising.

        Yields:
            What came of each, in their order.

        Raises:
            ClusterError: There is no room for a worker, workers do not start, three in a row ended at one item, or the
                cluster cannot be reached any more.
            UnfreezeError: As it was raised on a worker.
        """
        here = _Round(enumerate(items))
        try:
            while not here.is_over:
                self._staff(min(number, self.number))
                self._hand_out(here)
                tick(0)
                if here.turn in here.finished:
                    yield here.finished.pop(here.turn)
                    here.turn += 1
                elif not here.is_over:
                    self._wait(here)
        except ConnectionError as error:  # of Ray Client
            msg = "The Ray cluster cannot be reached any more. What was finished is kept; run the same command again."
            raise ClusterError(msg) from error
        finally:
            self._stale.update({ref: given.worker for ref, given in here.running.items()})
            self._busy = 0

    def _staff(self, wanted: int) -> None:
        """As many workers as there should be, in the place of those that ended too."""
        while len(self._joining) + len(self._idle) + len(self._stale) + self._busy < wanted:
            self._start()

    def _start(self) -> None:
        options = {"num_cpus": self._threads, "num_gpus": int(self._gpu), "max_restarts": 0, "max_task_retries": 0}
        of_process = {"env_vars": thread_variables(self._threads)}  # libraries look at it when they are imported
        kind = self._ray.remote(Worker).options(**options, runtime_env=of_process)
        worker = kind.remote(self._job)
        self._joining[worker.versions.remote()] = worker

    def _hand_out(self, here: _Round) -> None:
        while self._idle:
            given = here.next_item(AHEAD * self.number)
            if given is None:
                break
            given.worker = self._idle.pop()
            here.running[given.worker.carry_out.remote(given.item)] = given
        self._busy = len(here.running)

    def _wait(self, here: _Round) -> None:
        """Until something has happened, or the next tick."""
        refs = [*here.running, *self._stale, *self._joining]
        done, _ = self._ray.wait(refs, num_returns=1, timeout=TICK)
        for ref in done:
            if ref in self._joining:
                self._join(ref)
            elif ref in self._stale:
                self._free(ref)
            else:
                self._take(here, ref)
        self._busy = len(here.running)
        self._check_room()

    def _join(self, ref: Any) -> None:
        worker = self._joining.pop(ref)
        try:
            theirs = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts < TRIES:
                return
            raise ClusterError(_not_installed(error)) from error
        self._failed_starts = 0
        check_versions(theirs, ours=versions())
        self._idle.append(worker)

    def _free(self, ref: Any) -> None:
        worker = self._stale.pop(ref)
        try:
            self._ray.get(ref)
        except self._ended:
            return
        except self._ray.exceptions.RayError:
            pass  # nobody waits for it
        self._idle.append(worker)

    def _take(self, here: _Round, ref: Any) -> None:
        given = here.running.pop(ref)
        try:
            result = self._ray.get(ref)
        except self._ended as error:
            given.tries += 1
            if given.tries >= TRIES:
                msg = (
                    f"{TRIES} workers of the Ray cluster in a row ended while they were at the same piece of work, "
                    "perhaps for want of memory. What was finished is kept; give each more cores (--threads), or fewer "
                    "workers."
                )
                raise ClusterError(msg) from error
            here.again.append(given)
            return
        self._idle.append(given.worker)
        if isinstance(result, Failed):
            raise result.kind(result.text)
        here.finished[given.number] = result

    def _check_room(self) -> None:
        """Where no worker works, one has to be placed soon.

        Raises:
            ClusterError: None was.
        """
        if self._idle or self._busy or self._stale:
            self._alone_since = None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since > PLACED_SECONDS:
            gpu = " and a GPU" if self._gpu else ""
            needs = f"a worker needs {count(self._threads, 'core')}{gpu}"
            wanted = f"{needs}, and none was placed in {PLACED_SECONDS:.0f} s"
            raise self._cluster.no_room(wanted, options="--threads")


def _not_installed(error: Exception) -> str:
    said = str(error).strip().rsplit("\n", maxsplit=1)[-1].rstrip(".")
    return f"Workers of the Ray cluster do not start: {said}. Install the same unfreeze on all machines."


def check_versions(theirs: Mapping[str, str], *, ours: Mapping[str, str]) -> None:
    """Refuse a worker that would compute other numbers.

    Args:
        theirs: Where it runs.
        ours: Where the command runs.

    Raises:
        ClusterError: It would.
    """
    other = [name for name, version in ours.items() if theirs.get(name) != version]
    if other:
        name = other[0]
        msg = (
            f"A worker of the Ray cluster has {name} {theirs.get(name)}, and here is {ours[name]}: results would "
            "differ. Install the same versions on all machines."
        )
        raise ClusterError(msg)
