"""Testbeds that one process owns and others use: the landlord has them, each tenant gets one.

A tenancy is a connection: it begins when a worker asks for a target's testbed, and whatever ends the worker
ends it. Then the testbed is taken down, and its place is free for the next one in line.
"""
