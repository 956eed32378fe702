"""Reports of drawn records with photos, and how a browser without a network opens one."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from drawn_runs import record_of
from example_run import run_record
from unfreeze.advisor.folder_check import contradicting_folder
from unfreeze.core.records import Interval
from unfreeze.core.run_record import RunRecord
from unfreeze.report.gallery import gallery
from unfreeze.workflows.reports import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
KINDS = ("everything", "two-classes", "many-classes", "stopped")


@dataclass(frozen=True, eq=False)
class Opened:
    """A page that is open.

    Attributes:
        page: Of Playwright.
        complaints: What the console and scripts complained of.
        requests: Addresses that were asked for.
    """

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def opened(browser: Any, report: Path, *, scheme: str = "light", width: int = 1280) -> Opened:
    """Open a report from its file in a browser without a network."""
    context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": width, "height": 900})
    context.set_default_timeout(120_000)
    found = Opened(context.new_page())
    found.page.on("console", lambda said: found.complaints.append(said.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(report.as_uri())
    return found


def _everything() -> RunRecord:
    """The example run with all of its sections, a table of classes and a test folder that contradicts."""
    drawn, whole = record_of((200, 200), errors=(0.05, 0.1)), run_record(screened=True)
    picked = whole.outcome_of(whole.picked)
    assert picked is not None
    assert picked.confirmation is not None
    folder = replace(picked.confirmation, accuracy=0.6, interval=Interval(0.55, 0.65))
    contradicted = replace(picked, confirmation=folder)
    alarm = contradicting_folder(contradicted)
    assert alarm is not None
    return replace(
        whole,
        by_class=drawn.by_class,
        findings=(alarm, *whole.findings),
        strategies=tuple(contradicted if one.strategy == picked.strategy else one for one in whole.strategies),
    )


def records() -> dict[str, RunRecord]:
    """One of each kind: 2,000 photos of 136 classes, of which half are wrong, have the largest page."""
    return {
        "everything": _everything(),
        "two-classes": record_of((60, 60)),
        "many-classes": record_of((15,) * 136, errors=(0.5, 0.6)),
        "stopped": run_record(interrupted=True),
    }


def written(record: RunRecord, folder: Path) -> Path:
    """The report of a record whose photos are there: of noise, which takes the most room."""
    photos, rng = folder / "photos", np.random.default_rng(0)
    for name in set(gallery(record).names):
        path = photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(rng.integers(0, 256, (96, 72, 3), np.uint8))
        image.save(path, "BMP")
    return write_report(replace(record, command=replace(record.command, source=photos)), folder)
