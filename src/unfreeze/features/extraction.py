"""Reading codes: those of a whole image set, in memory."""

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Float16

from unfreeze.core.journal import once
from unfreeze.core.readouts import Readout
from unfreeze.core.records import SetAside
from unfreeze.core.settings import EngineSettings
from unfreeze.data.image_set import ImageSet
from unfreeze.features.engine_choice import network_key
from unfreeze.features.engines import REFERENCE, Engine
from unfreeze.features.networks import FrozenNetwork, details_of
from unfreeze.features.resources import Resources
from unfreeze.features.streaming import code_portions
from unfreeze.store.columns import codes_column, text_column


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of an image set at every tap.

    Attributes:
        names: Names of the images, one a row.
        by_tap: Codes by tap, shallow to deep.
        seconds_an_image: Wall time of one that was run through the network in this process; None if none was.
        details: What else was read at the taps, shallow to deep, in half precision; empty where it was not wanted, or
            where the network has codes alone.
        computed: How many images were run through the network.
        reused: How many were found in the store.
        set_aside: Images that could not be decoded any more; they have no row.
        engine: What ran the network.
    """

    names: tuple[str, ...]
    by_tap: dict[str, Float[np.ndarray, "image code"]]
    computed: int
    reused: int
    set_aside: tuple[SetAside, ...] = ()
    engine: Engine = REFERENCE
    seconds_an_image: float | None = None
    details: dict[Readout, Float16[np.ndarray, "image _"]] = field(default_factory=dict)

    @property
    def readouts(self) -> tuple[Readout, ...]:
        """All that was read, tap by tap, shallow to deep: the codes, then the details."""
        return tuple(one for tap in self.by_tap for one in (Readout(tap), *(d for d in self.details if d.tap == tap)))

    def at(self, readout: Readout) -> Float[np.ndarray, "image code"]:
        """What was read there."""
        return self.by_tap[readout.tap] if readout.statistic == "mean" else self.details[readout]

    def to_arrow(self) -> pa.Table:
        """A table for pandas (``.to_pandas()``), polars (``polars.from_arrow``) and others that read Arrow.

        Returns:
            The column name, and a list of fixed length per tap.
        """
        kinds = {tap: pa.list_(pa.float32(), codes.shape[1]) for tap, codes in self.by_tap.items()}
        columns = {tap: codes_column(codes, kinds[tap]) for tap, codes in self.by_tap.items()}
        return pa.table({"name": text_column(self.names), **columns})

    @property
    def last(self) -> Float[np.ndarray, "image code"]:
        """Codes at the last tap: what the network's own head would see."""
        return self.by_tap[list(self.by_tap)[-1]]


def codes_of(
    image_set: ImageSet,
    network: FrozenNetwork,
    resources: Resources,
    request: EngineSettings,
    *,
    details: bool = False,
) -> Codes:
    """Codes of every image at every tap; what the store has is not computed again.

    Args:
        image_set: The images; splits and labels do not matter here.
        network: Gives codes.
        resources: Decoders, progress and cache.
        request: Engine and precision.
        details: Whether the network's details are wanted too, if it has any.

    Returns:
        The codes, rows in the order of the image set.

    Raises:
        InputError: There is no such engine here.
    """
    images = image_set.images
    with code_portions(network, images, request, resources, to_come=len(images), details=details) as codes:
        by_name, found = codes.stored(images)
        missing = [images[place] for place in np.flatnonzero(~found)]
        # Of a run that is continued, what was missing when it began.
        note = f"codes-of-{network_key(network.card)}-{network.card.crop_mode}"
        to_compute = once(resources.journal, note, int, lambda: len({image.sha256 for image in missing}))
        set_aside: list[SetAside] = []
        with resources.progress.phase("codes", total=len(images), unit="image") as advance:
            advance(len(images) - len(missing))
            if missing:
                set_aside = codes.compute(missing, advance)
        if missing:
            added, added_found = codes.stored(missing)
            for name, values in by_name.items():
                values[~found] = added[name]
            found[~found] = added_found
        engine, seconds = codes.engine, codes.seconds_an_image
    computed = to_compute - len({item.sha256 for item in set_aside})
    kept = np.flatnonzero(found)
    if len(kept) < len(found):
        by_name = {name: values[kept] for name, values in by_name.items()}
    return Codes(
        names=tuple(images[place].name for place in kept),
        by_tap={tap: by_name[tap] for tap in network.card.taps},
        computed=computed,
        reused=len(images) - computed - len(set_aside),
        set_aside=tuple(set_aside),
        engine=engine,
        seconds_an_image=seconds,
        details={readout: by_name[readout.name] for readout in details_of(network)} if details else {},
    )


def images_without_codes(
    image_set: ImageSet, network: FrozenNetwork, resources: Resources, request: EngineSettings
) -> int:
    """How many images `codes_of` would have to compute, without details.

    Args:
        image_set: The images.
        network: The network.
        resources: Decoders, progress and cache.
        request: Engine and precision.

    Returns:
        A number of images.
    """
    images = image_set.images
    with code_portions(network, images, request, resources, to_come=len(images)) as codes:
        _, found = codes.stored(images)
    return int(np.count_nonzero(~found))


def with_codes_only(image_set: ImageSet, codes: Codes) -> ImageSet:
    """The image set without the images that could not be decoded when the codes were read."""
    if not codes.set_aside:
        return image_set
    kept = set(codes.names)
    return replace(
        image_set,
        images=tuple(image for image in image_set.images if image.name in kept),
        set_aside=(*image_set.set_aside, *codes.set_aside),
        class_names=image_set.classes,
    )
