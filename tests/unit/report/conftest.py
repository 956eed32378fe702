"""A run's document with everything in it, and strangers' names."""

from typing import Any

import pytest

from unfreeze.core.records import Audit, Comparison, DepthPoint, ImageCounts, Interval, Outcome, RunRecord

HOSTILE = "<script>alert(1)</script>\x1b[31m & [red]{{ 7*7 }}"


def run_record(*, interrupted: bool = False) -> RunRecord:
    """A small run that picked the head."""
    audit = Audit(
        frozen_tensors=3, frozen_unchanged=True, codes_difference=0.0, codes_agree=True, optimizer_matches=True
    )
    head = Outcome(
        name="head",
        kind="head",
        trained="the head alone",
        accuracy=0.93,
        interval=Interval(0.88, 0.96),
        balanced_accuracy=0.925,
        seconds=12.0,
        predictions=(0, 1),
        audit=audit,
        log_loss=0.2,
        selection_accuracy=0.91,
    )
    left_out = Outcome(
        name="full", kind="full", trained="everything", blocks=None, status="left out", note="needs 40 min of 15 min"
    )
    points = [("blocks.0", 0.62), ("blocks.1", 0.74), ("last", 0.70)]
    return RunRecord(
        command={"source": f"/photos/{HOSTILE}", "unfreeze": 2},
        versions={"unfreeze": "0.1.0", "torch": "2.10"},
        images=ImageCounts(found=5, used=3, set_aside=1, duplicates_removed=1),
        classes=("ants", HOSTILE),
        set_aside=({"name": f"ants/{HOSTILE}.jpg", "reason": "truncated"},),
        duplicates=({"name": "a.jpg", "same_as": "b.jpg", "why": "same pixels"},),
        warnings=("Few images.",),
        train_images=("x",),
        test_images=("y", "z"),
        test_labels=(0, 1),
        test_groups=("", ""),
        network={"name": "tf_efficientnet_lite0", "size": 224, "mean": (0.5, 0.5, 0.5), "taps": ("blocks.0", "last")},
        depth_curve=tuple(
            DepthPoint(tap=tap, width=16, loss=loss, C=0.01, cv_accuracy=accuracy, accuracy=accuracy)
            for tap, accuracy in points
            for loss in ("softmax", "svm")
        ),
        strategies=() if interrupted else (head, left_out),
        comparisons=(
            Comparison(
                first="softmax on the last codes",
                second="head",
                difference=-0.01,
                interval=Interval(-0.03, 0.01),
                disagreements=2,
                answer="cannot tell",
            ),
        ),
        picked=None if interrupted else "head",
        picked_because="It was the best on the folds.",
        verdict=() if interrupted else ("The head alone is enough here.", f"Mind {HOSTILE}."),
        model=None if interrupted else "model",
        codes={"computed": 3, "reused": 0},
        phases={"inspect": 0.2},
        forecasts=(),
        seconds=75.0,
        seed=0,
        budget_seconds=900.0,
        interrupted=interrupted,
    )


@pytest.fixture
def document() -> dict[str, Any]:
    """What run.json holds after a whole run."""
    return run_record().to_json()


@pytest.fixture
def interrupted_document() -> dict[str, Any]:
    """What run.json holds after Ctrl-C during the first trial."""
    return run_record(interrupted=True).to_json()
