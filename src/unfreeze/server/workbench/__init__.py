"""The workbench: the work of the command line for people who do not type, in a browser."""
