"""Strategies: how each plan is run and measured on one task, and how one of them is chosen."""
