"""What the measurements mean: comparisons and the sentences of the verdict."""
