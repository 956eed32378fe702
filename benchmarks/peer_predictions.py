"""Run a peer's script as it is, and say of every test image whether the peer was right.

    PEER_PYTHON benchmarks/peer_predictions.py SCRIPT DATA [OPTIONS…]

The scripts print an accuracy; a paired comparison needs the images. So the script is run unchanged, and what it left in
its own variables is read afterwards. The last line of standard output is a JSON document: what the script printed, and
for each of its classifiers whether it got each test image (relative to DATA) right. Runs in the peers' environment:
nothing of unfreeze is imported.
"""

import contextlib
import io
import json
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Right = dict[str, dict[str, int]]


def of_timm(left: dict[str, Any]) -> Right:
    """The hand-made extractor's two classifiers, on codes in the order of ImageFolder."""
    data = Path(left["a"].data)
    files = [path for path, _ in left["ImageFolder"](str(data / "test")).samples]
    return {
        name: by_file(files, left[model].predict(left["xte"]) == left["yte"], data)
        for name, model in (("softmax", "lr"), ("svm", "sv"))
    }


def of_fastai(left: dict[str, Any]) -> Right:
    """The learner, on its validation part, which is the test folder."""
    learner = left["learn"]
    with learner.no_bar(), learner.no_logging():
        scores, targets = learner.get_preds(dl=learner.dls.valid)
    return {"fine_tune": by_file(learner.dls.valid.items, (scores.argmax(1) == targets).tolist(), Path(left["a"].data))}


def of_vyntri(left: dict[str, Any]) -> Right:
    """Its own list of files."""
    return {"analytic": by_file(left["files"], left["right"], Path(left["a"].data))}


def by_file(files: Iterable[str | Path], right: Iterable[Any], data: Path) -> dict[str, int]:
    """Whether each was right, by its name within the data."""
    return {Path(file).relative_to(data).as_posix(): int(one) for file, one in zip(files, right, strict=True)}


READERS = {"timm_codes.py": of_timm, "fastai_finetune.py": of_fastai, "vyntri_fit.py": of_vyntri}


def main() -> None:
    """Run one script."""
    script = Path(sys.argv[1])
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(script.parent))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        left = runpy.run_path(str(script), run_name="__main__")
        right = READERS[script.name](left)
    print(json.dumps({"said": json.loads(said.getvalue().strip().splitlines()[-1]), "right": right}))


if __name__ == "__main__":
    main()
