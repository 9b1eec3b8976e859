"""Batches prepared by a thread while the previous ones are used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")


def prefetch(make: Callable[[int], T], start: int, ahead: int = 3) -> Generator[T]:
    """Yield ``make(start)``, ``make(start + 1)``, ... for ever, and raise what ``make`` raises. Close it to stop."""
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def put(value: T | None, error: BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put((value, error), timeout=0.2)
                return
            except queue.Full:
                continue

    def produce() -> None:
        number = start
        try:
            while not stopped.is_set():
                put(make(number), None)
                number += 1
        except BaseException as error:  # handed to the consumer, which raises it
            put(None, error)

    thread = threading.Thread(target=produce, daemon=True, name="prefetch")
    thread.start()
    try:
        while True:
            value, error = ready.get()
            if error is not None:
                raise error
            yield value  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join(timeout=5.0)
