"""What cropping, squashing and padding give on a set, and what screening them takes.

    python benchmarks/resize.py LIST

Prints one JSON document. Codes are read anew, with the engine that `unfreeze run` chooses; `seconds` is what the
screening takes beyond the codes of the usual way.
"""

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from unfreeze.core.journal import MemoryJournal
from unfreeze.core.records import plain
from unfreeze.core.settings import EngineSettings
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.preparation import prepare
from unfreeze.workflows.resizing import screened_resize
from unfreeze.zoo.backbones import load_backbone


def main() -> None:
    """Screen one set."""
    backbone, request = load_backbone(), EngineSettings()
    with DecoderPool() as pool, tempfile.TemporaryDirectory() as cache:
        images = read_image_set(Path(sys.argv[1]), pool=pool, geometry=geometry_of(backbone.card))
        resources = Resources(pool=pool, cache=Path(cache), journal=MemoryJournal({}))
        preparing = partial(prepare, resources=resources, request=request)
        usual = preparing(images, backbone)
        started, cpu = time.perf_counter(), time.process_time()
        found = screened_resize(
            usual, images, preparing, request=request, metric="accuracy", within=float("inf"), decoding=0.0
        )
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({"images": len(images.images), "seconds": seconds, "cpu_seconds": cpu_seconds, **plain(found)}))


if __name__ == "__main__":
    main()
