"""What is checked before Ray is imported."""

from importlib import metadata

import pytest

from unfreeze.cluster.addresses import Address
from unfreeze.cluster.connection import connected
from unfreeze.core.errors import ClusterError


def test_without_ray_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that the work can be done without."""

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(ClusterError, match=r"pip install 'unfreeze\[ray\]'"), connected(Address("own")):
        pass


@pytest.mark.parametrize("version", ["2.9.3", "2.55.1"])
def test_versions_with_known_holes_are_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to 2.55, WebDataset files bring code that Ray runs (CVE-2026-57516)."""
    monkeypatch.setattr(metadata, "version", lambda _: version)
    said = rf"Ray {version} is installed.*Install 2\.56 or later"
    with pytest.raises(ClusterError, match=said), connected(Address("own")):
        pass


def test_nobody_who_answers_is_a_sentence() -> None:
    """Port 1 of this machine, where nothing listens, is refused at once."""
    said = r"No Ray cluster answers at ray://127\.0\.0\.1:1"
    with pytest.raises(ClusterError, match=said), connected(Address("client", "127.0.0.1:1")):
        pass
