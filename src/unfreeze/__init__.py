"""unfreeze: how far should a pretrained network be unfrozen on your photos, and how do you know?

The names below are everything that is public. Each is imported when it is first used, so that ``import unfreeze`` costs
nothing: some of them need torch, whose import takes seconds.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unfreeze.core.cards import Card
    from unfreeze.core.errors import UnfreezeError
    from unfreeze.core.records import Outcome
    from unfreeze.core.run_record import RunRecord
    from unfreeze.core.settings import EngineSettings, StudySettings
    from unfreeze.data.image_set import Image, ImageSet
    from unfreeze.data.inspection import read_image_set
    from unfreeze.data.splits import split_image_set
    from unfreeze.features.extraction import Codes
    from unfreeze.features.frozen import read_codes
    from unfreeze.images.pool import DecoderPool
    from unfreeze.probes.search import search_probe
    from unfreeze.probes.solver import LinearProbe, fit_probe
    from unfreeze.workflows.codes_transformer import CodesTransformer
    from unfreeze.workflows.estimator import TransferClassifier
    from unfreeze.workflows.prediction import predict_images
    from unfreeze.workflows.study import run_study
    from unfreeze.zoo.backbones import Backbone, load_backbone
    from unfreeze.zoo.folders import load_model, save_model
    from unfreeze.zoo.tap_classifier import TapClassifier

__version__ = "0.1.0"

_MODULES = {
    "Backbone": "unfreeze.zoo.backbones",
    "Card": "unfreeze.core.cards",
    "Codes": "unfreeze.features.extraction",
    "CodesTransformer": "unfreeze.workflows.codes_transformer",
    "DecoderPool": "unfreeze.images.pool",
    "EngineSettings": "unfreeze.core.settings",
    "Image": "unfreeze.data.image_set",
    "ImageSet": "unfreeze.data.image_set",
    "LinearProbe": "unfreeze.probes.solver",
    "Outcome": "unfreeze.core.records",
    "RunRecord": "unfreeze.core.run_record",
    "StudySettings": "unfreeze.core.settings",
    "TapClassifier": "unfreeze.zoo.tap_classifier",
    "TransferClassifier": "unfreeze.workflows.estimator",
    "UnfreezeError": "unfreeze.core.errors",
    "fit_probe": "unfreeze.probes.solver",
    "load_backbone": "unfreeze.zoo.backbones",
    "load_model": "unfreeze.zoo.folders",
    "predict_images": "unfreeze.workflows.prediction",
    "read_codes": "unfreeze.features.frozen",
    "read_image_set": "unfreeze.data.inspection",
    "run_study": "unfreeze.workflows.study",
    "save_model": "unfreeze.zoo.folders",
    "search_probe": "unfreeze.probes.search",
    "split_image_set": "unfreeze.data.splits",
}

__all__ = [
    "Backbone",
    "Card",
    "Codes",
    "CodesTransformer",
    "DecoderPool",
    "EngineSettings",
    "Image",
    "ImageSet",
    "LinearProbe",
    "Outcome",
    "RunRecord",
    "StudySettings",
    "TapClassifier",
    "TransferClassifier",
    "UnfreezeError",
    "__version__",
    "fit_probe",
    "load_backbone",
    "load_model",
    "predict_images",
    "read_codes",
    "read_image_set",
    "run_study",
    "save_model",
    "search_probe",
    "split_image_set",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _MODULES:
        msg = f"module 'unfreeze' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value  # the next use does not come here
    return value


def __dir__() -> list[str]:
    """The public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
