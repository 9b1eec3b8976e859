"""Streams that are looked into, events that are looked for: nothing is lost by not being woken."""

from __future__ import annotations

from typing import Any

import pytest
from rclpy.event_handler import EventHandler, PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from std_msgs.msg import Header, String

from world2act import topics
from world2act.sparing_node import Sparing, SparingNode


class Pair:
    """A sparing node, and one that sends."""

    def __init__(self, ros: Any) -> None:
        self.ros = ros
        self.node = ros.add(Sparing("sparing", context=ros.context, use_global_arguments=False))
        self.sender = ros.add(Node("sender", context=ros.context, use_global_arguments=False))
        self.heard: list[str] = []

    def poll(self, topic: str, depth: int = 10) -> Any:
        """A polled topic; returns its publisher and what ends the subscription."""
        publisher = self.sender.create_publisher(String, topic, topics.reliable(depth))
        end = self.node.poll(String, topic, lambda said, _: self.heard.append(said.data), topics.reliable(depth))
        assert self.ros.until(lambda: publisher.get_subscription_count() == 1)
        return publisher, end

    def arrived(self, count: int) -> bool:
        """Whether `count` messages are heard in the end, looking again and again."""

        def looked() -> bool:
            self.node.polled.take()
            return len(self.heard) >= count

        return bool(self.ros.until(looked))


@pytest.fixture
def pair(ros: Any) -> Pair:
    """One per test."""
    return Pair(ros)


def test_a_polled_topic_wakes_nobody_and_is_taken_in_order(pair: Pair) -> None:
    publisher, _ = pair.poll("words")
    for word in "abc":
        publisher.publish(String(data=word))
    pair.ros.spin(0.3)
    assert pair.heard == [], "the executor must not take them"
    assert pair.arrived(3) and pair.heard == ["a", "b", "c"]


def test_the_middleware_says_when_a_polled_message_was_sent_and_came(pair: Pair) -> None:
    seen: list[dict[str, Any]] = []
    publisher = pair.sender.create_publisher(Header, "stamps", topics.reliable())
    pair.node.poll(Header, "stamps", lambda _, info: seen.append(info), topics.reliable())
    assert pair.ros.until(lambda: publisher.get_subscription_count() == 1)
    publisher.publish(Header())

    def looked() -> bool:
        pair.node.polled.take()
        return bool(seen)

    assert pair.ros.until(looked)
    assert 0 < seen[0]["source_timestamp"] <= seen[0]["received_timestamp"]


def test_across_topics_messages_can_be_taken_as_they_came(pair: Pair) -> None:
    first, _ = pair.poll("first")
    second, _ = pair.poll("second")
    for publisher, word in ((second, "a"), (first, "b"), (second, "c")):
        publisher.publish(String(data=word))
        pair.ros.spin(0.1)
    pair.node.polled.take_in_order()
    assert pair.heard == ["a", "b", "c"]


def test_what_does_not_fit_is_lost_oldest_first(pair: Pair) -> None:
    publisher, _ = pair.poll("words", depth=2)
    for word in "abcd":
        publisher.publish(String(data=word))
        pair.ros.spin(0.05)
    assert pair.arrived(2) and pair.heard == ["c", "d"]


def test_what_came_while_nobody_listened_can_be_thrown_away(pair: Pair) -> None:
    publisher, _ = pair.poll("words")
    publisher.publish(String(data="old"))
    pair.ros.spin(0.2)
    pair.node.polled.discard()
    publisher.publish(String(data="new"))
    assert pair.arrived(1) and pair.heard == ["new"]


def test_an_ended_poll_leaves_nothing(pair: Pair) -> None:
    publisher, end = pair.poll("words")
    end()
    assert pair.ros.until(lambda: publisher.get_subscription_count() == 0)
    pair.node.polled.take()
    assert list(pair.node.subscriptions) == []


def test_events_are_not_waited_for_and_are_found(pair: Pair) -> None:
    told: list[Any] = []
    callbacks = SubscriptionEventCallbacks(incompatible_qos=told.append)
    pair.node.create_subscription(String, "words", lambda _: None, topics.reliable(), event_callbacks=callbacks)
    assert not any(isinstance(each, EventHandler) for each in pair.node.waitables)
    quiet = PublisherEventCallbacks(use_default_callbacks=False)
    pair.sender.create_publisher(String, "words", topics.stream(1), event_callbacks=quiet)

    def looked() -> bool:
        pair.node.look_for_qos_events()
        return bool(told)

    assert pair.ros.until(looked)
    assert told[0].total_count == 1
    for _ in range(5):
        pair.node.look_for_qos_events()
    assert len(told) == 1, "what was told once is not told again"


def test_a_plain_node_looks_for_events_by_itself(pair: Pair, capfd: pytest.CaptureFixture[str]) -> None:
    node = pair.ros.add(SparingNode("plain", context=pair.ros.context, use_global_arguments=False))
    node.create_subscription(String, "words", lambda _: None, topics.reliable())
    pair.sender.create_publisher(String, "words", topics.stream(1))
    pair.ros.spin(2.5)
    assert "offering incompatible QoS" in capfd.readouterr().err


def test_topics_with_events_can_be_destroyed(pair: Pair) -> None:
    publisher = pair.node.create_publisher(String, "words", 1)
    subscription = pair.node.create_subscription(String, "words", lambda _: None, 1)
    assert pair.node.destroy_publisher(publisher) and pair.node.destroy_subscription(subscription)
    pair.node.look_for_qos_events()
