"""The page of ``unfreeze serve`` as people use it: in Chromium, with a service that is really started."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser_pages import Opened
from served import CLASSES, REPORT, SIDE, Served, photos, saved_model, serving
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.unlike import add_unlike
from unfreeze.zoo.devices import CPU

pytestmark = pytest.mark.slow

NARROW = 380
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
DROP = """async ([name, text]) => {
    const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0));
    const carried = new DataTransfer();
    carried.items.add(new File([bytes], name));
    document.getElementById("drop").dispatchEvent(
        new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: carried }));
}"""
HOSTILE = "=cmd()<img src=x onerror=alert(1)>.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a run that has a model and a report, another model, and photos."""
    found = tmp_path_factory.mktemp("page")
    (found / "run-1").mkdir()
    (found / "run-1" / "report.html").write_text(REPORT)
    saved_model(found / "run-1" / "model", seed=1, side=128)  # large enough that its last map has places
    saved_model(found / "second", seed=2)
    with DecoderPool(workers=1) as pool:
        learned = photos(found / "learned", count=48)
        names = [path.name for path in learned]
        add_unlike(found / "second", learned, np.arange(48) % 3, pool=pool, device=CPU, seed=0, names=names)
    Image.new("RGB", (40, 40), "white").save(found / "white.png")
    photos(found / "photos")
    (found / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    (found / HOSTILE).write_bytes((found / "photos" / "photo 1.png").read_bytes())
    return found


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """A service of both."""
    with serving(folder, folder / "run-1" / "model", folder / "second", "--unlike", "5%") as found:
        yield found


def opened(browser: Any, address: str, *, scheme: str = "light", width: int = 1280) -> Opened:
    """The page, once it knows its models."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, accept_downloads=True)
    context.set_default_timeout(60_000)
    found = Opened(context.new_page())
    found.page.on("console", lambda said: found.complaints.append(said.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(address)
    found.page.locator("#choices").wait_for()
    return found


def give(page: Any, *paths: Path) -> None:
    """Choose photos, and wait until all are answered."""
    before = page.locator("#gallery > li").count()
    page.set_input_files("#choose", [str(path) for path in paths])
    number = before + len(paths)
    page.locator("#said", has_text=f"{number} photo").wait_for()
    page.locator("#gallery > li:has(.waits)").first.wait_for(state="detached")


def test_a_dropped_photo_gets_its_label(browser: Any, served: Served, folder: Path) -> None:
    """The label of the gallery is what the service says; nothing is complained of, and nobody else is asked."""
    import base64

    import httpx

    found = opened(browser, served.address)
    path = folder / "photos" / "photo 0.jpg"
    wanted = httpx.post(f"{served.address}v1/predict", content=path.read_bytes()).json()["photos"][0]

    found.page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])
    label = found.page.locator("#gallery .label").first.inner_text()

    assert label.split()[0] == wanted["label"]
    assert f"{100 * wanted['probability']:.1f} %" in label
    assert found.complaints == []
    assert {url for url in found.requests if not url.startswith((served.address, "blob:"))} == set()
    found.page.context.close()


def test_several_photos_become_a_gallery_that_is_sorted_and_saved(browser: Any, served: Served, folder: Path) -> None:
    """A broken file says why, hostile names stay text, and the table for spreadsheets holds a row a photo."""
    found = opened(browser, served.address)
    page = found.page
    named = [*sorted((folder / "photos").iterdir()), folder / "broken.jpg", folder / HOSTILE]

    give(page, *named)
    page.select_option("#order", "sure")
    shares = [float(text.split()[-2]) for text in page.locator("#gallery .label").all_inner_texts()]
    page.select_option("#order", "name")
    names = page.locator("#gallery .name").all_inner_texts()
    with page.expect_download() as saving:
        page.click("#csv")
    rows = list(csv.DictReader(io.StringIO(Path(saving.value.path()).read_text())))

    assert page.locator(".failed").all_inner_texts()[0].startswith(("The image is cut off", "The image cannot be read"))
    assert "1 could not be read" in page.locator("#said").inner_text()
    assert shares == sorted(shares, reverse=True)
    assert set(names) == {path.name for path in named}
    assert page.locator("#gallery img[src=x]").count() == 0
    assert {row["photo"] for row in rows} == {f"'{path.name}" if path.name[0] == "=" else path.name for path in named}
    assert {row["label"] for row in rows} <= {*CLASSES, ""}
    assert found.complaints == []
    page.click("#clear")
    assert page.locator("#gallery > li").count() == 0
    page.context.close()


def test_two_models_stand_side_by_side(browser: Any, served: Served, folder: Path) -> None:
    """Each photo has the answer of both, under their names."""
    page = opened(browser, served.address).page
    give(page, *sorted((folder / "photos").iterdir())[:2])

    page.select_option("#second", "second")
    page.locator("#gallery > li").first.locator(".label").nth(1).wait_for()

    assert page.locator("#gallery > li").first.locator(".who").all_inner_texts() == ["run-1", "second"]
    page.context.close()


def test_training_photos_most_like_it_stand_beside_a_photo(browser: Any, served: Served, folder: Path) -> None:
    """Their pictures are drawn, the photo itself first; beside a model whose photos are not there, none."""
    found = opened(browser, served.address)
    page = found.page
    page.select_option("#model", "second")

    give(page, sorted((folder / "learned").iterdir())[0])
    pictures = page.locator(".near img")
    pictures.first.wait_for()

    assert pictures.count() == 4
    assert pictures.first.get_attribute("alt") == f"Training photo {sorted((folder / 'learned').iterdir())[0].name}"
    assert pictures.first.evaluate("image => image.decode().then(() => image.naturalWidth)") == SIDE
    assert found.complaints == []
    page.select_option("#model", "run-1")
    page.locator("#gallery .label").first.wait_for()
    assert pictures.count() == 0
    page.context.close()


def test_where_the_network_looked_is_shown_on_request(browser: Any, served: Served, folder: Path) -> None:
    """By the keyboard too; in words beside the picture, whose light is the map's. Without a map there is no button."""
    found = opened(browser, served.address)
    page = found.page
    give(page, folder / "photos" / "photo 1.png")
    button, picture = page.locator("#gallery .look"), page.locator("#gallery .heat img")

    assert button.get_attribute("aria-expanded") == "false"
    button.focus()
    page.keyboard.press("Enter")
    picture.wait_for()
    label = page.locator("#gallery .label").inner_text().split()[0]

    assert button.get_attribute("aria-expanded") == "true"
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 256
    assert picture.get_attribute("alt").endswith(f"as the network takes it, dark where nothing speaks for {label}")
    assert page.locator("#gallery .heat p").inner_text().startswith(f"Bright where the photo speaks for {label}: most ")
    page.keyboard.press("Enter")
    assert picture.count() == 0
    page.select_option("#model", "second")
    page.locator("#gallery .label").first.wait_for()
    assert button.count() == 0
    assert found.complaints == []
    page.context.close()


def test_what_is_unlike_training_is_marked(browser: Any, served: Served, folder: Path) -> None:
    """In its card, in the line above the gallery, and first in that order."""
    page = opened(browser, served.address).page
    page.select_option("#model", "second")

    give(page, *sorted((folder / "learned").iterdir())[:2], folder / "white.png")
    page.select_option("#order", "strange")

    assert page.locator("#gallery > li").first.locator(".unlike").inner_text() == "unlike anything in training"
    assert page.locator(".unlike").count() == 1
    assert page.locator("#said").inner_text() == "3 photos, 1 unlike anything in training"
    page.context.close()


def test_the_report_opens_in_a_frame_that_runs_nothing(browser: Any, served: Served) -> None:
    """Its own styles hold, its script does not run; the tabs are moved among by the keyboard."""
    found = opened(browser, served.address)
    page = found.page
    page.locator("#tab-photos").focus()

    page.keyboard.press("ArrowRight")
    said = page.frame_locator("#report").locator("#said")
    said.wait_for()

    assert page.locator("#tab-report").get_attribute("aria-selected") == "true"
    assert page.evaluate("document.activeElement.id") == "tab-report"
    assert said.evaluate("element => getComputedStyle(element).color") == "rgb(1, 2, 3)"
    assert said.evaluate("element => getComputedStyle(element).getPropertyValue('--tint').trim()") == "3%"
    assert page.frames[-1].title() == "A run"
    assert [text for text in found.complaints if "style" in text.lower()] == []
    page.keyboard.press("ArrowRight")
    page.locator("#card", has_text="A model").wait_for()
    assert ", ".join(CLASSES) in page.locator("#facts").inner_text()
    page.context.close()


def test_the_page_is_used_by_the_keyboard_alone(browser: Any, served: Served) -> None:
    """Tab leads to every control in the order in which they stand, and each shows that it has the focus."""
    page = opened(browser, served.address).page

    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))

    assert reached == ["skip", "model", "second", "tab-photos", "choose", "take"]
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: str, browser: Any, served: Served, folder: Path) -> None:
    """Nor anything critical, empty and with answers, also a broken one, and on the card's tab."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(browser, served.address, scheme=scheme).page

    violations = axe.run(page, options=RULES).response["violations"]
    give(page, *sorted((folder / "photos").iterdir()), folder / "broken.jpg")
    page.select_option("#second", "second")
    page.locator("#gallery > li").first.locator(".label").nth(1).wait_for()
    page.locator("#gallery .look").first.click()
    page.locator("#gallery .heat img").wait_for()
    violations += axe.run(page, options=RULES).response["violations"]
    page.click("#tab-card")
    page.locator("#facts dd").first.wait_for()
    violations += axe.run(page, options=RULES).response["violations"]

    serious = [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in violations
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    page.context.close()


def test_a_narrow_screen_shows_everything(browser: Any, served: Served, folder: Path) -> None:
    """On 380 pixels nothing scrolls sideways, on any tab."""
    page = opened(browser, served.address, width=NARROW).page
    give(page, *sorted((folder / "photos").iterdir()), folder / "broken.jpg", folder / HOSTILE)

    page.locator("#gallery .look").first.click()
    page.locator("#gallery .heat img").wait_for()

    widths = []
    for tab in ("photos", "report", "card"):
        page.click(f"#tab-{tab}")
        page.locator(f"#panel-{tab}").wait_for()
        widths.append(page.evaluate("document.documentElement.scrollWidth"))

    assert max(widths) <= NARROW
    page.context.close()


def test_the_token_comes_from_the_fragment_or_by_hand(browser: Any, folder: Path, tmp_path: Path) -> None:
    """It leaves the address at once; without one the page asks for it, and goes on when it is given."""
    token = "0123456789abcdef0123"
    with serving(tmp_path, folder / "second", token=token) as served:
        page = opened(browser, f"{served.address}#token={token}").page
        give(page, folder / "photos" / "photo 0.jpg")
        assert page.url == served.address
        page.context.close()

        page = browser.new_context().new_page()
        page.goto(served.address)
        page.locator("#token").fill(token)
        page.keyboard.press("Enter")
        page.locator("#choices").wait_for()
        assert page.locator("#alarm").is_hidden()
        page.context.close()
