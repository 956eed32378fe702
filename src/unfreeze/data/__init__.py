"""Image sets, their inspection, decoding in child processes, splits and transforms."""
