"""A real OpenStack on this machine, for tests: nothing of it outlives whoever started it."""
