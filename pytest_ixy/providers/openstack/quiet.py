"""Keep the library's warnings to its users from those of ours, to whose pytest they may be errors."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_lock = threading.Lock()
_inside = 0
_way_out = ExitStack()


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings are nobody's business inside; several threads may be, for the filters are the process's."""
    global _inside  # noqa: PLW0603 - like the filters
    with _lock:
        if not _inside:
            _way_out.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _way_out.close()
