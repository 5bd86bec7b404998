"""Hosts that exist, reached over SSH and leased for the time of a run."""
