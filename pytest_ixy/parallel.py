"""Several blocking jobs at once, with the caller free to watch and to be interrupted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")
TICK = 0.2


class _Job(threading.Thread, Generic[T]):
    def __init__(self, name: str, work: Callable[[], T]) -> None:
        super().__init__(name=f"ixy-{name}", daemon=True)
        self._work = work
        self.result: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            self.error = error


def all_at_once(
    jobs: Mapping[str, Callable[[], T]],
    *,
    tick: Callable[[list[str]], None] = lambda _unfinished: None,
    abort: Callable[[], None] = lambda: None,
) -> dict[str, T]:
    """Run every job in a thread of its own and return their results by name.

    Args:
        jobs: What to do, by name.
        tick: Called every fifth of a second with the names of unfinished jobs, on this thread.
        abort: Called when this thread is interrupted; must make the jobs end.

    Raises:
        Exception: the first job's that failed, in the order of `jobs`, after all have ended.
    """
    threads = {name: _Job(name, work) for name, work in jobs.items()}
    try:
        for thread in threads.values():
            thread.start()
        while unfinished := [name for name, thread in threads.items() if thread.is_alive()]:
            tick(unfinished)
            threads[unfinished[0]].join(TICK)
    except BaseException:
        abort()
        for thread in threads.values():
            if thread.is_alive():  # one that was never started cannot be joined
                thread.join(10)
        raise
    for thread in threads.values():
        if thread.error is not None:
            raise thread.error
    return {name: thread.result[0] for name, thread in threads.items()}
