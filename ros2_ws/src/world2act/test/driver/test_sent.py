"""Messages that the middleware lost are counted, sender by sender."""

from __future__ import annotations

import time
from typing import Any

from rclpy.node import Node
from std_msgs.msg import String

from world2act import topics
from world2act.simulation.sent import SentWatch


def test_gaps_in_the_numbers_are_losses_of_that_sender() -> None:
    def info(sender: bytes, number: int) -> dict[str, Any]:
        return {
            "source_timestamp": 2_000_000_000,
            "publication_sequence_number": number,
            "publisher_gid": {"data": sender},
        }

    watch = SentWatch()
    order = [(b"a", 7), (b"a", 8), (b"b", 1), (b"a", 11), (b"b", 2), (b"b", 2), (b"a", 12)]
    assert [watch.see(info(*one)) for one in order] == [(2.0, lost) for lost in (0, 0, 0, 2, 0, 0, 0)]


def test_what_is_not_said_is_now_and_none() -> None:
    began_s = time.time()
    sent_s, lost = SentWatch().see({"source_timestamp": 0, "publication_sequence_number": None})
    assert began_s <= sent_s <= time.time() and lost == 0


def test_a_queue_that_runs_over_shows(ros: Any) -> None:
    node = ros.add(Node("watcher", context=ros.context, use_global_arguments=False))
    watch, seen = SentWatch(), []
    node.create_subscription(String, "words", lambda _, info: seen.append(watch.see(info)), topics.reliable(2))
    words = node.create_publisher(String, "words", topics.reliable(2))
    assert ros.until(lambda: words.get_subscription_count() == 1)
    words.publish(String())
    assert ros.until(lambda: len(seen) == 1)
    for _ in range(10):
        words.publish(String())
    sent_s = time.time()
    time.sleep(0.3)
    assert ros.until(lambda: len(seen) == 3)
    assert sum(lost for _, lost in seen) == 8 and seen[-1][0] <= sent_s
