"""Memory of its own for what is held for a while, so that the system gets it back."""

from __future__ import annotations

import mmap

PAGE_BYTES = 1 << 20


class Page:
    """A piece of anonymous memory that fills from its beginning and is given back to the system as a whole.

    Messages of all sizes that live for a minute between ones that live for a moment leave holes in the heap of an
    allocator; over hours it grows. Here the heap sees none of them, and what was never written takes no memory.
    """

    def __init__(self, least_bytes: int = 0) -> None:
        self._memory = mmap.mmap(-1, max(PAGE_BYTES, least_bytes))
        self._end = 0

    @property
    def room(self) -> int:
        """Bytes that are free."""
        return len(self._memory) - self._end

    def add(self, data: bytes) -> tuple[int, int]:
        """Copy `data` into it, of `room` bytes at most; returns where it lies: first byte, and the one after it."""
        first, self._end = self._end, self._end + len(data)
        self._memory[first : self._end] = data
        return first, self._end

    def read(self, first: int, end: int) -> bytes:
        """A copy of the bytes from `first` to before `end`."""
        return self._memory[first:end]
