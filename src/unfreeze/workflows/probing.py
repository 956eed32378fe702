"""Linear classifiers at every tap, on one split: the depth curve."""

from collections.abc import Sequence

from unfreeze.core.documents import ProbeRecord
from unfreeze.core.file_names import as_written
from unfreeze.core.records import CodeCounts
from unfreeze.core.settings import ImageSettings
from unfreeze.core.strategies import Loss
from unfreeze.data.tasks import make_task
from unfreeze.features.extraction import codes_of, with_codes_only
from unfreeze.features.resources import Resources
from unfreeze.strategies.depth_curve import LOSSES, ProbeSpec, depth_points, fit_tap_probes
from unfreeze.workflows.reading import Phases, frozen_network, known_tap, say_what_weights, split_images


def probe(
    settings: ImageSettings,
    resources: Resources,
    *,
    tap: str | None = None,
    losses: Sequence[Loss] = LOSSES,
    phases: Phases | None = None,
) -> ProbeRecord:
    """Fit linear classifiers on the codes at every tap, and measure them on the test part.

    Args:
        settings: Which images and which network.
        resources: Decoders, progress and cache.
        tap: The only tap that is wanted, ``last`` being the last one; None for all.
        losses: Which linear classifiers.
        phases: Where seconds are noted; counted from now if None.

    Returns:
        The depth curve.

    Raises:
        UnfreezeError: The images or the network cannot be used, or there is no such tap.
    """
    phases = phases or Phases()
    # First, since a mistake in a name should not cost an inspection.
    network = frozen_network(settings, resources.cache)
    taps = known_tap(tap, network.card.taps)
    say_what_weights(settings.weights, network.card, resources.progress)
    phases.started()
    with phases.timed("decode"):
        image_set = split_images(settings, network.card, resources)
    network = network.with_levels(image_set.levels)
    with phases.timed("prefix"):
        codes = codes_of(image_set, network, resources, settings.request)
    image_set = with_codes_only(image_set, codes)
    with phases.timed("probes"):
        task = make_task(image_set, seed=settings.seed)
        split = task.everything()
        specs = [ProbeSpec(split, name, loss) for name in taps for loss in losses]
        with resources.progress.phase("probes", total=len(specs), unit="probe") as advance:
            probes = fit_tap_probes({name: codes.by_tap[name] for name in taps}, task, specs, advance=advance)
        points = depth_points(split, probes, task)
    return ProbeRecord(
        source=as_written(settings.source),
        network=network.card.name,
        weights=network.card.source,
        images=image_set.counts,
        skipped=dict(image_set.skipped),
        classes=image_set.classes,
        train_images=len(task.train_rows),
        test_images=len(task.test_rows),
        depth_curve=points,
        codes=CodeCounts(computed=codes.computed, reused=codes.reused),
        seed=settings.seed,
        phases=phases.all(),
    )
