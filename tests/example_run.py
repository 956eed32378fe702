"""An example record with everything in it, and strangers' names; other tests may build theirs from it."""

from pathlib import Path
from typing import Any

from unfreeze.advisor.details import details
from unfreeze.advisor.verdict import verdict
from unfreeze.core.cards import Card
from unfreeze.core.facts import Facts, Prediction, RuleRecord, Similarity
from unfreeze.core.findings import finding
from unfreeze.core.plans import (
    LIGHT,
    NONE,
    Arithmetic,
    Plan,
    ProbeSettings,
    Rule,
    Timed,
    TrainingSettings,
)
from unfreeze.core.records import (
    Abstaining,
    Answer,
    Answered,
    Audit,
    Calibration,
    CodeCounts,
    Comparison,
    Confirmation,
    Cost,
    DepthPoint,
    Duplicate,
    FolderStep,
    ImageCounts,
    Interval,
    LearningCurve,
    LearningCurves,
    ModelCost,
    Outcome,
    Reliability,
    ReliabilityBin,
    Screened,
    ScreenedResize,
    SetAside,
    Settling,
    SplitRecord,
    TimeForecast,
    Winner,
)
from unfreeze.core.run_record import RunRecord, RunResults
from unfreeze.core.settings import EngineSettings, Metric, StudySettings
from unfreeze.core.strategies import (
    FULL,
    HEAD,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_LAST,
    Loss,
    StrategyId,
    unfreeze,
)

HOSTILE = "<script>alert(1)</script>\x1b[31m & [red]{{ 7*7 }}"
SPLITS, TESTED, TRAIN, TEST = 10, 80, 400, 300
WHOLE = ModelCost(megabytes=13.5, milliseconds_an_image=16.25)
CUT = ModelCost(megabytes=2.04, deepest_tap="blocks.1", milliseconds_an_image=9.5)
AUDIT = Audit(frozen_tensors=3, frozen_unchanged=True, codes_difference=0.0, codes_agree=True, optimizer_matches=True)

COMMAND = StudySettings(
    source=Path(f"/photos/{HOSTILE}"),
    strategies=(1, 2, "unfreeze-4", "full"),
    request=EngineSettings(engine="torch", precision="bf16"),
)
CARD = Card(
    name="tf_efficientnet_lite0",
    library="timm",
    source=f"package {HOSTILE}",
    licence="Apache-2.0",
    weights_sha256="0" * 64,
    size=224,
    crop_pct=0.875,
    crop_mode="center",
    interpolation="bicubic",
    channels="RGB",
    scale=255.0,
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    parameters=4_652_008,
    num_features=1280,
    blocks=("blocks.0", "blocks.1", "conv_head"),
    taps=("blocks.0", "blocks.1", "last"),
    head="classifier",
)
FACTS = Facts(
    images=TRAIN,
    classes=2,
    smallest_class=TRAIN // 2,
    median_class=TRAIN / 2,
    largest_class=TRAIN // 2,
    imbalance=1.0,
    balance=1.0,
    is_imbalanced=False,
    median_side=480.0,
    small_images=0.02,
    groups=None,
    similarity=Similarity(
        value=0.62,
        divergence=0.058,
        layers=49,
        channels=9_120,
        dead_channels=3,
        images=224,
        input_size=224,
        confidence=0.41,
    ),
    peak_tap="blocks.1",
    peak_depth=0.5,
    peak_gain=0.027,
    probe_accuracy=0.868,
)
FINDINGS = (
    finding("UF104", "Few images.", "Add some.", images=(f"ants/{HOSTILE}.jpg",)),
    finding("UF123", "Rule 3: with many images like the source's, fine-tuning the whole network is best."),
)
RULE = RuleRecord(
    prediction=Prediction(
        rule=3,
        sentence="Rule 3: with many images like the source's, fine-tuning the whole network is best.",
        family="fine-tune the whole network",
        size="large",
        likeness="similar",
    ),
    answer="held",
    sentence="The rule of thumb said that more than the head should be trained; measured: so it is, the rule held.",
)
NO_RULE = RuleRecord(
    prediction=Prediction(
        rule=None, sentence="No rule of thumb applies: interrupted.", family=None, size="small", likeness=None
    ),
    answer="cannot tell",
    sentence="No rule of thumb applies: interrupted.",
)


