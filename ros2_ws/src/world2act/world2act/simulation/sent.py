"""What the middleware says of a message beside its content: when it was sent, and how many before it were lost."""

from __future__ import annotations

import time
from typing import Any


class SentWatch:
    """Follows the messages of one topic by the middleware's numbers, sender by sender."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def see(self, info: dict[str, Any]) -> tuple[float, int]:
        """rclpy's information on a message -> (when it was sent [s, wall clock], messages lost since the one before).

        What the middleware does not say is taken for now, and for none.
        """
        sent_s = (info.get("source_timestamp") or time.time_ns()) / 1e9
        number = info.get("publication_sequence_number") or 0
        sender = bytes((info.get("publisher_gid") or {}).get("data", b""))
        before = self._numbers.get(sender, number - 1)
        self._numbers[sender] = number
        return sent_s, max(0, number - before - 1)
