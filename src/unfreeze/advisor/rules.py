"""The four rules of thumb, as numbered rules: what they predict before training, and whether they held.

| | similar | very different |
|---|---|---|
| small | 1: linear on the last codes | 2: linear on earlier codes |
| large | 3: fine-tune the whole network | 4: train the whole network from the pretrained weights |

They are those of the notes of Stanford's course CS231n, "Transfer Learning" (cs231n.github.io/transfer-learning), which
refer to Yosinski et al. (2014), How transferable are features in deep neural networks?, NIPS. Neither gives numbers for
small and similar: the thresholds below are ours. That of similarity was chosen with six sets in view, so that agreement
with what people call similar on those sets is no evidence for it.
"""

from collections.abc import Sequence

from unfreeze.core.facts import Facts, Family, Likeness, Prediction, Rival, RuleRecord, Size
from unfreeze.core.findings import Finding, finding
from unfreeze.core.strategies import StrategyId

# Large: more than 1,000 images, which is what the benchmark of adaptation from few examples gives each task (Zhai et
# al. 2019, VTAB-1k, arXiv:1910.04867), and at least 100 in the median class: the notes fear overfitting, and a class
# of 14 drawings overfits however many classes there are.
LARGE_IMAGES = 1000
LARGE_CLASS = 100

# Similar: the middle of the scale of similarity, a divergence of 0.1 nats per channel. Of six sets tried, photographs
# of things (insects, waste, animals and vehicles) lay above, satellite images, letters and metal surfaces below.
SIMILAR = 0.5

_RULES: dict[tuple[Size, Likeness], tuple[int, Family, str]] = {
    ("small", "similar"): (
        1,
        "linear on the last codes",
        "with few images like the source's, a linear classifier on the last codes is best",
    ),
    ("small", "very different"): (
        2,
        "linear on earlier codes",
        "with few images unlike the source's, a linear classifier on the codes of earlier layers is best",
    ),
    ("large", "similar"): (
        3,
        "fine-tune the whole network",
        "with many images like the source's, fine-tuning the whole network is best",
    ),
    ("large", "very different"): (
        4,
        "train the whole network from the pretrained weights",
        "with many images unlike the source's, training the whole network, from the pretrained weights, is best",
    ),
}


def predicted(facts: Facts) -> Prediction:
    """What the rule of thumb for these facts expects.

    Args:
        facts: Measured before any training.

    Returns:
        Rule, sentence and family; no rule where similarity could not be measured.
    """
    size: Size = "large" if facts.images > LARGE_IMAGES and facts.median_class >= LARGE_CLASS else "small"
    counted = f"{facts.images:,} images, {facts.median_class:,.0f} in the median class"
    value = facts.similarity.value
    if value is None:
        sentence = f"No rule of thumb applies: similarity to the source was not measured ({facts.similarity.because})."
        return Prediction(rule=None, sentence=sentence, family=None, size=size, likeness=None)
    likeness: Likeness = "similar" if value >= SIMILAR else "very different"
    rule, family, claim = _RULES[size, likeness]
    sentence = f"Rule {rule}: {claim} ({counted}: {size}; similarity {value:.2f}: {likeness})."
    return Prediction(rule=rule, sentence=sentence, family=family, size=size, likeness=likeness)


def rule_finding(prediction: Prediction) -> Finding:
    """What the rule of thumb says, as a finding: UF121 to UF124, or UF120 where none applies."""
    return finding(f"UF12{prediction.rule or 0}", prediction.sentence)


def carries_out(family: Family, strategy: StrategyId) -> bool:
    """Whether a strategy is what a family means.

    Args:
        family: Of a prediction.
        strategy: Which.

    Returns:
        True for strategies of the family. Both families of the whole network are carried out by ``full``.
    """
    if family == "linear on the last codes":
        return strategy.kind == "head" or strategy.taps == "last"
    if family == "linear on earlier codes":
        return strategy.taps == "best"
    return strategy.kind == "full"


def held(prediction: Prediction, best: StrategyId | None, score: str, rivals: Sequence[Rival]) -> RuleRecord:
    """Whether the rule of thumb held, in one sentence.

    It held if every rival is settled as worse, or as equivalent and no cheaper. It did not if one rival is settled as
    better, or as equivalent for less: the rule then advises against what is better or as good. Anything else cannot be
    told.

    Args:
        prediction: Made before training.
        best: The strategy of the predicted family that was measured; None if none was.
        score: What it reached, in words.
        rivals: The other strategies, each compared with it.

    Returns:
        The prediction, the answer and its sentence.
    """
    if prediction.family is None:
        return RuleRecord(prediction=prediction, answer="cannot tell", sentence=prediction.sentence)
    said = f"The rule of thumb said: {prediction.family} (rule {prediction.rule})"
    if best is None:
        sentence = f"{said}; measured: nothing of that kind. Cannot tell."
        return RuleRecord(prediction=prediction, answer="cannot tell", sentence=sentence)
    against = [rival for rival in rivals if rival.answer == "better"]
    against += [rival for rival in rivals if rival.answer == "equivalent" and rival.is_cheaper]
    unsettled = [rival for rival in rivals if rival.answer == "cannot tell"]
    measured = f"{said}; measured: {best.label} {score}"
    if against:
        rival = max((r for r in against if r.answer == against[0].answer), key=lambda rival: rival.gain)
        how = "is better" if rival.answer == "better" else "does as well for less"
        sentence = f"{measured}, and {rival.strategy.label}, {rival.shown}, {how}. It did not hold."
        return RuleRecord(prediction=prediction, answer="did not hold", sentence=sentence)
    if unsettled or not rivals:
        rest = _unsettled(unsettled) if unsettled else "nothing else"
        sentence = f"{measured}; {rest}. Cannot tell whether it holds here."
        return RuleRecord(prediction=prediction, answer="cannot tell", sentence=sentence)
    sentence = f"{measured}, and nothing else that was measured was better, or as good for less. It held."
    return RuleRecord(prediction=prediction, answer="held", sentence=sentence)


def _unsettled(rivals: Sequence[Rival]) -> str:
    listed = ", ".join(f"{rival.strategy.label} {rival.shown}" for rival in rivals)
    return f"not settled against {listed}"
