"""Run a peer's script as it is, and say of every test image whether the peer was right.

    PEER_PYTHON benchmarks/peer_predictions.py SECONDS SCRIPT DATA [OPTIONS…]

The scripts print an accuracy; a paired comparison needs the images. So the script is run unchanged, and what it left in
its own variables is read afterwards. The last line of standard output is a JSON document: what the script printed, for
each of its classifiers whether it got each test image (relative to DATA) right, and which classifiers were not finished
when the script was stopped after SECONDS. Runs in the peers' environment: nothing of unfreeze is imported.
"""

import contextlib
import io
import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Left = dict[str, Any]  # the variables of a script
Right = dict[str, int]  # 1 or 0 by the name of a test image


class OutOfTimeError(BaseException):
    """The script is stopped; not an `Exception`, which libraries catch and go on."""


def of_timm(model: str) -> Callable[[Left], Right]:
    """One of the hand-made extractor's two classifiers, on codes in the order of ImageFolder."""

    def read(left: Left) -> Right:
        data = Path(left["a"].data)
        files = [path for path, _ in left["ImageFolder"](str(data / "test")).samples]
        return by_file(files, left[model].predict(left["xte"]) == left["yte"], data)

    return read


def of_fastai(left: Left) -> Right:
    """The learner, on its validation part, which is the test folder."""
    learner = left["learn"]
    with learner.no_bar(), learner.no_logging():
        scores, targets = learner.get_preds(dl=learner.dls.valid)
    return by_file(learner.dls.valid.items, (scores.argmax(1) == targets).tolist(), Path(left["a"].data))


def of_vyntri(left: Left) -> Right:
    """Its own list of files."""
    return by_file(left["files"], left["right"], Path(left["a"].data))


def by_file(files: Iterable[str | Path], right: Iterable[Any], data: Path) -> Right:
    """Whether each was right, by its name within the data."""
    return {Path(file).relative_to(data).as_posix(): int(one) for file, one in zip(files, right, strict=True)}


# Of each script its classifiers: the variable that is there once one is finished, and what reads it.
CLASSIFIERS: dict[str, dict[str, tuple[str, Callable[[Left], Right]]]] = {
    "timm_codes.py": {"softmax": ("lr", of_timm("lr")), "svm": ("sv", of_timm("sv"))},
    "fastai_finetune.py": {"fine_tune": ("trained", of_fastai)},
    "vyntri_fit.py": {"analytic": ("right", of_vyntri)},
}


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Leave the block after so long, whatever it is doing."""

    def stop(*_: object) -> None:
        raise OutOfTimeError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with contextlib.suppress(OutOfTimeError):
        yield
    signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    """Run one script."""
    seconds, script = float(sys.argv[1]), Path(sys.argv[2])
    sys.argv = sys.argv[2:]
    sys.path.insert(0, str(script.parent))
    left: Left = {"__name__": "__main__", "__file__": str(script)}
    said = io.StringIO()
    classifiers = CLASSIFIERS[script.name]
    with contextlib.redirect_stdout(said):
        # Not `runpy.run_path`, which gives the variables only of a script that came to its end.
        with at_most(seconds):
            exec(compile(script.read_text(), script, "exec"), left)
        printed = said.getvalue().strip().splitlines()
        right = {name: read(left) for name, (variable, read) in classifiers.items() if variable in left}
    document = {
        "said": json.loads(printed[-1]) if printed else None,
        "right": right,
        "unfinished": [name for name in classifiers if name not in right],
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
