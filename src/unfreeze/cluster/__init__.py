"""Past one machine: the work of a command on the workers of a Ray cluster. The only layer that knows Ray."""
