"""Faults on purpose: commands that are killed, starved and misled. `tests/faults` and `benchmarks/faults.py` share it."""
