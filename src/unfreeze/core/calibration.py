"""How far a strategy's probabilities can be believed, before and after one temperature, as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Images whose likeliest class has about the same probability; no bin is without images.

    Attributes:
        images: How many.
        confidence: Mean probability of the likeliest class, a fraction.
        accuracy: Fraction of them for which that class is the given one.
    """

    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How far probabilities can be believed.

    Attributes:
        log_loss: Mean negative log-likelihood of the given classes, nats.
        error: Expected calibration error: mean gap between confidence and accuracy of the bins, weighted by images.
        bins: Ten bins of equal width, the least confident first; those without images are left out.
    """

    log_loss: float
    error: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What one temperature does to the probabilities of a strategy (Guo et al. 2017, arXiv:1706.04599).

    Both sides are measured on images that the models had not learned from: those of the first round of splits, each
    image once.

    Attributes:
        temperature: By which weight and bias of the delivered head were divided; 1 where that does not lower the
            log-loss, so that nothing was done.
        images: On how many it was fitted.
        before: Of the probabilities as trained.
        after: With temperatures that were fitted on other images each (those of the other splits), so that it is not
            flattered; what was found where the temperature stayed 1, too.
    """

    temperature: float
    images: int
    before: Reliability
    after: Reliability

    @property
    def applied(self) -> bool:
        """Whether the delivered head was divided by the temperature."""
        return self.temperature != 1.0
