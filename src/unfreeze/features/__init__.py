"""The frozen part of a network, run once: prefix engines, the store of codes, and reading codes in one pass."""
