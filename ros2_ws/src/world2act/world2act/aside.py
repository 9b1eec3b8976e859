"""Long work of a node in a thread, while its executor goes on."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Aside:
    """One thread; `result = await aside.run(function)` in a callback of the node that is a coroutine."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, name)

    @types.coroutine
    def run(self, work: Callable[[], Result]) -> Generator[None, None, Result]:
        """Call `work` in the thread; returns what it returns and raises what it raises."""
        future: Future[Result] = self._pool.submit(work)
        while not future.done():
            yield  # rclpy asks again after whatever it does next
        return future.result()

    def end(self) -> None:
        """Wait for what is under way."""
        self._pool.shutdown(cancel_futures=True)
