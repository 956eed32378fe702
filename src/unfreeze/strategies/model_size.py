"""How large the model of a strategy is."""

from collections.abc import Mapping

from torch import Tensor

from unfreeze.core.records import ModelCost
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.graph import weights_before
from unfreeze.zoo.tap_classifier import TapClassifier

MEGABYTE = 1_000_000


def cost_of(model: Backbone | TapClassifier) -> ModelCost:
    """What using a model takes, as far as its weights say it; `workflows.model_time` measures the rest."""
    if isinstance(model, Backbone):
        return ModelCost(megabytes=_bytes(model.network.state_dict()) / MEGABYTE)
    classifier = model.weight.nbytes + model.bias.nbytes
    deepest = model.cuts[-1]
    network = _bytes(weights_before(model.backbone.graph, deepest))
    return ModelCost(deepest_tap=deepest.name, megabytes=(network + classifier) / MEGABYTE)


def _bytes(weights: Mapping[str, Tensor]) -> int:
    """Of floating-point parameters and statistics, which are float32."""
    return sum(value.nbytes for value in weights.values() if value.is_floating_point())
