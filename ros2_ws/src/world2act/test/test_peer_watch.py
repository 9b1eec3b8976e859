"""Who is overdue, with a clock of our own."""

from __future__ import annotations

import pytest

from world2act.peer_watch import PeerWatch


class Watch(PeerWatch):
    """A watch of "policy" and "camera" with 0.12 s of patience, asked every 0.01 s as arm_commander does."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(("policy", "camera"), 0.12, lambda: self.now)

    def go(self, seconds: float, *heard: str) -> tuple[str, ...]:
        """Time passes, and those who are heard say something every 0.01 s."""
        lost: tuple[str, ...] = ()
        for _ in range(round(seconds / 0.01)):
            self.now += 0.01
            for name in heard:
                self.seen(name)
            lost = self.lost()
        return lost


def test_the_silent_one_is_named_within_its_time_and_comes_back() -> None:
    watch = Watch()
    assert watch.go(1.0, "policy", "camera") == ()
    assert watch.go(0.11, "camera") == ()
    assert watch.go(0.02, "camera") == ("policy",)
    assert watch.age_s("policy") == pytest.approx(0.13)
    assert watch.go(0.13) == ("policy", "camera")
    assert watch.go(0.01, "policy") == ("camera",)


def test_who_never_spoke_is_lost_and_strangers_do_not_matter() -> None:
    watch = Watch()
    assert watch.go(0.13, "somebody") == ("policy", "camera")
    with pytest.raises(KeyError):
        watch.age_s("somebody")


def test_a_watcher_that_slept_gives_one_more_chance_and_no_second() -> None:
    watch = Watch()
    watch.go(1.0, "policy", "camera")
    watch.now += 5.0  # nobody could be heard, because nobody listened
    assert watch.lost() == ()
    assert watch.go(0.13) == ("policy", "camera")


def test_patience_must_be_positive() -> None:
    with pytest.raises(ValueError, match="timeout_s is 0"):
        PeerWatch((), 0.0)
