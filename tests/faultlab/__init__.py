"""Faults on purpose: commands that are killed, starved and misled. Shared by tests and benchmarks."""
