"""Chunks that no policy should send: what another process, or a bug, puts on the topic."""

from __future__ import annotations

import array
import copy
import math

from world2act.conversions import ns_to_stamp, seconds_to_ns, stamp_to_ns
from world2act.faults.bench import Bench
from world2act_interfaces.msg import ActionChunk


def _next(bench: Bench) -> ActionChunk:
    """A copy of the newest chunk that counts as newer."""
    assert bench.chunk is not None, "the policy has published no chunk yet"
    chunk = copy.deepcopy(bench.chunk)
    chunk.sequence += 1
    chunk.header.stamp = ns_to_stamp(stamp_to_ns(chunk.header.stamp) + 1_000_000)
    return chunk


def nan(bench: Bench) -> None:
    """One value is not a number."""
    chunk = _next(bench)
    chunk.data[5] = math.nan
    bench.chunks.publish(chunk)


def huge(bench: Bench) -> None:
    """Every step asks for a metre."""
    chunk = _next(bench)
    chunk.data = array.array("f", [1.0] * len(chunk.data))
    bench.chunks.publish(chunk)


def wrong_shape(bench: Bench) -> None:
    """One action too few for what the contract says."""
    chunk = _next(bench)
    chunk.horizon -= 1
    chunk.data = chunk.data[: chunk.horizon * chunk.action_size]
    bench.chunks.publish(chunk)


def late(bench: Bench) -> None:
    """A chunk whose observation is five seconds old."""
    chunk = _next(bench)
    chunk.header.stamp = ns_to_stamp(stamp_to_ns(chunk.header.stamp) - seconds_to_ns(5.0))
    bench.chunks.publish(chunk)


def out_of_order(bench: Bench) -> None:
    """The chunk before the newest one, again."""
    chunk = _next(bench)
    chunk.sequence -= 3
    chunk.header.stamp = ns_to_stamp(stamp_to_ns(chunk.header.stamp) - seconds_to_ns(0.3))
    bench.chunks.publish(chunk)
