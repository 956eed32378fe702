"""Plans as data."""

import pytest

from unfreeze.core.errors import PlanError
from unfreeze.core.plans import Augmentation, Plan, Rule
from unfreeze.core.strategies import FULL


def test_a_plan_that_covers_not_everything_is_refused() -> None:
    """The error names the parameter and the patterns."""
    plan = Plan(strategy=FULL, rules=(Rule(r"head\..*", 1e-3),))

    with pytest.raises(PlanError, match=r"No rule covers parameter 'stem.weight'.*head"):
        plan.rate_of("stem.weight")


def test_the_first_rule_that_matches_a_whole_name_wins() -> None:
    """A pattern that fits a part of a name is no match, and what is frozen stays so when rates are multiplied."""
    plan = Plan(strategy=FULL, rules=(Rule("stem", 9.0), Rule(r"stem\..*", None), Rule(".*", 0.5), Rule("head", 7.0)))

    assert [plan.rate_of(name) for name in ("stem.weight", "head")] == [None, 0.5]
    assert [plan.with_rates_times(3.0).rate_of(name) for name in ("stem.weight", "head")] == [None, 1.5]


@pytest.mark.parametrize(
    "recipe",
    [
        Augmentation(scale=(0.5, 1.0)),
        Augmentation(ratio=(0.9, 1.1)),
        Augmentation(flip=0.5),
        Augmentation(saturation=0.1),
        Augmentation(operations=1),
    ],
)
def test_whatever_changes_one_image_makes_views(recipe: Augmentation) -> None:
    """Each kind of variation alone is reason to remember more than one view of an image."""
    assert recipe.varies
