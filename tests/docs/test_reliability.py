"""The page on reliability names tests that exist, and says what was measured."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import fault_page  # noqa: E402


def test_every_fault_has_a_state_and_its_test() -> None:
    """All 111 rows hold, hold in part, or do not apply; what holds names a test, and each test that is named exists."""
    rows = fault_page.fault_rows()

    assert [row["row"] for row in rows] == [str(number) for number in range(1, 112)]
    for row in rows:
        named = fault_page.tests_named(row["by"])
        assert row["state"] in fault_page.STATES, row
        assert named or row["state"] != "holds", row
        for file, test in named:
            assert re.search(rf"def {test}\b", (ROOT / "tests" / file).read_text()), (row["row"], file, test)


def test_the_page_is_current(tmp_path: Path) -> None:
    """`python benchmarks/faults.py --page` would write what stands there."""
    program = (
        "import sys; sys.path[:0] = [sys.argv[1] + '/benchmarks']; import faults; from pathlib import Path;"
        "faults.PAGE = Path(sys.argv[2]); sys.argv = ['faults.py', '--page']; faults.main()"
    )
    subprocess.run([sys.executable, "-c", program, str(ROOT), str(tmp_path / "page.md")], check=True)

    assert (tmp_path / "page.md").read_text() == (ROOT / "docs" / "reliability.md").read_text()
