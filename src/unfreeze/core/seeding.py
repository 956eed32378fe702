"""Seeds: every random choice gets its own stream, derived from one number by name."""

import hashlib

import numpy as np


def derive_seed(seed: int, *names: object) -> int:
    """Seed of the stream called `names` under the run's `seed`; equal names give equal seeds on every machine.

    Args:
        seed: The run's seed.
        names: What the stream is for, for example ``("full", "fold", 2)``.

    Returns:
        A number in [0, 2**63).

    Example:
        >>> derive_seed(0, "split") == derive_seed(0, "split")
        True
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *names: object) -> np.random.Generator:
    """NumPy generator of the stream called `names`."""
    return np.random.default_rng(derive_seed(seed, *names))
