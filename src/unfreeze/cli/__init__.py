"""The command line: thin twins over the functions that Python programs call."""
