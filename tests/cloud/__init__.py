"""Tests with a real OpenStack; a package, so that its conftest.py is not taken for that of tests/lab."""
