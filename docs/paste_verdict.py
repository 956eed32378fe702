"""Paste the table and the verdict of a run into README.md and the tutorial, and make the picture of its report.

After ``make demo``: ``python docs/paste_verdict.py unfreeze-runs/digits-1``. The picture needs chromium.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from unfreeze.core.phrases import ON_PART
from unfreeze.core.run_record import RunRecord, read_run
from unfreeze.report.table import answer_table, rendered
from unfreeze.workflows.reports import answer

DEMO = Path("unfreeze-runs/digits-1")  # where the demo writes, as its user sees it
ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "tutorial.md")
PICTURE = ROOT / "docs" / "images" / "verdict.png"
WIDTH, HEIGHT, SCALE = 1000, 1650, 1.5
COLOURS = 64  # a page of text needs no more, and the file is a third of the size
# A block under a comment that says what belongs into it.
_PASTED = re.compile(r"(<!-- (?P<part>answer|table|rest) of the demo -->\n```text\n)(.*?)(```\n)", re.DOTALL)


def parts(record: RunRecord) -> dict[str, str]:
    """What is pasted, by the word in the comment."""
    table = rendered(answer_table(record))
    legend = f"\n{ON_PART}\n" if record.on_part else ""
    use, unfreezing, *rest = answer(record, DEMO)
    return {"answer": f"{use}\n{unfreezing}\n", "table": f"{table}{legend}", "rest": "\n".join([*rest, ""])}


def pasted(page: str, record: RunRecord) -> str:
    """The page with the table and the verdict of a run."""
    new = parts(record)
    return _PASTED.sub(lambda found: found[1] + new[found["part"]] + found[4], page)


def take_picture(report: Path) -> None:
    """The top of a report, as a picture of few colours."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print("No chromium: the picture stays as it is.", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={shot}"]
        options += [f"--force-device-scale-factor={SCALE}", f"--window-size={WIDTH},{HEIGHT}"]
        subprocess.run([browser, *options, report.resolve().as_uri()], check=True, capture_output=True)  # noqa: S603
        with Image.open(shot) as image:
            image.convert("RGB").quantize(COLOURS).save(PICTURE, optimize=True)


def main(run: Path) -> None:
    """Paste a run."""
    record = read_run(run)
    for page in PAGES:
        page.write_text(pasted(page.read_text(encoding="utf-8"), record), encoding="utf-8")
    take_picture(run / "report.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
