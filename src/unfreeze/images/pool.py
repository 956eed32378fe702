"""A few decoder children and the order of their answers: an image that kills or stops its decoder costs only itself."""

import base64
import io
import itertools
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from types import TracebackType
from typing import IO, Any, final

import numpy as np
import psutil
from numpy.typing import NDArray

from unfreeze.core.errors import UnfreezeError
from unfreeze.core.interrupts import blocked_signals
from unfreeze.core.threads import usable_cores
from unfreeze.images.channel import HANDS_OVER, Channel, handed_over, send
from unfreeze.images.decoder import Look, Wanted
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.geometry import Geometry
from unfreeze.images.levels import Range
from unfreeze.images.shared_memory import RING_BYTES, new_ring

# Requests under way per child: enough that it never waits for the parent, few enough to repeat if it dies.
IN_FLIGHT = 4
# Answers that may wait for an earlier, slower one, per child.
AHEAD = 32
START_SECONDS = 60.0  # of processor time, or without any
STARTS = 3  # in a row that may fail: something else may have killed the child
IDLE_FACTOR = 3  # times the limit of an image, for one whose decoder does nothing at all, as on a disk that is gone
_TICK = 1.0  # seconds of waiting at most: on Windows a wait cannot be interrupted
MEMORY_SHARE = 0.25  # of what is free, for squares that are kept


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What one file is.

    Attributes:
        sha256: Of the file's bytes; empty if they could not be read.
        pixels_sha256: Of the upright RGB pixels and their size; empty if unreadable.
        width: Upright, in pixels.
        height: Upright, in pixels.
        mode: Pillow's mode of the file.
        notes: What was noticed, for example ``animated: frame 1 of 7``.
        reason: Why it cannot be used; empty if it can.
        levels: Of a photo with 16 bits a channel, between which of them it lies; None of others.
        taken: When it was taken by the camera's clock, seconds since 1970; None if the file does not say.
        small_copy: As `images.small_copy` makes it; empty if unreadable.
        glance: What a glance at it sees, packed; empty if unreadable.
    """

    sha256: str
    pixels_sha256: str
    width: int
    height: int
    mode: str
    notes: tuple[str, ...]
    reason: str
    levels: Range | None = None
    taken: int | None = None
    small_copy: bytes = b""
    glance: bytes = b""


@dataclass(frozen=True, eq=False)
class _Reply:
    child: "_Child"
    header: dict[str, Any] | None  # None: the child's output ended
    pixels: NDArray[np.uint8] | None


@dataclass
class _Watch:
    """Over one image, since it was first looked at, in seconds.

    Wall time is not counted: a job that was stopped for a minute, or a machine that does ten other things, is no fault
    of an image.
    """

    begun: float | None = None
    used: float = 0.0
    idle: float = 0.0

    def exceeds(self, now: float, *, limit: float, waited: float) -> bool:
        """Whether its decoder has worked, or stood still, for too long.

        Args:
            now: What the decoder has used of a processor.
            limit: The most that it may use; it may stand still for `IDLE_FACTOR` times as long.
            waited: For how long we have waited since the last look.
        """
        if self.begun is None:
            self.begun = self.used = now
            return False
        self.idle = self.idle + waited if now <= self.used else 0.0
        self.used = now
        return now - self.begun >= limit or self.idle >= IDLE_FACTOR * limit


@dataclass(eq=False)
class _Child:
    process: subprocess.Popen[bytes]
    complaints: IO[bytes]
    ring: mmap
    channel: Channel
    handed_out: int = 0
    under_way: deque[int] = field(default_factory=deque)
    ready: bool = False
    watch: _Watch = field(default_factory=_Watch)

    def begin(self) -> None:
        """It works on something new from now on."""
        self.watch = _Watch()

    def processor_seconds(self) -> float:
        """What it has used of a processor."""
        try:
            times = psutil.Process(self.process.pid).cpu_times()
        except psutil.Error:  # it is gone, which the end of its output says
            return self.watch.used
        return float(times.user + times.system)

    def kill(self) -> None:
        """End it at once and collect it."""
        self.process.kill()
        self.process.wait()
        with suppress(OSError):
            self.channel.close()
        self.complaints.close()


@final
class DecoderPool:
    """Decoder children that start when first needed and are reused; a context manager; not for several threads at once.

    Squares are kept, as far as a share of the free memory goes, so that an image is decoded once however many passes
    there are over it.

    Args:
        workers: Number of children; by default one per core that this process may use.
        timeout: Seconds of its processor's time that one image may take; it is tried twice.

    Attributes:
        locks: That its children have put on themselves; empty before the first is ready.
    """

    def __init__(self, *, workers: int | None = None, timeout: float = 10.0) -> None:
        self.workers = workers or usable_cores()
        self.timeout = timeout
        self._children: list[_Child] = []
        self._replies: queue.SimpleQueue[_Reply] = queue.SimpleQueue()
        self._stream = 0
        self._failed_starts = 0
        self.locks: tuple[str, ...] = ()
        self._kept: dict[tuple[str, Geometry], NDArray[np.uint8]] = {}
        self._room: int | None = None  # bytes; measured when the first square comes
        self._together: tuple[Geometry, ...] = ()

    def __enter__(self) -> "DecoderPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start all children now, while the caller imports what comes next."""
        while len(self._children) < self.workers:
            self._start()

    def close(self) -> None:
        """End all children; the pool may be used again and then starts new ones."""
        while self._children:
            self._children.pop().kill()
        self.forget()

    def abandon(self) -> None:
        """Let go of the children without ending them: after a fork they are those of the parent."""
        while self._children:
            with suppress(OSError):
                self._children.pop().channel.close()
        self.forget()

    def forget(self) -> None:
        """Let go of the squares that are kept: the images come in portions, and these are done."""
        self._kept.clear()
        self._room = None

    def forget_squares(self, geometry: Geometry) -> None:
        """Let go of the squares of this geometry, to which nobody comes back; others may be kept in their place."""
        for key in [key for key in self._kept if key[1] == geometry]:
            self._forget_square(key)

    def _forget_square(self, key: tuple[str, Geometry]) -> None:
        if key in self._kept:
            self._room = (self._room or 0) + self._kept.pop(key).nbytes

    @contextmanager
    def together(self, geometries: Collection[Geometry]) -> Iterator[None]:
        """Inside, an image that is decoded for one of these squares is made into the others too, which are kept.

        Only squares that are made of the same decoded pixels: those whose `Geometry.decoding` is equal.
        """
        self._together = tuple(geometries)
        try:
            yield
        finally:
            self._together = ()

    def inspect(
        self, paths: Iterable[Path], geometry: Geometry | None = None, *, closely: bool = True
    ) -> Iterator[Inspection]:
        """Decode each file and say what it is.

        Args:
            paths: Files; read as the answers are taken.
            geometry: Of the squares that will be wanted next: they are kept, and a large JPEG is decoded no larger than
                they need, so that the hash of its pixels is that of the reduced ones.
            closely: Whether to make the small copy and the glance, which take a millisecond.

        Yields:
            One answer per path, in order.
        """
        geometries = () if geometry is None else (geometry,)
        for path, header, pixels in self._answers(paths, geometries, inspect="closely" if closely else "plainly"):
            if pixels is not None and geometry is not None:
                self._forget_square((str(path), geometry))  # of what the file held before
                self._keep(path, geometry, pixels)
            yield Inspection(
                sha256=header.get("sha256", ""),
                pixels_sha256=header.get("pixels_sha256", ""),
                width=header.get("width", 0),
                height=header.get("height", 0),
                mode=header.get("mode", ""),
                notes=tuple(header.get("notes", ())),
                reason=header["reason"],
                levels=_range(header.get("levels")),
                taken=header.get("taken"),
                small_copy=bytes.fromhex(header.get("small_copy", "")),
                glance=base64.b64decode(header.get("glance", "")),
            )

    def squares(
        self, paths: Iterable[Path], geometry: Geometry, *, hashes: Iterable[str] | None = None
    ) -> Iterator[NDArray[np.uint8] | UnreadableImageError]:
        """Decode, resize and crop each file.

        Args:
            paths: Files; read as the answers are taken.
            geometry: What each becomes.
            hashes: Of the bytes of each, as an inspection said: of a file that holds something else by now there is the
                error ``changed``. None to take whatever the files hold.

        Yields:
            One read-only array of shape (side, side, 3) per path, in order, or the error that says why there is none.
        """
        # All of them kept: nothing is decoded, so other streams go on as they are.
        if isinstance(paths, Sequence) and all((str(path), geometry) in self._kept for path in paths):
            yield from (self._kept[str(path), geometry] for path in paths)
            return
        geometries = (geometry, *self._made_beside(geometry))
        for path, header, pixels in self._answers(paths, geometries, inspect="", hashes=hashes):
            if pixels is None:
                yield UnreadableImageError(header["reason"])
            else:
                yield self._keep_all(path, geometries, pixels.reshape(-1))

    def levels(self, paths: Iterable[Path]) -> Iterator[Range | None]:
        """Between which levels each photo of 16 bits lies.

        Args:
            paths: Files; of one that plainly has 8 bits only the beginning is read.

        Yields:
            One range per path, in order; None of files that have 8 bits, or cannot be read.
        """
        for _, header, _ in self._answers(paths, (), inspect=""):
            yield _range(header.get("levels"))

    def _made_beside(self, geometry: Geometry) -> tuple[Geometry, ...]:
        """Squares that are made of the same decoded image, while there is room to keep them."""
        if geometry not in self._together:
            return ()
        others = (other for other in self._together if other != geometry)
        beside = tuple(other for other in others if other.decoding == geometry.decoding)
        size = sum(one.bytes for one in (geometry, *beside))
        return beside if size <= RING_BYTES and (self._room is None or size <= self._room) else ()

    def _keep_all(self, path: Path, geometries: Sequence[Geometry], pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The first square; what comes after it is kept too. There is the first one alone if it was kept already."""
        first, *others = geometries
        start = first.bytes
        for other in others if start < len(pixels) else ():
            self._keep(path, other, pixels[start : start + other.bytes].copy())
            start += other.bytes
        return self._keep(path, first, pixels[: first.bytes].copy() if others else pixels)

    def _keep(self, path: Path, geometry: Geometry, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The square, kept while there is room; by its path as text, since a Path would be parsed to be hashed."""
        square = pixels.reshape(geometry.side, geometry.side, 3)
        square.flags.writeable = False  # the next reader gets the same one
        if self._room is None:
            self._room = int(MEMORY_SHARE * psutil.virtual_memory().available)
        key = (str(path), geometry)
        if self._room >= square.nbytes and key not in self._kept:
            self._room -= square.nbytes
            self._kept[key] = square
        return square

    def _answers(
        self,
        paths: Iterable[Path],
        geometries: tuple[Geometry, ...],
        *,
        inspect: Look,
        hashes: Iterable[str] | None = None,
    ) -> Iterator[tuple[Path, dict[str, Any], NDArray[np.uint8] | None]]:
        """Answers in the order of `paths`; a later call ends an earlier one that was left half read."""
        self._stream += 1
        stream = self._stream
        self._drop_busy_children()
        kept = {} if inspect else self._kept
        wanted = zip(paths, itertools.repeat("") if hashes is None else hashes, strict=hashes is not None)
        job = _Job(wanted, geometries, kept=kept, inspect=inspect, limit=self.workers * AHEAD)
        try:
            while job.fill():
                while job.next not in job.done:
                    self._hand_out(job)
                    self._take_in(job)
                yield job.pop()
                if stream != self._stream:
                    msg = "Another stream of this decoder pool was started before this one was read to its end."
                    raise RuntimeError(msg)
                self._hand_out(job)
        finally:
            if stream == self._stream:
                self._drop_busy_children()

    def _drop_busy_children(self) -> None:
        """End the children that still work on what nobody waits for; new ones start when needed."""
        for child in [child for child in self._children if child.under_way or child.process.poll() is not None]:
            self._children.remove(child)
            child.kill()

    def _hand_out(self, job: "_Job") -> None:
        """Give every child enough to do."""
        while job.fill() and job.waiting:
            child = min(self._children, key=lambda child: len(child.under_way), default=None)
            if len(self._children) < self.workers and (child is None or child.under_way):
                child = self._start()
            if child is None or len(child.under_way) >= job.slots or not job.may_join(child.under_way):
                return
            number = job.waiting.popleft()
            if not child.under_way:
                child.begin()
            child.under_way.append(number)  # before writing: an interrupt in between must find the child busy
            _hand_over(child.channel, job.wanted(number, slot=child.handed_out % job.slots))
            child.handed_out += 1

    def _start(self) -> _Child:
        complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        ring, handle = new_ring()
        inherited = [handle] if isinstance(handle, int) else []
        ours, theirs = socket.socketpair() if HANDS_OVER else (None, None)
        try:
            # -P: a file numpy.py in the folder that the user stands in must not replace the module.
            with blocked_signals():
                process = subprocess.Popen(  # noqa: S603 - our own program, and a number
                    [sys.executable, "-P", "-m", "unfreeze.images.decoder", str(handle)],
                    stdin=subprocess.PIPE if theirs is None else theirs.fileno(),
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    bufsize=0,
                    env=_environment(),
                    pass_fds=inherited,
                )
        finally:
            if theirs is not None:
                theirs.close()
            for own in inherited:
                os.close(own)
        channel: Channel | None = ours or process.stdin
        assert channel is not None  # noqa: S101
        child = _Child(process, complaints, ring, channel)
        self._children.append(child)
        threading.Thread(target=_read_replies, args=(child, self._replies), daemon=True).start()
        return child

    def _take_in(self, job: "_Job") -> None:
        """Wait for one reply, or for a child's time to run out."""
        wait = min(_TICK, self.timeout / 4)
        try:
            reply = self._replies.get(timeout=wait)
        except queue.Empty:
            for child in self._busy():
                limit = self.timeout if child.ready else START_SECONDS
                # As long as we meant to wait, not as long as it took: we may have been stopped ourselves.
                if child.watch.exceeds(child.processor_seconds(), limit=limit, waited=wait):
                    self._bury(child, job, f"decoder-timeout {self.timeout:g} s")
            return
        child = reply.child
        if child not in self._children:
            return  # killed since
        if reply.header is None:
            self._bury(child, job, None)
            return
        child.begin()
        if not child.ready:
            child.ready = True
            self.locks = tuple(reply.header["locks"])
            self._failed_starts = 0
            return
        job.done[child.under_way.popleft()] = (reply.header, reply.pixels)

    def _busy(self) -> list[_Child]:
        return [child for child in self._children if child.under_way]

    def _bury(self, child: _Child, job: "_Job", reason: str | None) -> None:
        """Remove a child; its current image gets the reason, the others go to another child.

        An image whose time ran out is tried once more, with nothing behind it: the machine may have been to blame.
        """
        self._children.remove(child)
        has_timed_out = reason is not None
        if reason is None:
            child.process.wait()
            code = child.process.returncode
            reason = f"decoder-crash signal {-code}" if code < 0 else f"decoder-crash exit {code}"
        child.complaints.seek(0)
        complaint = child.complaints.read()[-2000:].decode(errors="replace").strip()
        child.kill()
        if not child.ready:
            self._failed_starts += 1
            if self._failed_starts < STARTS:
                job.waiting.extendleft(reversed(child.under_way))
                return
            self._failed_starts = 0
            msg = f"The image decoder could not be started ({reason}): {complaint or 'it said nothing'}"
            raise UnfreezeError(msg)
        if child.under_way:
            number = child.under_way[0]
            if has_timed_out and number not in job.second_tries:
                job.second_tries.add(number)
            else:
                job.done[child.under_way.popleft()] = ({"reason": reason}, None)
            job.waiting.extendleft(reversed(child.under_way))


_Kept = Mapping[tuple[str, Geometry], NDArray[np.uint8]]


@final
class _Job:
    """The requests of one stream: waiting, under way, done and not yet taken. What is kept is done at once."""

    def __init__(
        self,
        wanted: Iterable[tuple[Path, str]],
        geometries: tuple[Geometry, ...],
        *,
        kept: _Kept,
        inspect: Look,
        limit: int,
    ) -> None:
        self._wanted = iter(wanted)
        self._geometries, self._inspect, self._kept, self._limit = geometries, inspect, kept, limit
        self._square_bytes = sum(geometry.bytes for geometry in geometries)
        # Requests that a child may have at a time; each has a place of its own in the shared memory.
        self.slots = min(IN_FLIGHT, RING_BYTES // max(1, self._square_bytes))
        if not self.slots:
            size, most = self._square_bytes, RING_BYTES
            msg = f"A square of {size:,} bytes was wanted, but decoders give at most {most:,}. Choose a smaller --size."
            raise UnfreezeError(msg)
        self.next = 0  # number of the answer that is yielded next
        self._count = 0  # paths taken
        self._taken: dict[int, tuple[Path, str]] = {}
        self.waiting: deque[int] = deque()
        self.second_tries: set[int] = set()
        self.done: dict[int, tuple[dict[str, Any], NDArray[np.uint8] | None]] = {}

    def fill(self) -> bool:
        """Take more paths up to the limit; False once every answer was taken."""
        while self._count - self.next < self._limit:
            wanted = next(self._wanted, None)
            if wanted is None:
                break
            self._taken[self._count] = wanted
            square = self._kept.get((str(wanted[0]), self._geometries[0])) if self._geometries else None
            if square is None:
                self.waiting.append(self._count)
            else:
                self.done[self._count] = ({"reason": ""}, square)
            self._count += 1
        return self.next < self._count

    def may_join(self, under_way: Collection[int]) -> bool:
        """Whether the next request may stand behind others: neither it nor any of them is a second try."""
        return not under_way or self.second_tries.isdisjoint((self.waiting[0], *under_way))

    def wanted(self, number: int, *, slot: int) -> Wanted:
        """The request."""
        path, sha256 = self._taken[number]
        return Wanted(path, self._geometries, self._inspect, slot * self._square_bytes, sha256)

    def pop(self) -> tuple[Path, dict[str, Any], NDArray[np.uint8] | None]:
        """The next answer in order."""
        header, pixels = self.done.pop(self.next)
        path, _ = self._taken.pop(self.next)
        self.next += 1
        return path, header, pixels


def _hand_over(channel: Channel, wanted: Wanted) -> None:
    """Send a request with its photo."""
    handle, refused = handed_over(wanted.path)
    try:
        with suppress(OSError):  # a dead child is noticed by the end of its output
            send(channel, wanted.line(handed_over=handle is not None, refused=refused), handle)
    finally:
        if handle is not None:
            os.close(handle)


def _read_replies(child: _Child, replies: "queue.SimpleQueue[_Reply]") -> None:
    """Body of a child's reader thread: always drains, so that neither side ever waits for the other in a ring.

    Pixels are copied out of the shared memory before the reply is passed on, so that their place is free again.
    """
    assert child.process.stdout is not None  # noqa: S101
    with suppress(OSError, ValueError), io.BufferedReader(child.process.stdout) as lines:  # type: ignore[type-var]
        for line in lines:
            header = json.loads(line)
            shared = np.frombuffer(child.ring, np.uint8, header["pixels"], header["offset"])
            replies.put(_Reply(child, header, shared.copy() if header["pixels"] else None))
    replies.put(_Reply(child, None, None))


def _range(stored: list[int] | None) -> Range | None:
    return None if stored is None else (stored[0], stored[1])


def _environment() -> dict[str, str]:
    """The parent's environment; a child finds this package and computes on one core, since there is one per core."""
    package_root = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
