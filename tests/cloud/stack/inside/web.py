"""Serve a WSGI application on loopback: `web.py MODULE:NAME PORT ARGUMENTS`; `MODULE:NAME()` calls it first.

The service takes the arguments for its own.
"""

from __future__ import annotations

import importlib
import sys

import waitress


def find(where):
    """The application, made if it is a factory that is named."""
    module, _, name = where.partition(":")
    found = getattr(importlib.import_module(module), name.removesuffix("()"))
    return found() if name.endswith("()") else found


if __name__ == "__main__":
    where, port = sys.argv[1:3]
    del sys.argv[1:3]
    waitress.serve(find(where), host="127.0.0.1", port=int(port), threads=8, _quiet=True)
