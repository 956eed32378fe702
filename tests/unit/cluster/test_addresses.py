"""What ``--on`` names."""

import pytest

from unfreeze.cluster.addresses import Address, parse_address
from unfreeze.core.errors import ClusterError


@pytest.mark.parametrize(
    ("text", "of_job", "address", "for_ray"),
    [
        ("ray", "", Address("own"), "local"),
        ("ray", "10.0.0.1:6379", Address("inside", "10.0.0.1:6379"), "10.0.0.1:6379"),
        ("ray", "auto", Address("inside"), "auto"),
        ("ray", "ray://head:10001", Address("client", "head:10001"), "ray://head:10001"),
        ("ray://head:10001", "10.0.0.1:6379", Address("client", "head:10001"), "ray://head:10001"),
    ],
)
def test_a_cluster_is_ours_or_that_of_a_job_or_one_elsewhere(
    text: str, of_job: str, address: Address, for_ray: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that Ray gives a job counts for the plain word alone."""
    monkeypatch.setenv("RAY_ADDRESS", of_job)

    assert parse_address(text) == address
    assert address.for_ray == for_ray


@pytest.mark.parametrize("text", ["", "dask", "ray://", "ray://head", "head:10001", "ray://user@head:10001"])
def test_what_names_no_cluster_is_refused(text: str) -> None:
    """The sentence shows both forms."""
    with pytest.raises(ClusterError, match="--on takes ray, or ray://HOST:PORT"):
        parse_address(text)
