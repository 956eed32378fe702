"""The store of codes on disk; knows no network and no label."""
