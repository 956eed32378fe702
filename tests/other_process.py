"""What a second process does that carries out trials: in a module of its own, since it is imported there anew."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from unfreeze.core.records import plain
from unfreeze.core.trials import Trial
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.bench import Bench, executor_at

_there: dict[str, Any] = {}


def settle(bench: Bench, cache: Path) -> None:
    """What it does first."""
    _there["executor"] = executor_at(bench, Resources(pool=DecoderPool(workers=1), cache=cache))


def carry_out(trial: str) -> str:
    """Carry out a trial that came as text; its outcome as text."""
    (outcome,) = _there["executor"].outcomes([TypeAdapter(Trial).validate_json(trial)])
    return json.dumps(plain(outcome))
