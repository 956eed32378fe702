"""What is doubtful about photos and their labels, as plain data."""

from dataclasses import dataclass

from unfreeze.core.findings import Finding
from unfreeze.core.records import Interval


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """An image whose label looks wrong.

    Attributes:
        image: Its name.
        given: Its class index.
        called: The class index that most classifiers call it.
        probability: Mean probability of its label to classifiers that have not learned from it.
        agree: Share of them that call it so.
    """

    image: str
    given: int
    called: int
    probability: float
    agree: float


@dataclass(frozen=True, kw_only=True)
class Regained:
    """What leaving out images with doubtful labels does to a linear classifier, on all others, by folds.

    Attributes:
        left_out: How many are left out of what is learned from; they are not tested either.
        tested: On how many others it is tested.
        before: Accuracy of the one that learns from all.
        after: Accuracy of the one that learns without them.
        gain: 95 % interval of the difference, over images; the same folds, so that training sets do not vary in it.
    """

    left_out: int
    tested: int
    before: float
    after: float
    gain: Interval


@dataclass(frozen=True, kw_only=True)
class LabelCheck:
    """Labels that look wrong.

    Attributes:
        judged: How many labels were judged.
        classifiers: By how many kinds of classifiers.
        suspects: Those that look wrong, the least probable first.
        regained: What leaving them out does; None without any, and where there was no time.
    """

    judged: int
    classifiers: int
    suspects: tuple[Suspect, ...] = ()
    regained: Regained | None = None


@dataclass(frozen=True, kw_only=True)
class PhotoCheck:
    """What is doubtful about photos.

    Attributes:
        findings: Each with its photos.
        labels: Which look wrong; None where nobody has asked.
        note: What was left out for lack of time, a sentence; else empty.
    """

    findings: tuple[Finding, ...] = ()
    labels: LabelCheck | None = None
    note: str = ""
