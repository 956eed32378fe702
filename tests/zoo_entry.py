"""Entries of zoos for tests: small files of bytes with a card, which need no network."""

import hashlib
import json
from pathlib import Path

from unfreeze.core.zoo_entries import EntryCard, EntryFile, MeasuredScore

SCORE = MeasuredScore(accuracy=0.9, low=0.8, high=0.95, protocol="on 10 splits of 200 images")


def entry(folder: Path, name: str = "leaves", *, weights: bytes = b"\x02\0\0\0\0\0\0\0{}" + b"x" * 50_000) -> EntryCard:
    """Fills a folder and gives its card."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"name": name}))
    (folder / "model.safetensors").write_bytes(weights)
    files = {
        path.name: EntryFile(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size=path.stat().st_size)
        for path in sorted(folder.iterdir())
    }
    return EntryCard(
        name=name,
        network="resnet18",
        holds="network",
        source="file x",
        licence="apache-2.0",
        may_sell="yes",
        size=224,
        crop_pct=0.875,
        crop_mode="center",
        interpolation="bicubic",
        channels="RGB",
        scale=255.0,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        taps=("layer1", "layer2"),
        parameters=1000,
        outputs=2,
        classes=("oak", "maple"),
        measured=(SCORE,),
        files=files,
    )
