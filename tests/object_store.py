"""A server that speaks S3, in a process of its own and in its memory, which tests really ask."""

import contextlib
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest
import s3fs


@contextlib.contextmanager
def object_store(bucket: str) -> Iterator[str]:
    """The address of a started server that has one bucket."""
    command = [sys.executable, "-m", "moto.server", "-p", "0", "-H", "127.0.0.1"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        assert server.stderr is not None
        address = next(found[0] for line in server.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        urllib.request.urlopen(urllib.request.Request(f"{address}/{bucket}", method="PUT"), timeout=10).close()
        yield address
    finally:
        server.kill()
        server.wait()
        assert server.stderr is not None
        server.stderr.close()


def ask_store(patch: pytest.MonkeyPatch, address: str) -> None:
    """Let clients of S3, in this process and its children, ask a server."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "of-the-tests")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_ENDPOINT_URL_S3", address)
    s3fs.S3FileSystem.clear_instance_cache()  # which would go on asking another one
