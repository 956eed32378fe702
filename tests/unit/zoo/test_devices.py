"""Where networks run."""

import pytest
import torch

from unfreeze.zoo.devices import training_device


@pytest.mark.parametrize(("there", "device"), [(True, "cuda"), (False, "cpu")])
def test_training_runs_on_a_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch, there: bool, device: str) -> None:
    """Nobody has to say so."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)

    assert training_device().type == device
