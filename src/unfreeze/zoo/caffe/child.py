"""The process that reads Caffe's files: without files, network or programs of its own, and with little memory.

It takes from standard input a line of JSON (``kind``, ``sizes``) and the files' bytes, and writes to standard output a
letter and what it found: ``R`` and the bytes of a safetensors file, or ``E`` and a sentence.
"""

import json
import sys
from collections.abc import Sequence

import numpy as np
from safetensors.numpy import save

from unfreeze.core.errors import InputError
from unfreeze.images.lockdown import limit, lock
from unfreeze.zoo.caffe.messages import message
from unfreeze.zoo.caffe.reading import mean_in, network_in, weights_in

ROOM = 2 * 2**30  # bytes of memory, beside six times what is read
SECONDS = 600  # of the processor


def answer(kind: str, files: Sequence[bytes]) -> bytes:
    """What the files say.

    Args:
        kind: ``network`` for a prototxt and a caffemodel, ``mean`` for a mean file.
        files: Their bytes.

    Returns:
        As the module says; which file an error is about is the number before its sentence.
    """
    place = 0
    try:
        if kind == "mean":
            return b"R" + save({"mean": mean_in(files[0])})
        network = network_in(files[0])
        place = 1
        found = weights_in(files[1])
        blobs = ((f"{i}.{k}", blob) for i, name in enumerate(found) for k, blob in enumerate(found[name]))
        tensors = {name: np.ascontiguousarray(blob) for name, blob in blobs}
        counts = [[name, len(arrays)] for name, arrays in found.items()]
        return b"R" + save(tensors, metadata={"network": json.dumps(network), "blobs": json.dumps(counts)})
    except InputError as error:
        return f"E{place}{error}".encode()
    except MemoryError:
        return f"E{place}it needs more memory than it may have".encode()
    except Exception as error:  # whatever a hostile file makes a parser raise
        return f"E{place}it is not what Caffe writes ({type(error).__name__})".encode()


def main() -> None:
    """Answer once."""
    header = json.loads(sys.stdin.buffer.readline())
    message("NetParameter")  # all imports before the locks
    if header["kind"] == "network":
        import google.protobuf.text_format  # noqa: F401
    limit(ROOM + 6 * sum(header["sizes"]), SECONDS)
    lock()
    files = [sys.stdin.buffer.read(size) for size in header["sizes"]]
    sys.stdout.buffer.write(answer(header["kind"], files))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