def outcome(strategy: StrategyId, accuracy: float, seconds: float, **other: Any) -> Outcome:
    """A strategy that was measured on all splits."""
    svm, splits = strategy.loss == "svm", other.get("splits", SPLITS)
    settings: dict[str, Any] = {
        "description": strategy.in_words,
        "splits": SPLITS,
        "interval": Interval(accuracy - 0.03, accuracy + 0.025),
        "balanced_accuracy": accuracy - 0.005,
        "log_loss": None if svm else 2 * (1 - accuracy),
        "predictions": ((0, 1) * (TESTED // 2),) * splits,
        "log_likelihoods": () if svm else ((-0.125,) * TESTED,) * splits,
        "cost": Cost(
            seconds=seconds,
            preparation_seconds=0.25 * seconds,
            split_seconds=(0.065 * seconds,) * SPLITS,
            refit_seconds=0.1 * seconds,
            cpu_seconds=1.9 * seconds,
            peak_bytes=1_400_000_000,
        ),
        "audit": None if strategy.kind == "probe" else AUDIT,
        "model_cost": CUT if strategy.taps == "best" else WHOLE,
    }
    return Outcome(strategy=strategy, accuracy=accuracy, **{**settings, **other})


def step(
    first: StrategyId,
    second: StrategyId,
    difference: float,
    answer: Answer,
    likely: tuple[float, float, float],
    **other: Any,
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
        answer=answer,
        worse=worse,
        equivalent=equivalent,
        better=better,
        **{**settings, **other},
    )


def probed(loss: Loss) -> ProbeSettings:
    """How a linear classifier was fitted."""
    return ProbeSettings(loss=loss, C=0.01, Cs=(0.0001, 0.01, 1.0), cv_accuracy=0.87)


def trained(blocks: int, *, halvings: int = 0) -> TrainingSettings:
    """How some blocks were trained."""
    arithmetic = Arithmetic(layout="channels_last", precision="bfloat16", threads=1)
    return TrainingSettings(
        plan=Plan(
            strategy=unfreeze(blocks),
            rules=(Rule(r"conv_head\..*", 0.0007), Rule(r"classifier\..*", 0.001), Rule(".*", None)),
            augmentation=LIGHT,
            arithmetic=arithmetic,
        ),
        seconds_an_image=0.004,
        timed=(
            Timed(arithmetic=Arithmetic(layout="NCHW", precision="float32"), seconds=0.009, cost=0.017),
            Timed(arithmetic=arithmetic, seconds=0.004, cost=0.008),
        ),
        forecast_seconds=95.5,
        halvings=halvings,
    )


HEAD_TRAINED = TrainingSettings(
    plan=Plan(
        strategy=HEAD,
        rules=(Rule(r"classifier\..*", 1.0), Rule(".*", None)),
        optimizer="lbfgs",
        weight_decay=0.0,
        penalty=0.25,
        epochs=100,
        batch_size=None,
        warmup=0,
        averaging=None,
        clip_norm=None,
        label_smoothing=0.0,
        augmentation=NONE,
        views=0,
    )
)
CALIBRATION = Calibration(
    temperature=1.5,
    images=TRAIN,
    before=Reliability(
        log_loss=0.31,
        error=0.06,
        bins=(
            ReliabilityBin(images=100, confidence=0.75, accuracy=0.65, interval=Interval(0.55, 0.74)),
            ReliabilityBin(images=300, confidence=0.97, accuracy=0.92, interval=Interval(0.88, 0.95)),
        ),
    ),
    after=Reliability(
        log_loss=0.27,
        error=0.02,
        bins=(
            ReliabilityBin(images=140, confidence=0.7, accuracy=0.68, interval=Interval(0.6, 0.75)),
            ReliabilityBin(images=260, confidence=0.94, accuracy=0.95, interval=Interval(0.91, 0.97)),
        ),
    ),
    abstaining=(
        Abstaining(below=0.0, answered=Answered(images=400, right=340, accuracy=0.85, interval=Interval(0.81, 0.88))),
        Abstaining(
            below=0.55, answered=Answered(images=380, right=336, accuracy=336 / 380, interval=Interval(0.85, 0.91))
        ),
        Abstaining(
            below=0.75, answered=Answered(images=330, right=310, accuracy=310 / 330, interval=Interval(0.91, 0.96))
        ),
        Abstaining(
            below=0.9, answered=Answered(images=260, right=252, accuracy=252 / 260, interval=Interval(0.94, 0.99))
        ),
        Abstaining(
            below=0.98, answered=Answered(images=120, right=119, accuracy=119 / 120, interval=Interval(0.95, 1.0))
        ),
        Abstaining(below=0.99, answered=Answered(images=0, right=0, accuracy=None, interval=None)),
    ),
)
CONFIRMED = Confirmation(
    accuracy=0.937,
    interval=Interval(0.903, 0.960),
    balanced_accuracy=0.931,
    log_loss=0.18,
    predictions=(0,) * TEST,
    log_likelihoods=(-0.18,) * TEST,
)
FOLDER_STEP = FolderStep(
    first=SOFTMAX_ON_LAST,
    second=unfreeze(2),
    difference=0.042,
    interval=Interval(0.011, 0.073),
    seeds=3,
    seeds_differ=True,
)
STRATEGIES = (
    outcome(
        SOFTMAX_ON_LAST,
        0.878,
        0.6,
        description="a linear classifier on the last codes",
        tap="last",
        settings=probed("softmax"),
    ),
    outcome(
        SVM_ON_LAST,
        0.872,
        0.8,
        description="a linear classifier on the last codes",
        tap="last",
        settings=probed("svm"),
    ),
    outcome(
        SOFTMAX_ON_BEST,
        0.905,
        2.4,
        description="a linear classifier on codes of the best tap",
        tap="blocks.1",
        settings=probed("softmax"),
    ),
    outcome(HEAD, 0.879, 12.0, description="the head alone", settings=HEAD_TRAINED),
    outcome(unfreeze(1), 0.915, 95.0, description="the last block and the head", settings=trained(1)),
    outcome(
        unfreeze(2),
        0.921,
        200.0,
        description="the last 2 blocks and the head",
        confirmation=CONFIRMED,
        curve=(0.9, 0.5, 0.3),
        settings=trained(2, halvings=1),
        calibration=CALIBRATION,
    ),
    outcome(
        unfreeze(4),
        0.899,
        170.0,
        description="the last 4 blocks and the head",
        splits=5,
        status="dropped",
        note="after 5 splits it was 2 points behind unfreeze 2",
        settings=trained(4),
    ),
    Outcome(strategy=FULL, description="everything", status="left out", note="needs 40 min of 15 min"),
)
COMPARISONS = (
    step(SOFTMAX_ON_LAST, HEAD, 0.001, "equivalent", (0.008, 0.984, 0.008), interval=Interval(-0.004, 0.006)),
    step(HEAD, unfreeze(1), 0.036, "worth it", (0.001, 0.008, 0.991)),
    step(HEAD, unfreeze(2), 0.042, "worth it", (0.0, 0.003, 0.997)),
    step(HEAD, unfreeze(4), 0.020, "cannot tell", (0.03, 0.17, 0.8), splits=5, settling=Settling(kind="splits")),
    step(
        unfreeze(1),
        unfreeze(2),
        0.006,
        "cannot tell",
        (0.06, 0.62, 0.32),
        settling=Settling(kind="images", low=300, high=500),
    ),
    step(unfreeze(2), unfreeze(4), -0.022, "not worth it", (0.88, 0.117, 0.003), splits=5),
    step(
        SOFTMAX_ON_LAST,
        SVM_ON_LAST,
        -0.006,
        "cannot tell",
        (0.3, 0.6, 0.1),
        settling=Settling(kind="beyond"),
    ),
    step(SOFTMAX_ON_LAST, SOFTMAX_ON_BEST, 0.027, "worth it", (0.0, 0.02, 0.98)),
    step(unfreeze(2), SOFTMAX_ON_BEST, -0.016, "not worth it", (0.76, 0.235, 0.005)),
)
WINNER = Winner(strategy=unfreeze(2), naive=0.921, corrected=0.917, interval=Interval(0.889, 0.939), among=5)
LEARNING = LearningCurves(
    metric="accuracy",
    probe=LearningCurve(
        strategy=SOFTMAX_ON_LAST,
        splits=10,
        sizes=(40, 80, 160, 320),
        scores=(0.79, 0.83, 0.86, 0.878),
        bands=(Interval(0.74, 0.84), Interval(0.79, 0.87), Interval(0.83, 0.89), Interval(0.85, 0.906)),
        ahead=(640, 1280),
        expected=(0.892, 0.903),
        expected_bands=(Interval(0.863, 0.921), Interval(0.868, 0.938)),
    ),
    fine_tuning=LearningCurve(
        strategy=unfreeze(2),
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
TIME_FORECASTS = (
    TimeForecast(strategy=unfreeze(2), forecast_seconds=95.5, seconds=110.25, status="done"),
    TimeForecast(strategy=FULL, forecast_seconds=None, seconds=0.0, status="left out"),
)
SCREENING = (
    Screened(
        name="tf_efficientnet_lite0 at 224",
        backbone="tf_efficientnet_lite0",
        size=224,
        parameters=4_652_008,
        seconds_an_image=0.0123,
        splits=5,
        score=0.878,
        difference=0.0,
        standard_error=0.0,
        log_maximum_evidence=-0.31,
        h_score=0.72,
        neighbour_accuracy=0.81,
        picked=True,
    ),
    Screened(
        name="tf_efficientnet_lite0 at 96",
        backbone="tf_efficientnet_lite0",
        size=96,
        parameters=4_652_008,
        seconds_an_image=0.003,
        splits=5,
        score=0.80,
        difference=-0.078,
        standard_error=0.012,
        log_maximum_evidence=-0.42,
        h_score=0.64,
        neighbour_accuracy=0.7,
    ),
    Screened(
        name="big",
        backbone="big",
        size=224,
        parameters=90_000_000,
        seconds_an_image=0.4,
        largest=True,
        note="about 6 min are needed, and 2 min of the screening are left",
    ),
)

RESIZING = (
    ScreenedResize(resize="crop", splits=5, score=0.878, difference=0.0, interval=None, standard_error=None),
    ScreenedResize(
        resize="squash",
        splits=5,
        score=0.899,
        difference=0.021,
        interval=Interval(0.005, 0.037),
        standard_error=0.008,
        picked=True,
    ),
    ScreenedResize(
        resize="pad",
        splits=5,
        score=0.873,
        difference=-0.005,
        interval=Interval(-0.021, 0.011),
        standard_error=0.008,
    ),
)


def curve() -> tuple[DepthPoint, ...]:
    """Two losses at three taps; the one in the middle is best."""
    losses: tuple[tuple[Loss, float], ...] = (("softmax", 0.0), ("svm", 0.006))
    return tuple(
        DepthPoint(tap=tap, width=16, loss=loss, C=0.01, cv_accuracy=accuracy - 0.01, accuracy=accuracy - behind)
        for tap, accuracy in (("blocks.0", 0.82), ("blocks.1", 0.905), ("last", 0.878))
        for loss, behind in losses
    )


def _fold(number: int) -> tuple[int, ...]:
    """Places of the images that a split tests on: five of them test each once."""
    start = TESTED * (number % (TRAIN // TESTED))
    return tuple(range(start, start + TESTED))


def run_results(
    *, interrupted: bool = False, metric: Metric = "accuracy", test_folder: bool = True, screened: bool = False
) -> RunResults:
    """What an example run that picked ``unfreeze 2`` measured; arguments as for `run_record`."""
    splits = 0 if interrupted else SPLITS
    test = TEST if test_folder else 0
    return RunResults(
        command=COMMAND,
        versions={"unfreeze": "0.1.0", "torch": "2.10"},
        images=ImageCounts(found=TRAIN + test + 5, used=TRAIN + test, set_aside=1, duplicates_removed=1, skipped=3),
        classes=("ants", HOSTILE),
        set_aside=(SetAside(name=f"ants/{HOSTILE}.jpg", reason="truncated", sha256="f" * 64),),
        duplicates=(Duplicate(name="a.jpg", same_as="b.jpg", why="same pixels"),),
        skipped={"hidden or left by a system": 2, "dangling link": 1},
        findings=FINDINGS,
        train_images=tuple(f"{number}.jpg" for number in range(TRAIN)),
        train_labels=(0, 1) * (TRAIN // 2),
        train_groups=("",) * TRAIN,
        test_images=tuple(f"test/{number}.jpg" for number in range(test)),
        test_labels=(0, 1) * (test // 2),
        test_groups=("",) * test,
        splits=tuple(SplitRecord(number=number, test=_fold(number)) for number in range(splits)),
        metric=metric,
        metric_because="The classes are about equally frequent.",
        margin=0.01,
        facts=FACTS,
        rule=NO_RULE if interrupted else RULE,
        network=CARD,
        depth_curve=curve(),
        strategies=() if interrupted else STRATEGIES,
        comparisons=() if interrupted else COMPARISONS,
        winner=None if interrupted else WINNER,
        race=()
        if interrupted
        else (
            "The probes and the head were measured on 5 splits, since they cost next to nothing.",
            "unfreeze 4 was dropped after 5 splits: 2 points behind unfreeze 2.",
            f"Strangers are named {HOSTILE}.",
        ),
        picked=None if interrupted else unfreeze(2),
        picked_because="" if interrupted else "It is the cheapest within one standard error of the best.",
        model=None if interrupted else "model",
        codes=CodeCounts(computed=300, reused=400),
        phases={"inspect": 0.2, "codes": 3.1},
        forecasts=() if interrupted else TIME_FORECASTS,
        seconds=485.0,
        seed=0,
        budget_seconds=900.0,
        interrupted=interrupted,
        test_looks=2 if test_folder else 0,
        folder_step=FOLDER_STEP if test_folder else None,
        screening=SCREENING if screened else (),
        resizing=RESIZING if screened else (),
        learning_curve=None if interrupted else LEARNING,
    )


def run_record(
    *, interrupted: bool = False, metric: Metric = "accuracy", test_folder: bool = True, screened: bool = False
) -> RunRecord:
    """An example run that picked ``unfreeze 2``.

    Args:
        interrupted: It was stopped before the first strategy was measured.
        metric: What decides.
        test_folder: Whether the user has a test folder.
        screened: Whether its network, and how photos become squares, were chosen from three.

    Returns:
        The record, its verdict written from its results.
    """
    results = run_results(interrupted=interrupted, metric=metric, test_folder=test_folder, screened=screened)
    return RunRecord.of(results, verdict=verdict(results), details=details(results))
