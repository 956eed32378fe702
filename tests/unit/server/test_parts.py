"""Small parts of a service: tickets, names of photos, the policy of a report, the binary tensors of KServe."""

import base64
import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unfreeze.server import kserve
from unfreeze.server.page import report_policy
from unfreeze.server.problems import ProblemError, unreadable
from unfreeze.server.service import TICKET_SECONDS, Tickets
from unfreeze.server.uploads import name_of


def test_a_ticket_is_good_once_and_for_a_minute() -> None:
    """Afterwards, and for any other word, there is nothing."""
    now = [0.0]
    tickets = Tickets(lambda: now[0])
    first, second = tickets.issue(b"one"), tickets.issue(b"two")

    assert tickets.redeem(first) == b"one"
    assert tickets.redeem(first) is None
    assert tickets.redeem("another") is None
    now[0] = TICKET_SECONDS
    assert tickets.redeem(second) is None


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("a.jpg", "a.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\b.png", "b.png"),
        (None, "photo"),
        ("", "photo"),
        ("evil\u202egpj.exe", "evil\\u202egpj.exe"),
        ("x" * 900 + ".jpg", "x" * 196 + ".jpg"),
    ],
)
def test_names_of_photos_are_said_without_folders_and_tricks(given_name: str | None, shown: str) -> None:
    """The last part, printable, and not longer than a person reads."""
    assert name_of(given_name) == shown


def test_a_report_may_use_its_own_styles_and_nothing_else() -> None:
    """Each style sheet and attribute stands in the policy by its hash, which is that of its text; scripts do not."""
    html = b'<style>p { color: red }</style><p style="--tint: 3%">x</p><script>alert(1)</script>'

    policy = report_policy(html)

    for text in (b"p { color: red }", b"--tint: 3%"):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; style-src 'unsafe-hashes' ")
    assert policy.endswith("sandbox")
    assert "unsafe-inline" not in policy
    assert "script-src" not in policy


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_binary_tensors_are_read_as_they_were_written(parts: list[bytes]) -> None:
    """Elements with their lengths before them come out again; one byte less is refused."""
    data = b"".join(struct.pack("<I", len(part)) + part for part in parts)

    assert kserve._binary(data) == parts
    if parts and parts[-1]:
        with pytest.raises(ProblemError):
            kserve._binary(data[:-1])


@pytest.mark.parametrize(
    ("reason", "code", "found"),
    [
        ("truncated", "truncated", "The image is cut off (truncated)"),
        ("camera-raw: .cr2", "camera-raw", "Camera RAW is not read (.cr2)"),
        ("decoder-timeout 5 s", "decoder-timeout", "The image takes too long to decode (5 s)"),
        ("corrupt-png", "corrupt-png", "The image cannot be read (corrupt-png)"),
    ],
)
def test_reasons_of_the_decoder_become_sentences(reason: str, code: str, found: str) -> None:
    """Their first word is the code; what stands behind it is said in the sentence."""
    problem = unreadable(reason)

    assert (problem.status, problem.code) == (422, code)
    assert problem.detail.startswith(f"{found}; send ")
