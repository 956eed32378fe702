"""Networks that no library names: described operation by operation, built for PyTorch, kept as folders."""
