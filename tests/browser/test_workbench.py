"""The workbench as people use it: in Chromium, with one that is really started."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser_pages import Opened
from served import Served, serving

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef0123"
NARROW = 380
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A workbench with tiny photos of two colours, among them a broken one and one that lies in both classes."""
    folder, rng = tmp_path_factory.mktemp("workbench"), np.random.default_rng(0)
    for channel, label in enumerate(("red", HOSTILE)):
        (folder / "root" / "photos" / label).mkdir(parents=True)
        for number in range(9):
            pixels = rng.integers(0, 90, (44, 40, 3), dtype=np.uint8)
            pixels[:, :, channel] += 120
            Image.fromarray(pixels).save(folder / "root" / "photos" / label / f"{number}.png")
    photos = folder / "root" / "photos"
    (photos / HOSTILE / "same.png").write_bytes((photos / "red" / "0.png").read_bytes())
    (photos / "red" / "cut.png").write_bytes((photos / "red" / "1.png").read_bytes()[:300])
    with serving(folder, "root", token=TOKEN, command="ui") as found:
        yield found


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser in which nothing is kept yet."""
    found = browser.new_context(viewport={"width": 1100, "height": 900})
    found.set_default_timeout(120_000)
    yield found
    found.close()


def opened(context: Any, address: str) -> Opened:
    """A page of the workbench in a new tab."""
    found = Opened(context.new_page())
    found.page.on("console", lambda said: found.complaints.append(said.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(address)
    return found


def look(page: Any) -> None:
    """Choose the photos, and see what is in them."""
    page.locator("#folders button", has_text="photos").click()
    page.locator("#look", has_text="in photos").click()
    page.locator("#title-found").wait_for()


def begin(page: Any, *, depth: str) -> None:
    """Begin a run that looks coarsely at the photos that were chosen."""
    page.select_option("#size", "96")
    page.check(f"[name=depth][value={depth}]")
    page.click("#start")


def serious(page: Any) -> list[tuple[str, str]]:
    """What axe-core finds that is serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options=RULES).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in {"serious", "critical"}]


def test_a_run_learns_from_a_list_without_what_cannot_be_used(context: Any, served: Served) -> None:
    """The button writes it into the folder, and the run that is started then is called after it."""
    found = opened(context, f"{served.address}#token={TOKEN}")
    page = found.page
    look(page)

    page.click("#mend summary")
    page.click("#write-list")
    page.locator("#from-list").wait_for()
    said, complaints = page.locator("#list-said").inner_text(), serious(page)
    begin(page, depth="none")
    page.locator("#title-run", has_text="photos-cleaned").wait_for()
    page.click("#stop")
    page.locator("#state:not(.running)").wait_for()

    assert said.startswith("Written into the folder: photos-cleaned")
    assert complaints == []
    assert found.complaints == []


def test_from_photos_to_a_model_that_is_tried(context: Any, served: Served) -> None:
    """Faults are shown with their photos; the tab may be closed; the answer, the report and the model are there."""
    first = opened(context, f"{served.address}#token={TOKEN}")
    page = first.page
    look(page)
    page.locator("#findings .strip img").nth(1).wait_for()
    faults = page.locator("#findings").inner_text(), page.locator("#mend summary").inner_text()
    found = serious(page)
    begin(page, depth="none")
    page.locator("#scores tr").first.wait_for()
    found += serious(page)
    page.close()

    second = opened(context, served.address)
    page = second.page
    page.click("nav a[href='#runs']")
    page.locator("#runs a").first.click()
    page.locator("#state.finished").wait_for()
    answer = page.locator("#answer p").first.inner_text()
    page.click("#show")
    title = page.frame_locator("#report").locator("h1").inner_text()
    found += serious(page)
    page.click("#try")
    page.locator("#choices").wait_for()
    page.set_input_files("#choose", [str(next(served.connections.parent.glob("root/photos/red/2.png")))])
    label = page.locator("#gallery .label").inner_text()
    page.click("#above")
    page.locator("#folders button").first.wait_for()

    assert "the same picture lies in two classes" in faults[0]
    assert faults[1].startswith("3 files")
    assert answer.startswith("Use the model in unfreeze-runs/photos-1/model")
    assert title.startswith("How far to unfreeze")
    assert label.startswith("red")
    assert found == []
    for one in (first, second):
        assert [text for text in one.complaints if "sandbox" not in text] == []
        assert {url for url in one.requests if not url.startswith((served.address, "blob:", "data:"))} == set()
        assert not [url for url in one.requests if TOKEN in url]


def test_a_run_is_stopped_keeps_what_there_is_and_goes_on(context: Any, served: Served) -> None:
    """Stopped after the first score it has an answer; going on, it has its scores again and measures more."""
    page = opened(context, f"{served.address}#token={TOKEN}").page
    look(page)
    begin(page, depth="auto")
    page.locator("#scores tr").first.wait_for()
    left = page.locator("#left").inner_text()

    page.click("#stop")
    page.locator("#state.stopped").wait_for()
    answer = page.locator("#answer").inner_text()
    page.click("#resume")
    page.locator("#state.running").wait_for()
    page.locator("#scores tr").first.wait_for()
    page.click("#stop")
    page.locator("#resume").wait_for()

    assert "The whole run: at most 15 min left" in left
    assert "stopped" in answer.lower()


@pytest.mark.parametrize("view", ["new", "runs", "compare", "run/nobody"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_readable_by_everybody(view: str, scheme: str, browser: Any, served: Served) -> None:
    """Axe finds nothing serious, in light and dark, and on 380 pixels nothing scrolls sideways."""
    context = browser.new_context(viewport={"width": NARROW, "height": 800}, color_scheme=scheme)
    page = opened(context, f"{served.address}#token={TOKEN}").page
    page.goto(f"{served.address}#{view}")
    page.wait_for_load_state("networkidle")

    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    context.close()


def test_the_workbench_is_used_by_the_keyboard_alone(context: Any, served: Served) -> None:
    """Tab leads to every control in the order in which they stand; Enter opens a folder and looks into it."""
    page = opened(context, f"{served.address}#token={TOKEN}").page
    page.locator("#folders button").first.wait_for()

    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    page.locator("#folders button").first.focus()
    page.keyboard.press("Enter")
    page.locator("#look:focus", has_text="in photos").wait_for()
    page.keyboard.press("Enter")
    page.locator("#title-found").wait_for()

    assert reached[:5] == ["skip", "New run", "Runs", "Compare", "root"]
    assert reached[5].startswith("photos")
    assert reached[6] == "look"
    assert page.evaluate("document.activeElement.id") == "title-found"


def test_without_the_token_it_is_asked_for(context: Any, served: Served) -> None:
    """It leaves the address at once; a browser that has none is told where it stands."""
    page = opened(context, served.address).page
    page.locator("#token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.locator("#folders button").first.wait_for()
    with_token = opened(context, f"{served.address}#token={TOKEN}").page
    with_token.locator("#folders button").first.wait_for()

    assert page.locator("#alarm").is_hidden()
    assert TOKEN not in with_token.url
