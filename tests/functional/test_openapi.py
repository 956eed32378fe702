"""What services promise in their OpenAPI documents, held against what they answer, by Schemathesis."""

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from served import photos, saved_model, serving

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="Schemathesis is not installed"),
]

TOKEN = "a-token-of-more-than-16-characters"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SEED = "1"


def findings(address: str, *options: str) -> tuple[int, str]:
    """Exit code and report of Schemathesis, which asks what the document allows and what it does not."""
    words = ["run", f"{address}openapi.json", "--checks", CHECKS, "--seed", SEED, "--continue-on-failure", *options]
    words += ["--header", f"Authorization: Bearer {TOKEN}", "--warnings", "off", "--no-color"]
    done = subprocess.run([str(SCHEMATHESIS), *words], capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout[-5000:] + done.stderr[-2000:]


def test_a_service_answers_as_its_document_says(tmp_path: Path) -> None:
    """No answer is a fault, or of a status, a type or a form that the document does not name."""
    model = saved_model(tmp_path / "model", seed=1)
    with serving(tmp_path, model, "--rate", "1000", token=TOKEN) as served:
        code, said = findings(served.address, "--max-examples", "5", "--phases", "examples,coverage,fuzzing")

        assert code == 0, said
        assert httpx.get(f"{served.address}healthz").json() == {"status": "alive"}


def test_a_workbench_answers_as_its_document_says(tmp_path: Path) -> None:
    """The same; whatever it is asked, nothing outside its folder is written, and photos stay."""
    roots = tmp_path / "roots"
    photos(roots / "photos")
    before = {path: path.read_bytes() for path in (roots / "photos").rglob("*") if path.is_file()}
    with serving(roots, ".", command="ui", token=TOKEN) as served:
        code, said = findings(served.address, "--max-examples", "3", "--phases", "examples,fuzzing")

    assert code == 0, said
    assert {path: path.read_bytes() for path in before} == before
    assert [path.name for path in tmp_path.iterdir()] == ["roots"]
    shutil.rmtree(roots)
