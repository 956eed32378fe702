"""Placeholder docstring, rewritten by the layer."""
