"""A testbed that can outlive pytest: a process of its own, the holder, provisions and owns it.

Machines die with the process that started them, so what is to stay must be started by one that stays.
pytest starts the holder before it provisions, with a share of the ledger's lock. Until it is told to
hold the testbed, the holder ends with pytest, and whatever ends the holder ends the machines.
"""
