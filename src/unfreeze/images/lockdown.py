"""Locks that a decoder child puts on itself: what takes over a decoding library gets no file, no network, no program.

Both are asked for without being root, and neither can be taken off again: a seccomp filter (Linux 3.17, for x86-64 and
64-bit ARM) refuses the system calls by which anything new is opened, and Landlock (Linux 5.13) whatever is left of
files and network. A child is handed photos that are open already, so it needs none of that. Sources: the kernel's
``Documentation/userspace-api/seccomp_filter.rst`` and ``landlock.rst``; numbers from its ``unistd`` tables.
"""

import contextlib
import ctypes
import errno
import importlib.util
import os
import platform
import struct
import sys
from typing import Final

_NO_NEW_PRIVILEGES: Final = 38  # of prctl
_SET_FILTER, _ACTION_IS_THERE = 1, 2  # operations of seccomp
_ALL_THREADS: Final = 1  # flag of seccomp
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of the kernel's packet filter
_X32: Final = 0x40000000  # another table of system calls on x86-64, by which a filter could be passed
_CREATE_RULES, _RESTRICT = 444, 446  # Landlock's system calls, the same everywhere
_VERSION: Final = 1  # flag that asks Landlock what it can do
# Rights over files that each version of Landlock knows, over the network (version 4) and over other processes (6).
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_FILE_RIGHTS_NOW: Final = 16
_NETWORK, _SCOPES = 0b11, 0b11
# Numbers by machine: the architecture as seccomp names it, seccomp itself, then what is refused.
_MACHINES = {
    "x86_64": (0xC000003E, 317),
    "aarch64": (0xC00000B7, 277),
}
# Refused: a library that asks for a file of its own, as fonts or time zones are, goes on without.
_REFUSED = {
    "x86_64": (
        *(2, 85, 257, 304, 437, 303),  # open, creat, openat, open_by_handle_at, openat2, name_to_handle_at
        *(76, 82, 83, 84, 86, 87, 88, 90, 92, 94),  # truncate, rename, mkdir, rmdir, link, unlink, symlink, chmod ...
        *(133, 258, 259, 260, 263, 264, 265, 266, 268, 316, 452),  # mknod, and the same with "at"
        *(91, 93, 188, 189, 190, 197, 198, 199, 280, 235, 132, 261),  # fchmod, fchown, xattr, utimes
        *(129, 200, 297),  # signals to others; abort() sends its own by another call
    ),
    "aarch64": (
        *(56, 264, 265, 437),  # openat, name_to_handle_at, open_by_handle_at, openat2
        *(33, 34, 35, 36, 37, 38, 45, 53, 54, 276, 452, 88),
        *(5, 6, 7, 14, 15, 16, 52, 55),
        *(130, 138, 240),
    ),
}
# Ends the child: no decoder has any business there.
_FORBIDDEN = {
    "x86_64": (
        *(59, 322),  # execve, execveat
        *(41, 42, 43, 49, 50, 53, 288),  # socket, connect, accept, bind, listen, socketpair, accept4
        *(62, 101, 310, 311, 424, 434, 438),  # kill, ptrace, process_vm_*, pidfd_*
        *(425, 426, 427),  # io_uring, which opens files beside the filter
        *(155, 161, 165, 166, 272, 308, 428, 429, 430, 442),  # pivot_root, chroot, mount, unshare, setns ...
        *(175, 176, 246, 248, 249, 250, 298, 313, 320, 321, 323),  # modules, kexec, keys, perf, bpf, userfaultfd
    ),
    "aarch64": (
        *(221, 281),
        *(198, 199, 200, 201, 202, 203, 242),
        *(129, 117, 270, 271, 424, 434, 438),
        *(425, 426, 427),
        *(39, 40, 41, 51, 97, 268, 428, 429, 430, 442),
        *(104, 105, 106, 217, 218, 219, 241, 273, 280, 282, 294),
    ),
}


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def available_locks() -> tuple[str, ...]:
    """The locks that this system has, for people: ``seccomp``, ``Landlock 6``; nothing elsewhere than on Linux."""
    if sys.platform != "linux":
        return ()
    names = ["seccomp"] if _has_seccomp() else []
    version = _landlock_version()
    return (*names, f"Landlock {version}") if version else tuple(names)


def locks_in_words() -> str:
    """What holds a decoder here: ``seccomp, Landlock 6, limits of memory and time``."""
    limits = ("limits of memory and time",) if importlib.util.find_spec("resource") else ()
    return ", ".join((*available_locks(), *limits)) or "none"


def lock() -> tuple[str, ...]:
    """Put on all locks that this system has; for good. What is to be imported has to be imported before.

    Returns:
        Those that hold now, as `available_locks` names them.
    """
    if sys.platform != "linux" or _libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return ()
    version = _landlock_version()
    landlock = (f"Landlock {version}",) if version and _restrict(version) else ()
    seccomp = ("seccomp",) if _has_seccomp() and _filter() else ()  # last: it also refuses the calls of the other
    return (*seccomp, *landlock)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _has_seccomp() -> bool:
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.maxsize < 2**32:
        return False
    action = ctypes.c_uint32(_KILL)
    return bool(_libc().syscall(machine[1], _ACTION_IS_THERE, 0, ctypes.byref(action)) == 0)


def _landlock_version() -> int:
    """0 where there is none, or where it is switched off."""
    return max(0, int(_libc().syscall(_CREATE_RULES, None, ctypes.c_size_t(0), _VERSION)))


def _restrict(version: int) -> bool:
    """Give up all rights that Landlock knows: rules without an exception."""
    rights = [(1 << _FILE_RIGHTS.get(version, _FILE_RIGHTS_NOW)) - 1]
    rights += [_NETWORK] if version >= 4 else []
    rights += [_SCOPES] if version >= 6 else []
    attributes = struct.pack(f"={len(rights)}Q", *rights)
    libc = _libc()
    rules = int(libc.syscall(_CREATE_RULES, attributes, ctypes.c_size_t(len(attributes)), 0))
    if rules < 0:
        return False
    done = libc.syscall(_RESTRICT, rules, 0) == 0
    os.close(rules)
    return bool(done)


def _filter() -> bool:
    machine = platform.machine()
    architecture, seccomp = _MACHINES[machine]
    code = _code(architecture, _REFUSED[machine], _FORBIDDEN[machine])
    program = _Program(len(code) // 8, code)
    return bool(_libc().syscall(seccomp, _SET_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)


def _code(architecture: int, refused: tuple[int, ...], forbidden: tuple[int, ...]) -> bytes:
    """The filter: other machines' calls and what is forbidden end the process, what is refused fails, the rest goes."""
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for numbers, action in ((refused, _REFUSE), (forbidden, _KILL)):
        for number in numbers:
            steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, action)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def limit(memory: int, seconds: int) -> None:
    """Give up memory and processor time without limit, where the system has limits; a lower one stays.

    Args:
        memory: Bytes of address space.
        seconds: Of the processor.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
