"""Every error that `unfreeze` raises on purpose, as one tree.

::

    UnfreezeError                      exit code 1: our fault
    |- AuditError                      a frozen part moved, or the optimiser held something else than the plan says
    |- DidNotTrainError                the loss of a training rose, at a fraction of its rates too
    |- InputError (ValueError)         exit code 2: something that the user can mend
    |  |- ImageSetError                the folder or list of images
    |  |- UnknownBackboneError         no such network
    |  |- WeightsError                 no weights, or weights that do not fit the network
    |  |- PlanError                    a strategy and a network do not fit
    |  |- OutputError                  a place that cannot be written
    |  `- ClusterError                 a Ray cluster that cannot be used
    |- TooManyBadFilesError            exit code 3
    |- DiskError                       exit code 4: a disk that takes nothing more
    |  |- DiskFullError                it is full
    |  `- DiskFailedError              it does not work
    `- StoppedError                    exit code 130, 143 or 129: somebody stopped the work
"""


class UnfreezeError(Exception):
    """Base of every error raised on purpose."""

    exit_code = 1


class AuditError(UnfreezeError, RuntimeError):
    """A trial broke its promise: frozen tensors moved, codes differ, or the optimiser holds the wrong parameters."""


class DidNotTrainError(UnfreezeError, RuntimeError):
    """A training ended worse than it began, also at a fraction of its rates.

    Args:
        curve: Mean loss of each epoch of the last attempt, after the loss of the start.
    """

    def __init__(self, curve: tuple[float, ...]) -> None:
        losses = ", ".join(f"{loss:.2g}" for loss in curve)
        super().__init__(
            f"did not train: its loss went {losses}, above that of its start, at an eighth of its rates too. Give more "
            "images or fewer classes, or leave this strategy out"
        )
        self.curve = curve

    def __reduce__(self) -> tuple[type["DidNotTrainError"], tuple[tuple[float, ...]]]:
        """What makes it again in another process; by default that would be given the text."""
        return type(self), (self.curve,)


class InputError(UnfreezeError, ValueError):
    """Something that the user gave cannot be used; the text says what was wanted, what was found and what to do."""

    exit_code = 2


class ImageSetError(InputError):
    """A folder or list of images cannot be used."""


class UnknownBackboneError(InputError, LookupError):
    """No network of this name is known."""


class WeightsError(InputError, RuntimeError):
    """There are no weights, or weights and network disagree."""


class PlanError(InputError):
    """A strategy and a network do not fit."""


class OutputError(InputError, OSError):
    """A place that results should go to cannot be written."""


class ClusterError(InputError):
    """A Ray cluster cannot be used."""


class TooManyBadFilesError(UnfreezeError):
    """More files had to be set aside than the user allows."""

    exit_code = 3


class DiskError(UnfreezeError, OSError):
    """A disk takes nothing more; what was committed before is safe."""

    exit_code = 4


class DiskFullError(DiskError):
    """The disk is full, or a quota is used up."""


class DiskFailedError(DiskError):
    """The disk, or the way to it, does not work."""


class StoppedError(UnfreezeError):
    """Somebody wanted the work to stop; see `core.stop`.

    Args:
        exit_code: With which a command ends: 128 and the number of the signal that stopped it, 130 without one.
        kept: What is kept, and how to go on.
    """

    def __init__(
        self, exit_code: int = 130, *, kept: str = "What was finished is kept; the same command goes on from there."
    ) -> None:
        super().__init__(f"stopped. {kept}")
        self.exit_code = exit_code
