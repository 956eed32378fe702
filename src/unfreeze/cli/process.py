"""What the whole process is set to before anything heavy is imported: it is the command's own, so it may be."""

import ctypes
import gc
import os
import sys

# Objects made before Python looks for garbage, in place of 700: importing torch makes a million that stay, and looking
# through them again and again took half a second of every start.
GARBAGE_AFTER = 50_000
# glibc's names for what mallopt sets (malloc.h), and bytes of freed memory that the process keeps at most.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**30
# How often threads of OpenMP look for the next piece of work before they sleep, in place of 300,000 times.
SPIN_COUNT = "30000"


def settle_process() -> None:
    """Set up garbage collection, memory and threads for training; of use only before torch is imported."""
    gc.set_threshold(GARBAGE_AFTER)
    _keep_freed_memory()
    _wait_briefly()


def open_streams() -> None:
    """Give a command that was started without standard output or error (``>&-``) ones that take everything.

    Else Python has None in their place, and the first file that is opened gets the number of standard output.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115 - as long as the process


def process_began() -> float:
    """When the operating system started this process, seconds since 1970."""
    import psutil

    return float(psutil.Process().create_time())


def _keep_freed_memory() -> None:
    """Have the C library keep memory for the next tensor instead of giving it back after each.

    Memory that was given back comes page by page, zeroed by the kernel: half of the time of a float32 pass of 32 images
    through EfficientNet-Lite0 went there. Nothing is done where the library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)


def _wait_briefly() -> None:
    """Have threads that wait for each other go to sleep soon: on a busy machine they wait for one that does not run.

    Where the user has said how threads wait, that holds.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
