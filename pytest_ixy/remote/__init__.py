"""Nodes over SSH: one connection each; commands, processes and files are channels of it."""

from __future__ import annotations

from pytest_ixy.remote.access import Access
from pytest_ixy.remote.host import Completed, Host
from pytest_ixy.remote.pipe import RemoteFileMissing
from pytest_ixy.remote.process import Process, Stopped

__all__ = ["Access", "Completed", "Host", "Process", "RemoteFileMissing", "Stopped"]
