"""Who may ask a service."""

import itertools

import pytest
from starlette.datastructures import Headers

from unfreeze.server.guard import TokenBuckets, check_host, check_origin, check_token
from unfreeze.server.problems import ProblemError
from unfreeze.server.running import allowed_hosts, is_loopback

ALLOWED = allowed_hosts("127.0.0.1", 8000, ("photos.example",))
HOSTS = {
    "127.0.0.1:8000": True,
    "localhost:8000": True,
    "LOCALHOST:8000": True,
    "[::1]:8000": True,
    "photos.example": True,
    "photos.example:8000": True,
    "127.0.0.1": False,
    "127.0.0.1:80": False,
    "photos.example.evil.example": False,
    "evil.example": False,
    "evil.example:8000": False,
    "localhost:8000@evil.example": False,
    "": False,
    "0.0.0.0:8000": False,
}
ORIGINS = {
    None: True,
    "http://127.0.0.1:8000": True,
    "https://127.0.0.1:8000": True,
    "http://127.0.0.1:9000": False,
    "http://localhost:8000": False,
    "http://evil.example": False,
    "null": False,
    "": False,
    "file://": False,
}


def passes(check: object, *arguments: object, **options: object) -> bool:
    """Whether a check lets a request through."""
    try:
        check(*arguments, **options)  # type: ignore[operator]
    except ProblemError:
        return False
    return True


@pytest.mark.parametrize(("host", "is_allowed"), HOSTS.items())
def test_only_names_of_the_service_are_answered(host: str, is_allowed: bool) -> None:
    """Exactly those, with its port; a name that only begins or ends like one is none."""
    assert passes(check_host, Headers({"host": host}), ALLOWED) is is_allowed


def test_two_hosts_are_none() -> None:
    """A request that names two, one of which is right, is refused, and so is one without any."""
    twice = Headers(raw=[(b"host", b"127.0.0.1:8000"), (b"host", b"evil.example")])

    assert not passes(check_host, twice, ALLOWED)
    assert not passes(check_host, Headers({}), ALLOWED)


@pytest.mark.parametrize(("origin", "is_allowed"), ORIGINS.items())
def test_only_the_own_origin_is_answered(origin: str | None, is_allowed: bool) -> None:
    """None at all, as of programs, or the very host that is asked."""
    headers = Headers({"host": "127.0.0.1:8000"} | ({} if origin is None else {"origin": origin}))

    assert passes(check_origin, headers, is_page=False) is is_allowed


def test_other_sites_may_only_link_to_the_page() -> None:
    """What browsers say of where a request comes from: of all cases, six pass."""
    passed = [
        (site, mode, is_page)
        for site, mode, is_page in itertools.product(
            ("same-origin", "none", "same-site", "cross-site"), ("navigate", "cors"), (True, False)
        )
        if passes(check_origin, Headers({"host": "h", "sec-fetch-site": site, "sec-fetch-mode": mode}), is_page=is_page)
        and site not in {"same-origin", "none"}
    ]

    assert passed == [("same-site", "navigate", True), ("cross-site", "navigate", True)]


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer ", "Bearer secre", "Bearer secret2", "bearer secret", "secret", "Bearer sécret"]
)
def test_a_token_that_is_not_whole_is_none(said: str) -> None:
    """Nor one in another scheme; no token is wanted where there is none."""
    headers = Headers(raw=[(b"authorization", said.encode("latin-1"))])

    assert not passes(check_token, headers, "secret")
    assert passes(check_token, Headers({"authorization": "Bearer secret"}), "secret")
    assert passes(check_token, headers, "")


def test_an_address_that_asks_too_often_waits() -> None:
    """Ten seconds' worth come at once, then as many a second as the rate says; other addresses do not wait for it."""
    now = [0.0]
    buckets = TokenBuckets(2.0, lambda: now[0])

    at_once = sum(buckets.takes("a") for _ in range(100))
    now[0] = 3.0
    later = sum(buckets.takes("a") for _ in range(100))

    assert (at_once, later) == (20, 6)
    assert buckets.takes("b")


def test_addresses_that_come_and_go_take_no_memory() -> None:
    """However many there are, few are remembered."""
    buckets = TokenBuckets(1.0, lambda: 0.0)
    for number in range(10_000):
        buckets.takes(str(number))

    assert len(buckets._buckets) <= 4096


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    """By the address itself; all addresses of a machine are not loopback."""
    assert is_loopback(host) is expected
