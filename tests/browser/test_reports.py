"""The report as people see it: in Chromium, without a network."""

import io
from pathlib import Path
from typing import Any

import pytest

from browser_pages import KINDS, opened

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", KINDS)]

MOST_BYTES, MOST_PAGES, NARROW, SMALLEST_TEXT = 6_000_000, 8, 380, 9.0

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
EMPTY_FIGURES = """() => [...document.querySelectorAll("svg")]
    .filter(svg => {
        const box = svg.getBoundingClientRect();
        return box.width < 1 || box.height < 1 || !svg.children.length;
    })
    .map(svg => svg.getAttribute("aria-label"))"""
BROKEN_PICTURES = """async () => {
    const images = [...document.images];
    images.forEach(image => { image.loading = "eager"; });
    const broken = await Promise.all(images.map(image => image.decode().then(() => "", () => image.alt)));
    return broken.filter(Boolean);
}"""
SMALL_TEXTS = """smallest => [...document.querySelectorAll("svg text")].map(text => {
    const matrix = text.getScreenCTM();
    const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(matrix.a, matrix.b);
    return [text.textContent, size];
}).filter(([_, size]) => size < smallest)"""
CUT_TEXTS = """() => [...document.querySelectorAll("svg text")].filter(text => {
    const inner = text.getBoundingClientRect(), outer = text.ownerSVGElement.getBoundingClientRect();
    return inner.left < outer.left - 1 || inner.right > outer.right + 1 ||
        inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
}).map(text => text.textContent)"""


def test_a_report_opens_without_a_complaint_and_without_a_request(
    kind: str, browser: Any, reports: dict[str, Path]
) -> None:
    """The console is silent, only the file itself is asked for, every figure has a size and every photo a picture."""
    found = opened(browser, reports[kind])
    pictures = found.page.evaluate(BROKEN_PICTURES)

    assert found.complaints == []
    assert [url for url in found.requests if not url.startswith("data:")] == [reports[kind].as_uri()]
    assert found.page.evaluate(EMPTY_FIGURES) == []
    assert pictures == []
    assert found.page.locator("svg").count() > 0
    assert reports[kind].stat().st_size < MOST_BYTES
    found.page.context.close()


def test_sections_fold_by_the_keyboard(kind: str, browser: Any, reports: dict[str, Path]) -> None:
    """Enter on the heading of a section closes it, and opens it again."""
    page = opened(browser, reports[kind]).page
    section = page.locator("details.section").first
    section.locator("summary").first.focus()

    states = []
    for _ in range(2):
        page.keyboard.press("Enter")
        states.append(section.evaluate("element => element.open"))

    assert states == [False, True]
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: str, kind: str, browser: Any, reports: dict[str, Path]) -> None:
    """Nor anything critical: contrast, names of figures, tables and links, order of headings."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(browser, reports[kind], scheme=scheme).page

    # All photos of a cell are built alike: those of the other lists stand for them.
    violations = axe.run(page, context={"exclude": [[".cell"]]}, options=RULES).response["violations"]

    serious = [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in violations
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    page.context.close()


def test_a_narrow_screen_shows_everything(kind: str, browser: Any, reports: dict[str, Path]) -> None:
    """On 380 pixels the page does not scroll sideways, and no text of a chart is small or cut off."""
    page = opened(browser, reports[kind], width=NARROW).page

    assert page.evaluate("() => document.documentElement.scrollWidth") <= NARROW
    assert page.evaluate(SMALL_TEXTS, SMALLEST_TEXT) == []
    assert page.evaluate(CUT_TEXTS) == []
    page.context.close()


def test_a_report_prints_on_few_pages(kind: str, browser: Any, reports: dict[str, Path]) -> None:
    """On eight at most, and each has text."""
    pypdf = pytest.importorskip("pypdf")
    page = opened(browser, reports[kind]).page

    sheets = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4"))).pages

    assert [number for number, sheet in enumerate(sheets, 1) if not sheet.extract_text().split()] == []
    assert len(sheets) <= MOST_PAGES
    page.context.close()
