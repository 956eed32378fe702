"""Paste the table and the verdict of a run into README.md and the tutorial, and make the pictures of its report.

After ``make demo``: ``python docs/paste_verdict.py unfreeze-runs/leaves-1``. Pictures of the report need chromium.
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
from unfreeze.data.leaves import SIDE, TREES, draw_leaf
from unfreeze.report.table import answer_table, rendered
from unfreeze.workflows.reports import answer

DEMO = Path("unfreeze-runs/leaves-1")  # where the demo writes, as its user sees it
ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "tutorial.md")
IMAGES = ROOT / "docs" / "images"
# Pictures of the report: the parts of the page that are shown, and how high, in pixels of the page; "" for its top.
PICTURES = {"verdict": ("", 1150), "classes": ("classes", 800), "mistakes": ("photos", 620)}
WIDTH, SCALE = 1000, 1.5
COLOURS = 64  # a page of text needs no more, and the file is a third of the size
PHOTO_COLOURS = 112  # as many as keep the picture below 200 kB
LEAVES, LEAF_QUALITY = IMAGES / "leaves.jpg", 88
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


def draw_leaves() -> None:
    """A leaf of each tree, side by side."""
    strip = Image.new("RGB", (SIDE * len(TREES), SIDE))
    for place, tree in enumerate(TREES):
        strip.paste(draw_leaf(tree, seed=(place, 0)), (place * SIDE, 0))
    strip.save(LEAVES, quality=LEAF_QUALITY)


def take_pictures(report: Path) -> None:
    """The parts of a report, as pictures of few colours."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print("No chromium: the pictures stay as they are.", file=sys.stderr)
        return
    page = report.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name, (part, height) in PICTURES.items():
            alone = Path(folder) / f"{name}.html"
            alone.write_text(only(page, part), encoding="utf-8")
            shot = alone.with_suffix(".png")
            options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={shot}"]
            options += [f"--force-device-scale-factor={SCALE}", f"--window-size={WIDTH},{height}"]
            subprocess.run([browser, *options, alone.as_uri()], check=True, capture_output=True)  # noqa: S603
            with Image.open(shot) as image:
                colours = PHOTO_COLOURS if name == "mistakes" else COLOURS
                image.convert("RGB").quantize(colours).save(IMAGES / f"{name}.png", optimize=True)


def only(page: str, part: str) -> str:
    """A report of which only the section with an id is seen; all of it if there is none."""
    hidden = f"<style>body *:not(#{part}, #{part} *, :has(#{part})) {{ display: none !important }}</style></head>"
    return page.replace("</head>", hidden, 1) if part else page


def main(run: Path) -> None:
    """Paste a run."""
    record = read_run(run)
    for page in PAGES:
        page.write_text(pasted(page.read_text(encoding="utf-8"), record), encoding="utf-8")
    draw_leaves()
    take_pictures(run / "report.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
