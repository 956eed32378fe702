"""What was measured before any training, in sentences."""

from dataclasses import replace

from unfreeze.core.facts import Similarity
from unfreeze.core.run_record import RunRecord
from unfreeze.report.fact_sentences import fact_sentences


def test_five_sentences_say_what_the_photos_are(record: RunRecord) -> None:
    """Numbers, sizes, groups, likeness and depth, with the numbers of the record."""
    assert fact_sentences(record) == (
        "There are 400 photos of 2 classes to learn from; the smallest class has 200, the largest 200, which is not "
        "strongly unequal.",
        "The shorter side of a photo is 480 pixels (median); the network takes 224, and 2.0 % of them have to be "
        "upscaled.",
        "No groups were named, so every photo counts as independent of the others.",
        "To the network they look much like the photos that it was trained on (similarity 0.62 of 1).",
        "The layer blocks.1 serves a linear classifier best in cross-validation, 2.7 points above the last layer "
        "(86.8 %).",
    )


def test_what_was_not_measured_says_so(record: RunRecord) -> None:
    """Still five sentences."""
    facts = replace(
        record.facts,
        similarity=Similarity(value=None, because="no BatchNorm"),
        peak_tap=None,
        groups=12,
        small_images=0.0,
    )
    _, sizes, groups, likeness, depth = fact_sentences(replace(record, facts=facts))

    assert sizes.endswith("and none has to be upscaled.")
    assert groups == "They come in 12 groups, each of which lies whole on one side of every split."
    assert likeness == "How like the network's own photos they are was not measured: no BatchNorm."
    assert depth == "Which layer serves a linear classifier best was not measured."
