"""The four rules of thumb: which applies, and whether it held."""

from dataclasses import replace
from typing import Literal

import pytest

from unfreeze.advisor.fact_finding import facts
from unfreeze.advisor.rules import carries_out, held, predicted, rule_finding
from unfreeze.core.facts import Family, Prediction, Rival, Similarity
from unfreeze.core.strategies import (
    FULL,
    HEAD,
    SCRATCH,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_BEST,
    SVM_ON_LAST,
    StrategyId,
    unfreeze,
)


def prediction(per_class: int, classes: int, similarity: float | None) -> Prediction:
    """For equal classes."""
    labels = [str(cls) for cls in range(classes) for _ in range(per_class)]
    found = Similarity(value=similarity, because="no BatchNorm" if similarity is None else "")
    return predicted(facts(labels, [224] * len(labels), input_size=224, similarity=found))


@pytest.mark.parametrize(
    ("per_class", "classes", "similarity", "rule", "family"),
    [
        (122, 2, 0.78, 1, "linear on the last codes"),  # ants and bees
        (14, 136, 0.29, 2, "linear on earlier codes"),  # letters
        (833, 10, 0.56, 3, "fine-tune the whole network"),  # animals and vehicles
        (490, 10, 0.44, 4, "train the whole network from the pretrained weights"),  # satellite images
        (500, 2, 0.5, 1, "linear on the last codes"),  # 1,000 are not more than 1,000; the middle is similar
        (501, 2, 0.5, 3, "fine-tune the whole network"),
        (99, 100, 0.9, 1, "linear on the last codes"),  # many images, but few of each class
    ],
)
def test_size_and_similarity_decide_the_rule(
    per_class: int, classes: int, similarity: float, rule: int, family: Family
) -> None:
    """Each quadrant of the table of CS231n's notes has its number and its strategy, and the sentence says why."""
    found = prediction(per_class, classes, similarity)

    assert (found.rule, found.family) == (rule, family)
    assert found.sentence.startswith(f"Rule {rule}: ")
    assert f"{per_class * classes:,} images" in found.sentence
    assert f"similarity {similarity:.2f}" in found.sentence


def test_no_rule_without_similarity() -> None:
    """Where similarity does not apply, no rule does, and the reason is passed on to the end."""
    found = prediction(10, 2, None)

    assert (found.rule, found.family, found.likeness) == (None, None, None)
    assert "no BatchNorm" in found.sentence
    assert held(found, HEAD, "90.0 %", []).answer == "cannot tell"


@pytest.mark.parametrize(
    ("strategy", "families"),
    [
        (SOFTMAX_ON_LAST, {"linear on the last codes"}),
        (SVM_ON_LAST, {"linear on the last codes"}),
        (SOFTMAX_ON_BEST, {"linear on earlier codes"}),
        (SVM_ON_BEST, {"linear on earlier codes"}),
        (HEAD, {"linear on the last codes"}),
        (unfreeze(2), set()),
        (FULL, {"fine-tune the whole network", "train the whole network from the pretrained weights"}),
        (SCRATCH, set()),
    ],
)
def test_strategies_carry_out_families(strategy: StrategyId, families: set[Family]) -> None:
    """Every family has its strategies; unfreezing some blocks and random weights are no rule's."""
    every = {prediction(per_class, 10, value).family for per_class in (10, 200) for value in (0.2, 0.8)}

    assert {family for family in every if family and carries_out(family, strategy)} == families


def rival(
    strategy: StrategyId, answer: Literal["better", "worse", "equivalent", "cannot tell"], *, is_cheaper: bool = False
) -> Rival:
    """At 90 %."""
    return Rival(strategy=strategy, gain=0.05, shown="90.0 %", answer=answer, is_cheaper=is_cheaper)


def test_a_rule_holds_if_nothing_is_better_or_as_good_for_less() -> None:
    """Worse rivals, and equivalent ones that cost more, leave it standing."""
    found = held(prediction(122, 2, 0.8), HEAD, "93.5 %", [rival(FULL, "worse"), rival(unfreeze(2), "equivalent")])

    assert found.answer == "held"
    assert found.sentence == (
        "The rule of thumb said: linear on the last codes (rule 1); measured: head 93.5 %, and nothing else that "
        "was measured was better, or as good for less. It held."
    )


def test_a_better_rival_refutes_it_whatever_else_is_unsettled() -> None:
    """The best of the better rivals is named."""
    rivals = [
        rival(HEAD, "cannot tell"),
        rival(unfreeze(1), "better"),
        replace(rival(FULL, "better"), gain=0.1, shown="95.0 %"),
    ]
    found = held(prediction(14, 136, 0.3), SOFTMAX_ON_BEST, "78.0 %", rivals)

    assert found.answer == "did not hold"
    assert found.sentence == (
        "The rule of thumb said: linear on earlier codes (rule 2); measured: softmax on the best tap 78.0 %, "
        "and full, 95.0 %, is better. It did not hold."
    )


def test_an_equivalent_cheaper_rival_refutes_it() -> None:
    """Advice to fine-tune everything does not hold where the head does as well."""
    found = held(prediction(833, 10, 0.6), FULL, "90.0 %", [rival(HEAD, "equivalent", is_cheaper=True)])

    assert found.answer == "did not hold"
    assert "does as well for less" in found.sentence


@pytest.mark.parametrize("rivals", [[], [rival(HEAD, "worse"), rival(unfreeze(2), "cannot tell")]])
def test_what_is_not_settled_cannot_be_told(rivals: list[Rival]) -> None:
    """No rivals, or one that is not settled, give no answer; nor does a strategy that was never measured."""
    rule = prediction(833, 10, 0.6)

    assert held(rule, FULL, "90.0 %", rivals).answer == "cannot tell"
    assert held(rule, None, "", [rival(HEAD, "worse")]).answer == "cannot tell"


@pytest.mark.parametrize(
    ("per_class", "similarity", "code"),
    [(10, None, "UF120"), (10, 0.9, "UF121"), (10, 0.1, "UF122"), (900, 0.9, "UF123"), (900, 0.1, "UF124")],
)
def test_every_rule_is_a_finding_of_its_own(per_class: int, similarity: float | None, code: str) -> None:
    """Each of the four rules, and that none applies, is a note with its code and the sentence of the prediction."""
    rule = prediction(per_class, 2, similarity)
    found = rule_finding(rule)

    assert (found.code, found.severity, found.sentence) == (code, "note", rule.sentence)


def test_what_was_predicted_stays_in_the_record() -> None:
    """Whatever came of it, the record of a rule holds the prediction that was made."""
    for rule in (prediction(10, 2, None), prediction(122, 2, 0.8)):
        assert held(rule, HEAD, "90.0 %", [rival(FULL, "worse")]).prediction == rule
