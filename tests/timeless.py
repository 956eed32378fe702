"""Records of two runs that were to give the same, side by side."""

import re
from typing import Any

from unfreeze.core.run_record import HASH

# What depends on the clock or on the process, by name of field.
TIMES = {
    "cost",
    "phases",
    "seconds",
    "seconds_an_image",
    "milliseconds_an_image",
    "timed",
    "forecast_seconds",
    "resumed",
}
TIME = re.compile(r"(\d+ min )?\d[\d.,]* (ms|s|min|h|GB|MB)\b")


def without_times(value: Any) -> Any:
    """A record but for what the clock and the process decide, and its hash; times in sentences are one word."""
    if isinstance(value, dict):
        left_out = TIMES | ({HASH} if "schema" in value else set())
        return {key: without_times(item) for key, item in value.items() if key not in left_out}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return TIME.sub("TIME", value) if isinstance(value, str) else value
