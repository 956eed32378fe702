"""Freezing, and the proof of it.

Frozen means frozen: clearing `requires_grad` alone leaves BatchNorm's running statistics moving, and then remembered
codes no longer match the network. So freezing goes by module, and every trial hashes what must not move.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from unfreeze.core.errors import AuditError
from unfreeze.core.plans import Plan
from unfreeze.core.records import Audit

# Relative to the length of the features, by the precision of the frozen layers. Float32 engines differ by about 1e-5,
# bfloat16 by a few hundredths (the least cosine that is accepted, 0.99, is 0.14); a wrong layer by 1 or more.
CODES_TOLERANCE = {"f32": 1e-3, "bf16": 0.35, "int8": 0.35}


def apply_plan(network: nn.Module, plan: Plan) -> dict[str, nn.Parameter]:
    """Set which parameters learn and which modules are in training mode.

    A module is in training mode only if it, or a part of it, learns; BatchNorm only if the plan lets it learn its
    statistics too. Everything else stays in evaluation mode, dropout included.

    Args:
        network: The whole network; changed in place.
        plan: Its rules must cover every parameter.

    Returns:
        The parameters that learn, by name.

    Raises:
        PlanError: A parameter is not covered.
    """
    learning: dict[str, nn.Parameter] = {}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(plan.rate_of(name) is not None)
        if parameter.requires_grad:
            learning[name] = parameter
    network.eval()
    for name, module in network.named_modules():
        learns = any(parameter.requires_grad for parameter in module.parameters())
        if isinstance(module, _BatchNorm):
            module.training = learns and plan.batchnorm == "learning"
        elif not list(module.children()):
            module.training = learns or _above_the_cut(name, learning)
    return learning


def _above_the_cut(name: str, learning: Mapping[str, nn.Parameter]) -> bool:
    """Whether a module without parameters (dropout, drop path) lies inside a part that learns."""
    parent = name.rpartition(".")[0]
    return bool(parent) and any(other.startswith(f"{parent}.") for other in learning)


def tensor_hash(tensor: torch.Tensor) -> str:
    """Hash of a tensor's bytes."""
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return hashlib.sha256(flat.numpy().tobytes()).hexdigest()


def frozen_hashes(network: nn.Module, plan: Plan) -> dict[str, str]:
    """Hash of every parameter and buffer that must not move under `plan`.

    Buffers (BatchNorm's running statistics) are frozen unless they lie in a module that learns while the plan lets
    BatchNorm learn.
    """
    frozen: dict[str, torch.Tensor] = {name: p for name, p in network.named_parameters() if plan.rate_of(name) is None}
    moving = _moving_buffers(network, plan)
    frozen |= {name: buffer for name, buffer in network.named_buffers() if name not in moving}
    return {name: tensor_hash(tensor) for name, tensor in frozen.items()}


def _moving_buffers(network: nn.Module, plan: Plan) -> set[str]:
    if plan.batchnorm == "frozen":
        return set()
    learning = [
        name
        for name, module in network.named_modules()
        if any(
            plan.rate_of(f"{name}.{own}".lstrip(".")) is not None for own, _ in module.named_parameters(recurse=False)
        )
    ]
    return {
        f"{name}.{own}".lstrip(".")
        for name in learning
        for own, _ in network.get_submodule(name).named_buffers(recurse=False)
    }


@dataclass(frozen=True)
class Freeze:
    """What a trial promised before it began.

    Attributes:
        hashes: Of every frozen tensor.
        learning: Names of the parameters that learn.
    """

    hashes: Mapping[str, str]
    learning: frozenset[str]


def promise(network: nn.Module, plan: Plan) -> Freeze:
    """Take the hashes before training."""
    learning = {name for name, _ in network.named_parameters() if plan.rate_of(name) is not None}
    return Freeze(frozen_hashes(network, plan), frozenset(learning))


def audit(
    network: nn.Module,
    plan: Plan,
    promised: Freeze,
    *,
    optimized: Collection[str],
    codes_difference: float,
    precision: str = "f32",
) -> Audit:
    """Check a finished trial against its promise.

    Args:
        network: After training.
        plan: What was to learn.
        promised: From before training.
        optimized: Name of every tensor that the optimiser held.
        codes_difference: Relative difference between what the suffix was fed and what the network's own prefix gives
            for the same images in float32: the largest, or the median below float32.
        precision: Of the frozen layers as they ran: f32, bf16 or int8.

    Returns:
        The audit, passed.

    Raises:
        AuditError: A check failed; the text names it.
    """
    tolerance = CODES_TOLERANCE[precision]
    moved = [name for name, value in frozen_hashes(network, plan).items() if promised.hashes.get(name) != value]
    result = Audit(
        frozen_tensors=len(promised.hashes),
        frozen_unchanged=not moved,
        codes_difference=codes_difference,
        codes_agree=codes_difference <= tolerance,
        optimizer_matches=set(optimized) == promised.learning,
    )
    if not result.passed:
        msg = (
            f"The audit of {plan.strategy.label} failed: frozen tensors that moved: {moved[:5] or 'none'}; "
            f"relative difference of the features {codes_difference:.1e} (at most {tolerance:.0e} is allowed); the "
            f"optimiser holds what the plan names: {result.optimizer_matches}. Please report this fault of unfreeze."
        )
        raise AuditError(msg)
    return result
