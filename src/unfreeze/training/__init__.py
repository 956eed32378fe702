"""The one training loop, freezing and its audit, schedules, and what the loop is fed with."""
