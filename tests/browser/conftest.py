"""A browser, and reports for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser_pages import CHROMIUM, NAMES, records, written


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium as Debian packs it; tests are skipped where there is none.

    For one file: while Playwright is open, an event loop runs in this thread, and other files' tests start their own.
    """
    if CHROMIUM is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"], timeout=120_000
        )
        yield running
        running.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By kind."""
    found = {}
    for kind, record in records().items():
        folder = tmp_path_factory.mktemp(kind)
        found[kind] = written(record, folder)
    return found
