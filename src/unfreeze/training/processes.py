"""One training in several processes of this machine, each on a GPU of its own or on its part of the cores.

This process hands out the work, looks at the stop and tells of progress; the others say nothing. Not torchrun, whose
agent is a program of its own with a server that other machines reach: here processes meet in a private folder, and
their connections stay on the loopback interface.
"""

import os
import pickle
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, final

import torch
from torch import distributed

from unfreeze.core.errors import UnfreezeError
from unfreeze.core.interrupts import SIGNALS, blocked_signals
from unfreeze.core.progress import Advance
from unfreeze.core.threads import thread_variables, usable_cores
from unfreeze.images.pool import DecoderPool
from unfreeze.training.jobs import TrainingJob, job_of, taken_up
from unfreeze.training.sharing import Share, connect_at
from unfreeze.training.states import TrainingState, state_from
from unfreeze.training.trials import TrainingRun

TICK: Final = 0.2  # seconds between two looks at the stop
GRACE: Final = 2.0  # seconds in which a process that was killed is noticed, after others have lost their connection
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class _Ready:
    """A process can be given its work."""


@dataclass(frozen=True)
class _Failed:
    """What went wrong in a process: an error that a user can meet, or a fault."""

    error: UnfreezeError | None
    trace: str = ""


@dataclass(frozen=True, eq=False)
class _Member:
    """One of the processes, and the way to it."""

    process: BaseProcess
    channel: Connection


@final
@dataclass(frozen=True)
class InProcesses:
    """Fills the role of `training.trials.Trainer`.

    Attributes:
        processes: How many.
        speedup: How many times as fast as one process they are expected to be: on GPUs as many times as there are,
            since each has its own; on a CPU one process uses all cores, too.
    """

    processes: int
    speedup: float = 1.0

    def train_to(self, run: TrainingRun, epochs: int, *, advance: Advance) -> None:
        """As `TrainingRun.train_to`.

        Raises:
            PlanError: A step has fewer images than there are processes.
            UnfreezeError: A process ended before its work did.
        """
        with tempfile.TemporaryDirectory(prefix="unfreeze-") as name:
            folder = Path(name)
            job = job_of(run, processes=self.processes).kept_in(folder)
            with _started(self.processes, folder) as members:
                run.take_up(_final_state(pickle.dumps((job, epochs)), members, advance))


@contextmanager
def _started(number: int, folder: Path) -> Iterator[Sequence[_Member]]:
    """So many processes, which end with the block."""
    context, members = get_context("spawn"), []
    _start_quiet_tracker()
    try:
        for rank in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=_take_part, args=(Share(rank, number), folder, theirs), daemon=True)
            with blocked_signals():
                process.start()
            theirs.close()
            members.append(_Member(process, ours))
        yield members
    finally:
        for member in members:
            member.process.kill()
            member.process.join()
            member.channel.close()


def _start_quiet_tracker() -> None:
    """What killed processes leave is cleaned up by a process of multiprocessing's, with a warning that helps nobody."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker:UserWarning"
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _final_state(work: bytes, members: Sequence[_Member], advance: Advance) -> TrainingState:
    """Give each its work when it can take it, since importing PyTorch takes seconds, and wait for all of them.

    Raises:
        UnfreezeError: One of them did, or ended.
    """
    found: bytes | None = None
    at_work = list(members)
    while at_work:
        wait([part for member in at_work for part in (member.channel, member.process.sentinel)], timeout=TICK)
        advance(0)
        for member in list(at_work):
            for told in _told_by(member):
                if isinstance(told, _Ready):
                    _give(member, work)
                elif isinstance(told, _Failed):
                    _raise(told, members)
                elif isinstance(told, bytes):
                    found, at_work = told or found, [one for one in at_work if one is not member]
                else:
                    advance(told)
        _check_alive(at_work)
    assert found is not None  # noqa: S101 - the first process has sent it
    return state_from(found)


def _give(member: _Member, work: bytes) -> None:
    with suppress(OSError):  # it has ended, which is noticed next
        member.channel.send_bytes(work)


def _told_by(member: _Member) -> Iterator[int | bytes | _Ready | _Failed]:
    """What a process has sent since: that it is ready, images that are done, how it failed, or its last state."""
    with suppress(EOFError, OSError):  # it has ended, which is noticed next
        while member.channel.poll():
            yield member.channel.recv()


def _check_alive(members: Sequence[_Member]) -> None:
    for member in members:
        code = member.process.exitcode
        if code:  # it ends with 0 after its last word, which may still be on its way
            why = f"signal {-code}" if code < 0 else f"exit code {code}"
            msg = (
                f"A process of the training ended by itself ({why}), perhaps for want of memory. Ask for fewer "
                "--devices, or leave it out."
            )
            raise UnfreezeError(msg)


def _raise(failed: _Failed, members: Sequence[_Member]) -> None:
    """What one process failed of; where another one was killed, that comes first, since it breaks connections.

    Raises:
        UnfreezeError: That a user can meet.
        RuntimeError: A fault.
    """
    if failed.error is not None:
        raise failed.error
    until = time.monotonic() + GRACE
    for member in members:
        member.process.join(max(0.0, until - time.monotonic()))
    _check_alive([member for member in members if (member.process.exitcode or 0) < 0])
    raise RuntimeError(failed.trace)


# --- in the other processes -----------------------------------------------------------------------------------------


def _take_part(share: Share, folder: Path, channel: Connection) -> None:
    """What a process does, from its start to its end."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # the one that hands out the work ends this one
    threads = max(1, usable_cores() // share.of)
    os.environ.update(thread_variables(threads))
    torch.set_num_threads(threads)
    with suppress(BrokenPipeError, EOFError, ConnectionResetError):  # nobody waits any more
        try:
            channel.send(_Ready())
            job, epochs = channel.recv()
            state = _carried_out(job, epochs, share, folder, channel)
            channel.send(state.to_bytes() if share.rank == 0 else b"")
        except UnfreezeError as error:
            channel.send(_Failed(error))
        except (BrokenPipeError, EOFError, ConnectionResetError):
            raise
        except Exception:  # of whatever kind: it is told by the other process
            channel.send(_Failed(None, traceback.format_exc()))


def _carried_out(job: TrainingJob, epochs: int, share: Share, folder: Path, channel: Connection) -> TrainingState:
    with ExitStack() as stack:
        stack.enter_context(_together(job, share, folder))
        pool = stack.enter_context(DecoderPool(workers=usable_cores()))
        run = taken_up(job, share, pool)
        run.train_to(epochs, advance=lambda images: channel.send(images) if images else None)
        return run.state


@contextmanager
def _together(job: TrainingJob, share: Share, folder: Path) -> Iterator[None]:
    """In one process group with the others."""
    if not job.device.is_cpu:  # before CUDA begins in this process
        given = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = given.split(",")[share.rank] if given else str(share.rank)
    connect_at(LOOPBACK)
    distributed.init_process_group(
        "gloo" if job.device.is_cpu else "nccl",
        init_method=(folder / "meeting").as_uri(),
        rank=share.rank,
        world_size=share.of,
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()
