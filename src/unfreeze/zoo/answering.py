"""Whether a server answers at all, found out before a client of it retries for most of a minute."""

import contextlib
import threading
import urllib.error
import urllib.request

SECONDS_TO_ANSWER = 5.0  # what does not answer by then counts as out of reach


def answers(url: str) -> bool:
    """Whether anything answers there; looking up a name can hang, so it is done aside."""
    answered: list[bool] = []

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError):
            with contextlib.suppress(urllib.error.HTTPError):  # an answer too
                urllib.request.build_opener().open(url, timeout=SECONDS_TO_ANSWER).close()
            answered.append(True)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(SECONDS_TO_ANSWER + 1)
    return bool(answered)
