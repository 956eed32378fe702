"""How many cores a process may use."""

import os
import subprocess
import sys

import pytest

from unfreeze.core.errors import InputError
from unfreeze.core.threads import VARIABLE, limit_threads, thread_limit, usable_cores

LIMITED = """
from unfreeze.core.threads import limit_threads
limit_threads(1)
import torch, openvino
from unfreeze.features.openvino_graphs import _settings
from unfreeze.images.pool import DecoderPool
core = openvino.Core()
core.set_property("CPU", _settings("f32"))
print(torch.get_num_threads(), core.get_property("CPU", "INFERENCE_NUM_THREADS"), DecoderPool().workers)
"""


@pytest.mark.slow
def test_a_limit_holds_for_torch_openvino_and_decoders() -> None:
    """Each of them says itself that it uses one."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}

    done = subprocess.run([sys.executable, "-c", LIMITED], env=plain, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["1", "1", "1"]


def test_children_inherit_the_limit_and_no_limit_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of one is one core, for a child too; None leaves the cores that there are."""
    for name in (VARIABLE, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # put back afterwards
    limit_threads(None)
    assert (thread_limit(), usable_cores()) == (None, len(os.sched_getaffinity(0)))

    limit_threads(1)

    child = "from unfreeze.core.threads import usable_cores; print(usable_cores())"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert (thread_limit(), usable_cores(), done.stdout) == (1, 1, "1\n")


@pytest.mark.parametrize("number", [0, -2])
def test_less_than_one_is_refused(number: int) -> None:
    """The sentence says what was given."""
    with pytest.raises(InputError, match=f"at least 1; got {number}"):
        limit_threads(number)
