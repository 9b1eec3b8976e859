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


def test_a_slow_link_still_finds_pictures_of_its_instant() -> None:
    """Camera b's pictures are 200 ms on their way, a's 20 ms; both are taken every 33 ms, b 10 ms after a."""
    taken = range(0, 2000, 33)
    arrivals = sorted([(ms + 20, "a", ms) for ms in taken] + [(ms + 210, "b", ms + 10) for ms in taken])
    inputs = [(name, stamp) for arrival, name, stamp in arrivals if arrival < 2000]
    newest_only = StampSynchronizer(["a", "b"], ["s"], max_skew_ns=30 * MS)
    with_window = StampSynchronizer(
        ["a", "b"], ["s"], max_skew_ns=30 * MS, picture_window_ns=300 * MS, state_history=99
    )
    for sync in (newest_only, with_window):
        for ms in taken:
            sync.push("s", ms * MS, ms)
    assert feed(newest_only, *inputs) == []
    matches = feed(with_window, *inputs)
    assert len(matches) > 50 and all(skew == 10 for _, skew in matches)
    assert [stamp for stamp, _ in matches] == sorted({stamp for stamp, _ in matches}), "each picture is used once"


def test_the_window_is_bounded_and_can_be_emptied() -> None:
    sync = StampSynchronizer(["a", "b"], ["s"], max_skew_ns=10 * MS, picture_window_ns=100 * MS)
    assert feed(sync, ("s", 500), *(("a", ms) for ms in range(0, 501, 10))) == []
    assert sync.dropped == 40, "fifty-one came, those of the last 100 ms are kept"
    sync.forget("a")
    assert feed(sync, ("b", 500)) == [] and feed(sync, ("a", 505)) == [(500, 5)]


def test_unknown_inputs_are_mistakes() -> None:
    with pytest.raises(KeyError, match="inputs: a, s"):
        StampSynchronizer(["a"], ["s"]).push("c", 0, None)
