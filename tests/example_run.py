"""An example record with everything in it, and strangers' names; other tests may build theirs from it."""

from typing import Any

from unfreeze.advisor.verdict import verdict
from unfreeze.core.facts import GainForecast
from unfreeze.core.records import Audit, Comparison, Confirmation, Cost, DepthPoint, FolderStep, ImageCounts, Interval, LearningCurve, LearningCurves, Outcome, RunRecord, Settling, SplitRecord, Winner
from unfreeze.core.settings import Metric

HOSTILE = "<script>alert(1)</script>\x1b[31m & [red]{{ 7*7 }}"
SPLITS, TESTED, TRAIN, TEST = 10, 80, 400, 300
AUDIT = Audit(frozen_tensors=3, frozen_unchanged=True, codes_difference=0.0, codes_agree=True, optimizer_matches=True)


def outcome(name: str, kind: str, accuracy: float, seconds: float, **other: Any) -> Outcome:
    """A strategy that was measured on all splits."""
    settings: dict[str, Any] = {
        "trained": name,
        "splits": SPLITS,
        "interval": Interval(accuracy - 0.03, accuracy + 0.025),
        "balanced_accuracy": accuracy - 0.005,
        "log_loss": None if name.startswith("svm") else 2 * (1 - accuracy),
        "predictions": ((0, 1) * (TESTED // 2),) * SPLITS,
        "cost": Cost(
            seconds=seconds,
            preparation_seconds=0.25 * seconds,
            split_seconds=(0.065 * seconds,) * SPLITS,
            refit_seconds=0.1 * seconds,
            cpu_seconds=1.9 * seconds,
            peak_bytes=1_400_000_000,
        ),
        "audit": None if kind == "probe" else AUDIT,
    }
    return Outcome(name=name, kind=kind, accuracy=accuracy, **{**settings, **other})  # type: ignore[arg-type]


def step(
    first: str, second: str, difference: float, answer: str, likely: tuple[float, float, float], **other: Any
) -> Comparison:
    """A step on all splits with its probabilities of worse, equivalent and better."""
    settings: dict[str, Any] = {
        "interval": Interval(difference - 0.018, difference + 0.018),
        "splits": SPLITS,
        "disagreements": 42,
        "predictions": SPLITS * TESTED,
    }
    worse, equivalent, better = likely
    return Comparison(
        first=first,
        second=second,
        difference=difference,
        answer=answer,  # type: ignore[arg-type]
        worse=worse,
        equivalent=equivalent,
        better=better,
        **{**settings, **other},
    )


CONFIRMED = Confirmation(
    accuracy=0.937, interval=Interval(0.903, 0.960), balanced_accuracy=0.931, log_loss=0.18, predictions=(0,) * TEST
)
FOLDER_STEP = FolderStep(
    first="softmax on the last codes",
    second="unfreeze 2",
    difference=0.042,
    interval=Interval(0.011, 0.073),
    seeds=3,
    seeds_differ=True,
)
STRATEGIES = (
    outcome("softmax on the last codes", "probe", 0.878, 0.6, trained="a linear classifier on the last codes"),
    outcome("svm on the last codes", "probe", 0.872, 0.8, trained="a linear classifier on the last codes"),
    outcome(
        "softmax on the best tap",
        "probe",
        0.905,
        2.4,
        trained="a linear classifier on codes of the best tap",
        tap="blocks.1",
        deliverable=False,
    ),
    outcome("head", "head", 0.879, 12.0, trained="the head alone"),
    outcome("unfreeze 1", "unfreeze", 0.915, 95.0, trained="the last block and the head", blocks=1),
    outcome(
        "unfreeze 2",
        "unfreeze",
        0.921,
        200.0,
        trained="the last 2 blocks and the head",
        blocks=2,
        confirmation=CONFIRMED,
        curve=(0.9, 0.5, 0.3),
    ),
    outcome(
        "unfreeze 4",
        "unfreeze",
        0.899,
        170.0,
        trained="the last 4 blocks and the head",
        blocks=4,
        splits=5,
        status="dropped",
        note="after 5 splits it was 2 points behind unfreeze 2",
    ),
    Outcome(
        name="full", kind="full", trained="everything", blocks=None, status="left out", note="needs 40 min of 15 min"
    ),
)
COMPARISONS = (
    step(
        "softmax on the last codes",
        "head",
        0.001,
        "equivalent",
        (0.008, 0.984, 0.008),
        interval=Interval(-0.004, 0.006),
    ),
    step("head", "unfreeze 1", 0.036, "worth it", (0.001, 0.008, 0.991)),
    step("head", "unfreeze 2", 0.042, "worth it", (0.0, 0.003, 0.997)),
    step("head", "unfreeze 4", 0.020, "cannot tell", (0.03, 0.17, 0.8), splits=5, settling=Settling(kind="splits")),
    step(
        "unfreeze 1",
        "unfreeze 2",
        0.006,
        "cannot tell",
        (0.06, 0.62, 0.32),
        settling=Settling(kind="images", low=300, high=500),
    ),
    step("unfreeze 2", "unfreeze 4", -0.022, "not worth it", (0.88, 0.117, 0.003), splits=5),
    step(
        "softmax on the last codes",
        "svm on the last codes",
        -0.006,
        "cannot tell",
        (0.3, 0.6, 0.1),
        settling=Settling(kind="beyond"),
    ),
    step("softmax on the last codes", "softmax on the best tap", 0.027, "worth it", (0.0, 0.02, 0.98)),
    step("unfreeze 2", "softmax on the best tap", -0.016, "not worth it", (0.76, 0.235, 0.005)),
)
WINNER = Winner(name="unfreeze 2", naive=0.921, corrected=0.917, interval=Interval(0.889, 0.939), among=5)
LEARNING = LearningCurves(
    metric="accuracy",
    probe=LearningCurve(
        strategy="softmax on the last codes",
        splits=10,
        sizes=(40, 80, 160, 320),
        scores=(0.79, 0.83, 0.86, 0.878),
        bands=(Interval(0.74, 0.84), Interval(0.79, 0.87), Interval(0.83, 0.89), Interval(0.85, 0.906)),
        ahead=(640, 1280),
        expected=(0.892, 0.903),
        expected_bands=(Interval(0.863, 0.921), Interval(0.868, 0.938)),
    ),
    fine_tuning=LearningCurve(
        strategy="unfreeze 2",
        splits=5,
        sizes=(80, 160, 320),
        scores=(0.81, 0.875, 0.921),
        bands=(Interval(0.75, 0.87), Interval(0.83, 0.92), Interval(0.89, 0.952)),
        ahead=(640, 1280),
        expected=(0.948, 0.967),
        expected_bands=(Interval(0.92, 0.976), Interval(0.935, 0.999)),
    ),
    overtakes="already ahead",
    between=None,
)
RULE = {
    "code": "R3",
    "predicts": "fine-tuning",
    "held": True,
    "sentence": "The rule of thumb said that more than the head should be trained; measured: so it is, the rule held.",
}


GAIN_FORECASTS = (
    GainForecast(
        strategy="head",
        over="softmax on the best tap",
        gain=-0.012,
        low=-0.05,
        high=0.026,
        pays=0.12,
        better_than_mean=True,
        better_than_rate=True,
    ),
    GainForecast(
        strategy="unfreeze 1",
        over="head",
        gain=0.021,
        low=-0.02,
        high=0.062,
        pays=0.64,
        better_than_mean=False,
        better_than_rate=False,
    ),
)


def curve() -> tuple[DepthPoint, ...]:
    """Two losses at three taps; the one in the middle is best."""
    return tuple(
        DepthPoint(tap=tap, width=16, loss=loss, C=0.01, cv_accuracy=accuracy - 0.01, accuracy=accuracy - behind)
        for tap, accuracy in (("blocks.0", 0.82), ("blocks.1", 0.905), ("last", 0.878))
        for loss, behind in (("softmax", 0.0), ("svm", 0.006))
    )


def run_record(*, interrupted: bool = False, metric: Metric = "accuracy", test_folder: bool = True) -> RunRecord:
    """An example run that picked ``unfreeze 2``.

    Args:
        interrupted: It was stopped before the first strategy was measured.
        metric: What decides.
        test_folder: Whether the user has a test folder.

    Returns:
        The record, its verdict written from its parts.
    """
    strategies, comparisons = ((), ()) if interrupted else (STRATEGIES, COMPARISONS)
    splits = 0 if interrupted else SPLITS
    test = TEST if test_folder else 0
    picked = next((o for o in strategies if o.name == "unfreeze 2"), None)
    winner = None if interrupted else WINNER
    sentences = verdict(
        strategies,
        comparisons,
        picked=picked,
        winner=winner,
        depth_curve=curve(),
        metric=metric,
        margin=0.01,
        train_size=TRAIN,
        splits=splits,
        test_size=test,
        rule={} if interrupted else RULE,
        interrupted=interrupted,
        test_looks=2 if test_folder else 0,
        folder_step=FOLDER_STEP if test_folder else None,
        learning_curve=None if interrupted else LEARNING,
    )
    return RunRecord(
        command={"source": f"/photos/{HOSTILE}", "unfreeze": 2},
        versions={"unfreeze": "0.1.0", "torch": "2.10"},
        images=ImageCounts(found=TRAIN + test + 2, used=TRAIN + test, set_aside=1, duplicates_removed=1),
        classes=("ants", HOSTILE),
        set_aside=({"name": f"ants/{HOSTILE}.jpg", "reason": "truncated"},),
        duplicates=({"name": "a.jpg", "same_as": "b.jpg", "why": "same pixels"},),
        warnings=("Few images.",),
        train_images=tuple(f"{number}.jpg" for number in range(TRAIN)),
        train_labels=(0, 1) * (TRAIN // 2),
        train_groups=("",) * TRAIN,
        test_images=tuple(f"test/{number}.jpg" for number in range(test)),
        test_labels=(0, 1) * (test // 2),
        test_groups=("",) * test,
        splits=tuple(SplitRecord(number=number, test=tuple(range(TESTED))) for number in range(splits)),
        metric=metric,
        metric_because="The classes are about equally frequent.",
        margin=0.01,
        facts={"images per class": [200, 200], "imbalance": 1.0, "similarity": {"value": 0.62, "dead channels": 3}},
        rule={} if interrupted else RULE,
        network={"name": "tf_efficientnet_lite0", "size": 224, "mean": (0.5, 0.5, 0.5), "taps": ("blocks.0", "last")},
        depth_curve=curve(),
        strategies=strategies,
        comparisons=comparisons,
        winner=winner,
        race=()
        if interrupted
        else (
            "The probes and the head were measured on 5 splits, since they cost next to nothing.",
            "unfreeze 4 was dropped after 5 splits: 2 points behind unfreeze 2.",
            f"Strangers are named {HOSTILE}.",
        ),
        picked=None if interrupted else "unfreeze 2",
        picked_because="" if interrupted else "It is the cheapest within one standard error of the best.",
        verdict=sentences,
        model=None if interrupted else "model",
        codes={"computed": 300, "reused": 400},
        phases={"inspect": 0.2, "codes": 3.1},
        forecasts=(),
        gain_forecasts=GAIN_FORECASTS,
        seconds=485.0,
        seed=0,
        budget_seconds=900.0,
        interrupted=interrupted,
        test_looks=2 if test_folder else 0,
        folder_step=FOLDER_STEP if test_folder else None,
        learning_curve=None if interrupted else LEARNING,
    )
