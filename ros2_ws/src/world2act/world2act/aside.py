"""Long work of a node in a thread, while its executor goes on."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Result = TypeVar("Result")


class Aside:
    """One thread; `result = await aside.run(function)` in a callback of the node that is a coroutine.

    wake: makes the node's executor take its next turn.
    """

    def __init__(self, name: str, wake: Callable[[], None]) -> None:
        self._pool = ThreadPoolExecutor(1, name)
        self._wake = wake
        self._latest: Future[Any] | None = None

    @types.coroutine
    def run(self, work: Callable[[], Result]) -> Generator[None, None, Result]:
        """Call `work` in the thread; returns what it returns and raises what it raises."""
        future: Future[Result] = self._pool.submit(work)
        self._latest = future
        future.add_done_callback(lambda _: self._wake())
        while not future.done():
            yield  # rclpy asks again at its next turn
        return future.result()

    def wait(self) -> None:
        """Block until what is under way is done; its callback goes on at the executor's next turn."""
        if self._latest is not None:
            wait([self._latest])

    def end(self) -> None:
        """Wait for what is under way."""
        self._pool.shutdown(cancel_futures=True)
