"""Puts together what belongs to one instant: the newest picture of each camera and the robot's state nearest to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

STATE_HISTORY = 64


@dataclass(frozen=True)
class Match:
    """Inputs of one instant: name -> message, name -> stamp [ns]."""

    values: dict[str, Any]
    stamps_ns: dict[str, int]

    @property
    def stamp_ns(self) -> int:
        """The instant the match describes: the oldest of its inputs."""
        return min(self.stamps_ns.values())

    @property
    def skew_ns(self) -> int:
        """Newest minus oldest stamp."""
        return max(self.stamps_ns.values()) - min(self.stamps_ns.values())


class StampSynchronizer:
    """Matches inputs by stamp; keeps one picture per camera (latest only) and a short history of each state stream.

    max_skew_ns: how far apart the stamps of one match may be; 0 asks for equal stamps (lockstep).
    min_interval_ns: matches come no faster than this, to give `observation_hz` from faster cameras.
    """

    def __init__(
        self, cameras: Sequence[str], states: Sequence[str], max_skew_ns: int = 0, min_interval_ns: int = 0
    ) -> None:
        if not cameras or max_skew_ns < 0 or min_interval_ns < 0:
            raise ValueError("need at least one camera and non-negative times")
        self._cameras = tuple(cameras)
        self._max_skew_ns = max_skew_ns
        self._min_interval_ns = min_interval_ns
        self._images: dict[str, tuple[int, Any]] = {}
        self._states: dict[str, deque[tuple[int, Any]]] = {name: deque(maxlen=STATE_HISTORY) for name in states}
        self._used: set[str] = set()
        self._last_ns: int | None = None
        self.dropped = 0

    def push(self, name: str, stamp_ns: int, value: Any) -> Match | None:
        """Take one input; returns a match when this input completes one, with every picture new since the last."""
        if name in self._states:
            self._states[name].append((stamp_ns, value))
        elif name in self._cameras:
            self._replace(name, stamp_ns, value)
        else:
            raise KeyError(f"no input {name!r}; inputs: {', '.join((*self._cameras, *self._states))}")
        return self._match()

    def _replace(self, name: str, stamp_ns: int, value: Any) -> None:
        # A picture that never became part of a match is lost: count it, that is what skewed cameras look like.
        if name in self._images and name not in self._used and self._images[name][0] != stamp_ns:
            self.dropped += 1
        self._images[name] = (stamp_ns, value)
        self._used.discard(name)

    def _match(self) -> Match | None:
        if len(self._images) < len(self._cameras) or self._used:
            return None
        anchor_ns = max(stamp for stamp, _ in self._images.values())
        chosen = dict(self._images)
        for name, history in self._states.items():
            if not history:
                return None
            chosen[name] = min(history, key=lambda entry: abs(entry[0] - anchor_ns))
        stamps = {name: stamp for name, (stamp, _) in chosen.items()}
        match = Match({name: value for name, (_, value) in chosen.items()}, stamps)
        if match.skew_ns > self._max_skew_ns or self._too_soon(anchor_ns):
            return None
        self._used = set(self._cameras)
        self._last_ns = anchor_ns
        return match

    def _too_soon(self, anchor_ns: int) -> bool:
        if self._last_ns is None or anchor_ns <= self._last_ns:
            return False
        return anchor_ns - self._last_ns < self._min_interval_ns
