"""How many threads PyTorch and OpenVINO may have, and how many decoders there are: a limit that children inherit."""

import os

from unfreeze.core.errors import InputError

VARIABLE = "UNFREEZE_THREADS"
# What torch, OpenMP and the BLAS libraries read when they are imported.
_OF_LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limit_threads(number: int | None) -> None:
    """Let PyTorch and OpenVINO have at most so many threads, here and in children, and start no more decoders.

    PyTorch and the libraries of linear algebra look at it when they are imported, so it comes before that; OpenVINO and
    decoders look when they are started.

    Args:
        number: Of threads, at least 1; None leaves everything as it is.

    Raises:
        InputError: It is less than 1.
    """
    if number is None:
        return
    if number < 1:
        msg = f"The number of threads is at least 1; got {number}. Leave it out to use all cores."
        raise InputError(msg)
    os.environ.update(thread_variables(number))


def thread_variables(number: int) -> dict[str, str]:
    """The environment of a process that is limited to so many threads from its start."""
    return dict.fromkeys((VARIABLE, *_OF_LIBRARIES), str(number))


def thread_limit() -> int | None:
    """The number that `limit_threads` was given, here or in the process that started this one; None without one."""
    given = os.environ.get(VARIABLE, "")
    return int(given) if given.isascii() and given.isdigit() and int(given) > 0 else None


def torch_threads() -> int:
    """The number that PyTorch has when it is imported: OMP_NUM_THREADS, which `limit_threads` sets, else all cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isascii() and given.isdigit() and int(given) > 0 else usable_cores()


def usable_cores() -> int:
    """Number of cores that this process may use."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(there, thread_limit() or there)
