"""The feature extractor's best answer: a linear classifier on the codes of all taps, or of those that folds pick."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from unfreeze.core.plans import ProbeSettings
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.readouts import STATISTICS, Readout, Statistic
from unfreeze.core.records import Outcome
from unfreeze.core.strategies import LINEAR_ON_ALL
from unfreeze.core.wording import count
from unfreeze.data.tasks import Split
from unfreeze.probes.joined import search_joined
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.strategy import Fit
from unfreeze.zoo.tap_classifier import TapClassifier

_NAMES = {"ridge": "ridge classifier", "softmax": "linear softmax"}
_PLURALS = {"mean": "means", "deviation": "deviations", "maximum": "maxima", "grid": "2 x 2 grids"}
# What is read of every tap, from the group with fewest codes to that with most; before them, the last codes alone.
_WITH_MORE: tuple[tuple[Statistic, ...], ...] = (
    ("mean",),
    ("mean", "deviation"),
    ("mean", "deviation", "grid"),
    ("mean", "deviation", "grid", "maximum"),
)


@dataclass(frozen=True, eq=False)
class JoinedStrategy:
    """One linear classifier on many readouts joined; which, and how regular, is chosen inside each split.

    Attributes:
        experiment: Task, network, codes with their details.
    """

    experiment: Experiment

    work = 0
    refit_seconds = 0.0  # some moments
    training = None

    @property
    def outcome(self) -> Outcome:
        """What it is."""
        return Outcome(
            strategy=LINEAR_ON_ALL,
            description="linear classifier on the codes of all taps, of which cross-validation picks",
        )

    def fit(self, split: Split, *, advance: Advance = ignore) -> Fit:  # noqa: ARG002 - it passes over no images
        """Choose, fit, and score the test rows."""
        experiment, readouts = self.experiment, self.experiment.codes.readouts
        codes = [experiment.codes.at(readout) for readout in readouts]
        found = search_joined(
            [of_readout[split.learn] for of_readout in codes],
            experiment.task.labels[split.learn],
            split.folds_in_learn,
            groups=reading_groups(readouts),
            class_count=experiment.task.class_count,
            balanced=experiment.balanced,
            advance=experiment.progress.checkpoint,
        )
        read = tuple(readouts[place] for place in found.group)
        return Fit(
            scores=found.scores(codes, split.test),
            temperature=found.held_out_temperature,
            model=TapClassifier(backbone=experiment.source, readouts=read, weight=found.weight, bias=found.bias),
            settings=ProbeSettings(
                loss=found.loss,
                C=found.C,
                Cs=found.Cs,
                cv_accuracy=found.cv_accuracy,
                readouts=tuple(readout.name for readout in read),
            ),
            tap=read[-1].tap,
            description=f"{_NAMES[found.loss]} on {found.weight.shape[1]:,} codes: {in_words(read)}",
        )


def reading_groups(readouts: Sequence[Readout]) -> list[tuple[int, ...]]:
    """What may be read together: the last codes, those of all taps, and these with more and more details.

    Taps were tried as groups too (those from the second, third and so on; Head2Toe, arXiv:2201.03529, picks single
    codes): on train folds of four sets they gained 0.3 points at most over the best group here, and lost up to 1.6.

    Args:
        readouts: Of a network, shallow to deep.

    Returns:
        Places in `readouts`, the smallest group first, each group once.
    """
    last = readouts[-1].tap
    groups = [tuple(place for place, one in enumerate(readouts) if one == Readout(last))]
    groups += [tuple(place for place, one in enumerate(readouts) if one.statistic in read) for read in _WITH_MORE]
    return list(dict.fromkeys(groups))


def in_words(readouts: Sequence[Readout]) -> str:
    """Readouts as part of a sentence.

    Example:
        >>> in_words([Readout("stem"), Readout("stem", "deviation"), Readout("last")])
        'means of 2 taps, deviations of 1 tap'
    """
    taps = Counter(readout.statistic for readout in readouts)
    return ", ".join(f"{_PLURALS[one]} of {count(taps[one], 'tap')}" for one in STATISTICS if taps[one])
