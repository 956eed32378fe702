"""How fast ``unfreeze serve`` answers, beside ``unfreeze predict``: ``python benchmarks/serving.py MODEL``."""

import argparse
import http.client
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOS = 400


def jpegs(number: int) -> list[bytes]:
    """Photos of 640 x 480 pixels, smooth as real ones are."""
    rng, found = np.random.default_rng(0), []
    for _ in range(number):
        small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8))
        stream = io.BytesIO()
        small.resize((640, 480), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=88)
        found.append(stream.getvalue())
    return found


def asked(port: int, photos: list[bytes], *, clients: int, seconds: float) -> list[float]:
    """Seconds of each answer, of clients that ask again as soon as they are answered."""
    taken: list[float] = []
    until = time.perf_counter() + seconds

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while (began := time.perf_counter()) < until:
            connection.request("POST", "/v1/predict?top=1", body=photos[number % len(photos)])
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            taken.append(time.perf_counter() - began)
            number += clients

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


@contextmanager
def service(model: Path) -> Iterator[str]:
    """A service that is started and ended; gives its address."""
    command = [sys.executable, "-m", "unfreeze", "serve", str(model), "--port", "0", "--json", "--rate", "100000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = ""
    while not text.endswith("\n}\n"):
        line = process.stdout.readline()
        assert line, "the service did not start"
        text += line
    try:
        yield json.loads(text)["address"]
    finally:
        process.terminate()
        process.wait()


def served(model: Path, photos: list[bytes], seconds: float) -> None:
    """Print photos a second and times of the service, with one client and with eight."""
    with service(model) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        asked(port, photos, clients=8, seconds=2)
        for clients in (1, 8):
            taken = np.array(asked(port, photos, clients=clients, seconds=seconds)) * 1000
            middle, slow = np.percentile(taken, [50, 99])
            rate = len(taken) / seconds
            print(f"serve, {clients} clients: {rate:.0f} photos/s, p50 {middle:.0f} ms, p99 {slow:.0f} ms")


def predicted(model: Path, photos: list[bytes]) -> None:
    """Print photos a second of the command, less what one photo takes it."""
    with tempfile.TemporaryDirectory() as folder:
        for number, photo in enumerate(photos):
            (Path(folder) / f"{number}.jpg").write_bytes(photo)
        command = [sys.executable, "-m", "unfreeze", "predict", str(model), "--json"]
        seconds = []
        for named in (f"{folder}/0.jpg", f"{folder}/0.jpg", folder):  # the first one may convert the model
            began = time.perf_counter()
            subprocess.run([*command, named], capture_output=True, check=True)
            seconds.append(time.perf_counter() - began)
    print(f"predict: {(len(photos) - 1) / (seconds[2] - seconds[1]):.0f} photos/s, without its start")


def main() -> None:
    """Measure both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=15.0)
    arguments = parser.parse_args()
    photos = jpegs(PHOTOS)
    predicted(arguments.model, photos)
    served(arguments.model, photos, arguments.seconds)
    predicted(arguments.model, photos)


if __name__ == "__main__":
    main()
