"""What only a process of pytest-ixy's own may save: others in it would miss what is left out."""

from __future__ import annotations

import os


class Thrift:
    """Whether this process saves what it can."""

    def __init__(self) -> None:
        self.begun = False

    def begin(self) -> None:
        """Save from now on; numpy and scapy are not yet imported, and nobody else uses them here."""
        self.begun = True
        # numpy's library for matrices starts a thread for each core, which spin while they wait.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


thrift = Thrift()
