"""A service that is really started, for tests that ask it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import save_model

CLASSES = ("ant", "bee", "<b>moth</b>")
SIDE = 32
REPORT = """<!DOCTYPE html><html lang="en"><head><title>A run</title><style>p { color: rgb(1, 2, 3); }</style></head>
<body><p id="said" style="--tint: 3%">What was measured</p><script>document.title = "run"</script></body></html>"""
# The command, and every connection that it makes, written to a file.
PROGRAM = """
import sys
def note(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        with open(%r, "a") as file:
            print(event, arguments[-1 if event == "socket.connect" else 0], file=file)
sys.addaudithook(note)
from unfreeze.__main__ import main
main()
"""


@dataclass(frozen=True, eq=False)
class Served:
    """A service.

    Attributes:
        address: Where it listens.
        process: That runs it.
        connections: File in which its own connections are noted.
        said: What it printed on standard error.
    """

    address: str
    process: subprocess.Popen[str]
    connections: Path
    said: list[str]

    @property
    def port(self) -> int:
        """Of its address."""
        return int(self.address.rstrip("/").rpartition(":")[2])

    def raw(self, request: bytes) -> bytes:
        """What it answers to bytes; it may close before it has read them all."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(request)
            answer = b""
            with contextlib.suppress(OSError):
                while piece := connection.recv(65_536):
                    answer += piece
            return answer


@contextlib.contextmanager
def serving(folder: Path, *arguments: str | Path, token: str = "", command: str = "serve") -> Iterator[Served]:
    """Start ``unfreeze serve``, or another command that serves, on a port that is free, and end it.

    Args:
        folder: For what is noted; a workbench also works in it.
        *arguments: Of the command.
        token: That requests must carry, by the environment.
        command: Which one.
    """
    connections = folder / "connections.txt"
    program = [sys.executable, "-c", PROGRAM % str(connections), command, *map(str, arguments), "--port", "0", "--json"]
    process = subprocess.Popen(
        program,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "UNFREEZE_TOKEN": token, "OMP_NUM_THREADS": "1"},
        cwd=folder if command == "ui" else None,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[str] = []
    reader = threading.Thread(target=said.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        text = ""
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            assert line, "".join(said)
            text += line
        yield Served(json.loads(text)["address"], process, connections, said)
    finally:
        process.terminate()
        process.wait(timeout=120)
        process.stdout.close()
        reader.join()
        process.stderr.close()


def saved_model(folder: Path, *, seed: int = 0, classes: tuple[str, ...] = CLASSES, side: int = SIDE) -> Path:
    """A small network with random weights as a model, whose classes are told by the colour of photos."""
    import torch

    network = load_backbone("test_resnet", pretrained=False, size=side).with_classes(len(classes)).randomised(seed)
    weight, bias = network.head_parameters()
    random = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
    network.set_head(random, torch.zeros_like(bias))
    colours = torch.full((3, side, side, 3), 60, dtype=torch.uint8)
    for number in range(3):
        colours[number, :, :, number] += 120
    with torch.inference_mode():
        scores = network.module().eval()(colours)
    scale = 4 / scores.std(dim=0).mean()  # photos differ by a few nats
    network.set_head(random * scale, -scores.mean(dim=0) * scale)
    save_model(folder, network, class_names=classes, card_text="# A model\n")
    return folder


def photos(folder: Path, *, count: int = 6) -> list[Path]:
    """Photos of several colours, sizes and formats."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, found = np.random.default_rng(0), []
    for number in range(count):
        side = 40 + 13 * number
        pixels = rng.integers(0, 120, (side, side + 10, 3), np.uint8)
        pixels[:, :, number % 3] += 120
        found.append(folder / f"photo {number}{('.jpg', '.png', '.webp')[number % 3]}")
        Image.fromarray(pixels).save(found[-1])
    return found
