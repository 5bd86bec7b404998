"""The services of OpenStack, one per module."""
