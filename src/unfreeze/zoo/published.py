"""The networks whose weights timm publishes, as it lists them; the list is kept, since timm takes seconds to import."""

import contextlib
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unfreeze.core.cards import with_tuples
from unfreeze.core.errors import OutputError
from unfreeze.store.documents import keep_document, kept_document
from unfreeze.store.places import kept_beside

FORMAT = "unfreeze.published/1"


@dataclass(frozen=True, kw_only=True)
class PublishedNetwork:
    """A network of timm's list; its input is ``(pixels / 255 - mean) / std``, red, green, blue.

    Attributes:
        name: With the tag of its weights.
        source: Where timm downloads them.
        licence: As timm says; ``unknown`` if it does not.
        size: Side of its images, pixels.
        crop_pct: Side of the crop as a fraction of the resized image.
        crop_mode: timm's word.
        interpolation: Of the resizing.
        mean: Of red, green, blue.
        std: Of red, green, blue.
        outputs: Width of its classifier; 0 if it is published without one.
    """

    name: str
    source: str
    licence: str
    size: int
    crop_pct: float
    crop_mode: str
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    outputs: int


def published_networks(cache: Path | None = None) -> dict[str, PublishedNetwork]:
    """All of timm's list, by name; kept for this version of timm, whose networks are not built.

    Args:
        cache: Folder of all that is kept; the user's cache if None.
    """
    place = kept_beside("networks", cache) / f"timm-{version('timm')}.json"
    kept = kept_document(place)
    if isinstance(kept, dict) and kept.get("format") == FORMAT:
        return {one["name"]: _from(one) for one in kept["networks"]}
    found = _listed_by_timm()
    with contextlib.suppress(OutputError):  # then timm is asked again next time
        keep_document(place, {"format": FORMAT, "networks": [asdict(one) for one in found.values()]})
    return found


def _from(stored: dict[str, Any]) -> PublishedNetwork:
    return PublishedNetwork(**with_tuples(stored))


def _listed_by_timm() -> dict[str, PublishedNetwork]:
    import timm

    from unfreeze.zoo.networks import LITE_MEAN, LITE_STD

    found = {}
    for name in timm.list_pretrained():
        settings = timm.get_pretrained_cfg(name)
        lite = name.startswith("tf_efficientnet_lite")
        found[name] = PublishedNetwork(
            name=name,
            source=settings.hf_hub_id or settings.url or "timm",
            licence=settings.license or "unknown",
            size=int(settings.input_size[-1]),
            crop_pct=float(settings.crop_pct),
            crop_mode=str(settings.crop_mode),
            interpolation=str(settings.interpolation),
            mean=_three(LITE_MEAN if lite else settings.mean),
            std=_three(LITE_STD if lite else settings.std),
            outputs=int(settings.num_classes),
        )
    return found


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
