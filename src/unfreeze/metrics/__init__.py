"""Accuracy, intervals and paired comparison: pure functions of arrays, with NumPy and SciPy only."""
