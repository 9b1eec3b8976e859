"""Which inputs are put together."""

from __future__ import annotations

import pytest

from world2act.synchronizer import StampSynchronizer

MS = 1_000_000


def feed(synchronizer: StampSynchronizer, *inputs: tuple[str, int]) -> list[tuple[int, int]]:
    """Push (name, milliseconds); returns (stamp, skew) in ms of every match."""
    matches = [synchronizer.push(name, ms * MS, f"{name}@{ms}") for name, ms in inputs]
    return [(match.stamp_ns // MS, match.skew_ns // MS) for match in matches if match is not None]


def test_lockstep_waits_for_equal_stamps() -> None:
    sync = StampSynchronizer(["a", "b"], ["s"])
    assert feed(sync, ("s", 0), ("a", 0), ("b", 0)) == [(0, 0)]
    assert feed(sync, ("s", 100), ("a", 100)) == []
    assert feed(sync, ("b", 100)) == [(100, 0)]


def test_the_order_of_arrival_does_not_matter() -> None:
    for order in (("a", "b", "s"), ("s", "b", "a"), ("b", "s", "a")):
        assert feed(StampSynchronizer(["a", "b"], ["s"]), *((name, 50) for name in order)) == [(50, 0)]


def test_a_repeated_tick_matches_again() -> None:
    sync = StampSynchronizer(["a"], ["s"])
    assert feed(sync, ("s", 0), ("a", 0), ("s", 0), ("a", 0)) == [(0, 0), (0, 0)]
    assert sync.dropped == 0


def test_the_state_nearest_to_the_pictures_is_taken() -> None:
    sync = StampSynchronizer(["a"], ["s"], max_skew_ns=20 * MS)
    sync.push("s", 8 * MS, "early")
    sync.push("s", 12 * MS, "near")
    match = sync.push("a", 13 * MS, "picture")
    assert match is not None and match.values["s"] == "near" and match.stamp_ns == 12 * MS


def test_too_much_skew_gives_nothing_and_unused_pictures_are_counted() -> None:
    sync = StampSynchronizer(["a", "b"], ["s"], max_skew_ns=10 * MS)
    assert feed(sync, ("s", 0), ("a", 0), ("b", 30), ("a", 60), ("b", 90)) == []
    assert sync.dropped == 2


def test_faster_cameras_are_thinned_out() -> None:
    sync = StampSynchronizer(["a"], ["s"], max_skew_ns=500 * MS, min_interval_ns=75 * MS)
    sync.push("s", 0, "s")
    stamps = [stamp for ms in range(0, 330, 33) for stamp, _ in feed(sync, ("s", ms), ("a", ms))]
    assert stamps == [0, 99, 198, 297]


def test_one_silent_camera_silences_all() -> None:
    sync = StampSynchronizer(["a", "b"], ["s"], max_skew_ns=50 * MS)
    assert feed(sync, ("s", 0), ("a", 0), ("b", 0)) == [(0, 0)]
    assert feed(sync, *(("a", ms) for ms in range(33, 1000, 33))) == []


def test_unknown_inputs_are_mistakes() -> None:
    with pytest.raises(KeyError, match="inputs: a, s"):
        StampSynchronizer(["a"], ["s"]).push("c", 0, None)
