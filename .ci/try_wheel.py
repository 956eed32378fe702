"""Install a wheel into an empty environment elsewhere and run the demo there: nothing but the wheel is needed.

The libraries that the wheel asks for are those of the environment that runs this script, which are lent by a path file;
its own unfreeze, an editable installation, is not among them. So no download is needed, and the check takes a minute.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

DEMO = (
    ("sample", "digits", "digits"),
    ("run", "digits", "--size", "32", "--strategies", "none", "--budget", "1m", "--out", "answer"),
    ("report", "answer"),
    ("predict", "answer/model", "digits", "--csv"),
)
WHERE = "import unfreeze; print(unfreeze.__file__)"


def main(wheel: Path) -> None:
    """Raise unless every command of the demo ends well, with the code of the wheel."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        venv.create(home / "venv", with_pip=False)
        python = home / "venv" / "bin" / "python"
        said = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        )
        place = Path(said.stdout.strip())
        options = ["--no-deps", "--quiet", "--disable-pip-version-check", "--target", str(place)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel.resolve())], check=True)
        # A plain path: path files in the folder, such as that of the editable installation, are not followed.
        (place / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment = kept | {"UNFREEZE_CACHE": str(home / "cache")}
        at = subprocess.run(
            [python, "-c", WHERE], check=True, capture_output=True, text=True, cwd=home, env=environment
        )
        if not Path(at.stdout.strip()).is_relative_to(place):
            msg = f"unfreeze was imported from {at.stdout.strip()}, not from the wheel in {place}."
            raise SystemExit(msg)
        for command in DEMO:
            print("unfreeze", *command, flush=True)
            subprocess.run(
                [python, "-m", "unfreeze", *command], check=True, cwd=home, env=environment, stdout=subprocess.DEVNULL
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
