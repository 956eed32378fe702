"""The page on serving shows requests that are answered as it says."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from served import Served, photos, saved_model, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="no curl"),
]

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "serve.md").read_text(encoding="utf-8")
SHOWN = "http://127.0.0.1:8000"
BLOCKS = [block for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) if "curl " in block]
LINES = [line for block in BLOCKS for line in block.splitlines() if line.startswith("curl ")]
TOKEN = "0123456789abcdef0123"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With what the page names."""
    found = tmp_path_factory.mktemp("page")
    first, second = photos(found / "photos", count=2)
    shutil.copy(first, found / "leaf.jpg")
    shutil.copy(second, found / "other.jpg")
    (found / "letter.txt").write_text("Dear all, here is the photo.")
    (found / "token").write_text(f"{TOKEN}\n")
    saved_model(found / "photos-1")
    return found


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """A service that wants no token."""
    with serving(folder, folder / "photos-1") as found:
        yield found


def answered(block: str, served: Served, folder: Path) -> str:
    """What the lines of a block print."""
    script = block.replace(SHOWN, served.address.rstrip("/"))
    return subprocess.run(
        ["bash", "-euc", script], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_every_request_of_the_page_is_answered(served: Served, folder: Path) -> None:
    """With status 200, or the problem that stands below it."""
    assert len(LINES) > 9
    for block in BLOCKS:
        script = re.sub(r"^curl ", "curl --silent -w '\\\\n%{http_code}\\\\n' ", block, flags=re.MULTILINE)

        codes = re.findall(r"^(\d{3})$", answered(script, served, folder), re.MULTILINE)

        assert codes == ["422" if "letter.txt" in line else "200" for line in block.splitlines() if "curl " in line], (
            block
        )


def test_answers_have_the_form_that_is_shown(served: Served, folder: Path) -> None:
    """The documents of the page have the keys of the real ones; the problem is the very one."""
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    answer, problem = (
        json.loads(answered(f"{shlex.join(shlex.split(line))} --silent", served, folder))
        for line in LINES
        if "--data-binary" in line
    )

    assert problem == shown[1]
    assert answer.keys() == shown[0].keys()
    assert answer["photos"][0].keys() == shown[0]["photos"][0].keys()
    assert answer["photos"][0]["top"][0].keys() == shown[0]["photos"][0]["top"][0].keys()
    assert answer["schema"] == shown[0]["schema"]


def test_the_table_of_codes_names_all_of_ours() -> None:
    """Each code in the source of the service stands on the page."""
    sources = Path(__file__).parents[2] / "src" / "unfreeze" / "server"
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources.glob("*.py"))
    codes = set(re.findall(r'ProblemError\(HTTPStatus\.\w+, "([a-z-]+)"', text))

    assert len(codes) > 12
    assert sorted(code for code in codes if f"`{code}`" not in PAGE) == []


def test_the_codes_of_the_workbench_stand_on_its_page() -> None:
    """Those that the service has, too, stand on that one's."""
    root = Path(__file__).parents[2]
    sources = (root / "src" / "unfreeze" / "server" / "workbench").glob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    page = (root / "docs" / "how-to" / "workbench.md").read_text(encoding="utf-8")
    codes = set(re.findall(r'ProblemError\(\s*HTTPStatus\.\w+, "([a-z-]+)"', text))

    assert len(codes) > 8
    assert sorted(code for code in codes if f"`{code}`" not in page) == []
