"""The machine's own limit for codes: seconds of decoding alone and of the network alone, each on all cores.

    python benchmarks/limit.py LIST

Prints one JSON document. The engine is the one that `unfreeze codes` chooses.
"""

import json
import sys
import time
from pathlib import Path

from unfreeze.core.settings import EngineSettings
from unfreeze.data.inspection import listed_images
from unfreeze.data.squares import geometry_of
from unfreeze.features.engine_choice import choose_engine
from unfreeze.features.frozen import FrozenBackbone
from unfreeze.images.geometry import centre
from unfreeze.images.pool import DecoderPool
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.devices import CPU


def main() -> None:
    """Measure both."""
    backbone = load_backbone()
    geometry = geometry_of(backbone.card)
    with listed_images(Path(sys.argv[1])) as table:
        paths = [candidate.path for candidate in table.candidates()]
    with DecoderPool() as pool:
        list(pool.squares(paths[:8], geometry))  # the children are up
        started = time.perf_counter()
        squares = list(pool.squares(paths[8:], geometry))
        decode = (time.perf_counter() - started) * len(paths) / len(paths[8:])
    pixels = [centre(square[None], geometry.size)[0] for square in squares if not isinstance(square, Exception)]
    choice, compiled = choose_engine(FrozenBackbone(backbone, CPU), pixels[:16], EngineSettings(), to_come=len(paths))
    started = time.perf_counter()
    for _ in compiled.run(pixels):
        pass
    prefix = (time.perf_counter() - started) * len(paths) / len(pixels)
    print(json.dumps({"images": len(paths), "decode": decode, "prefix": prefix, "engine": str(choice.engine)}))


if __name__ == "__main__":
    main()
