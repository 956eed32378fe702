"""A server that speaks S3, in a process of its own and in its memory, which tests really ask."""

import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import s3fs

STARTS, ANSWER_SECONDS = 3, 20.0


@contextlib.contextmanager
def object_store(bucket: str) -> Iterator[str]:
    """The address of a started server that has one bucket; where it does not stay alive, the test is skipped."""
    faults: list[str] = []
    for _ in range(STARTS):
        with _server() as (server, address, said):
            fault = _no_bucket(server, f"{address}/{bucket}") if address else "".join(said)
            if not fault:
                yield address
                return
            faults.append(fault)
    pytest.skip(f"moto's server does not answer on this machine: {faults}")


@contextlib.contextmanager
def _server() -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A started server, its address if it says one, and the lines before that."""
    command = [sys.executable, "-m", "moto.server", "-p", "0", "-H", "127.0.0.1"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        assert server.stderr is not None
        address, said = "", []
        for line in server.stderr:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                address = found[0]
                break
        yield server, address, said
    finally:
        server.kill()
        server.wait()
        assert server.stderr is not None
        server.stderr.close()


def _no_bucket(server: subprocess.Popen[str], bucket: str) -> str:
    """Make the bucket as soon as the server listens; why it does not, or nothing."""
    until, why = time.monotonic() + ANSWER_SECONDS, "it ended at once"
    while server.poll() is None and time.monotonic() < until:
        try:
            urllib.request.urlopen(urllib.request.Request(bucket, method="PUT"), timeout=10).close()
        except urllib.error.URLError as error:
            why = str(error)
        else:
            return ""
        time.sleep(0.1)
    return why


def ask_store(patch: pytest.MonkeyPatch, address: str) -> None:
    """Let clients of S3, in this process and its children, ask a server."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "of-the-tests")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_ENDPOINT_URL_S3", address)
    s3fs.S3FileSystem.clear_instance_cache()  # which would go on asking another one
