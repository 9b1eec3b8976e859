"""Puts together what belongs to one instant: a picture of each camera and the robot's state nearest to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

STATE_HISTORY = 64
Stamped = tuple[int, Any]


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
    """Matches inputs by stamp; keeps the newest picture of each camera and a short history of each state stream.

    max_skew_ns: how far apart the stamps of one match may be; 0 asks for equal stamps (lockstep).
    min_interval_ns: matches come no faster than this, to give `observation_hz` from faster cameras.
    picture_window_ns: pictures up to this much older than the camera's newest are kept as well, so that a camera whose
    pictures are on their way for longer still finds the others' pictures of the same instant; 0: the newest only.
    state_history: messages kept of each state stream.
    """

    def __init__(
        self, cameras: Sequence[str], states: Sequence[str], max_skew_ns: int = 0, min_interval_ns: int = 0,
        picture_window_ns: int = 0, state_history: int = STATE_HISTORY,
    ) -> None:  # fmt: skip
        if not cameras or min(max_skew_ns, min_interval_ns, picture_window_ns) < 0 or state_history < 1:
            raise ValueError("need at least one camera, non-negative times and a state to keep")
        self._cameras = tuple(cameras)
        self._max_skew_ns = max_skew_ns
        self._min_interval_ns = min_interval_ns
        self._window_ns = picture_window_ns
        # Pictures since the last match, oldest first: a match uses up its pictures and all that came before them.
        self._images: dict[str, deque[Stamped]] = {name: deque() for name in cameras}
        self._states: dict[str, deque[Stamped]] = {name: deque(maxlen=state_history) for name in states}
        self._last_ns: int | None = None
        self.dropped = 0

    def push(self, name: str, stamp_ns: int, value: Any) -> Match | None:
        """Take one input; returns a match when this input completes one, with every picture new since the last."""
        if name in self._states:
            self._states[name].append((stamp_ns, value))
        elif name in self._images:
            self._add_picture(self._images[name], stamp_ns, value)
        else:
            raise KeyError(f"no input {name!r}; inputs: {', '.join((*self._cameras, *self._states))}")
        return self._match()

    def forget(self, camera: str) -> None:
        """Drop the pictures of a camera: they are not to be trusted any more."""
        self._images[camera].clear()

    def _add_picture(self, pictures: deque[Stamped], stamp_ns: int, value: Any) -> None:
        # A picture that never became part of a match is lost: count it, that is what skewed cameras look like.
        while pictures and not stamp_ns - self._window_ns <= pictures[0][0] < stamp_ns:
            self.dropped += pictures.popleft()[0] != stamp_ns
        pictures.append((stamp_ns, value))

    def _match(self) -> Match | None:
        if not all(self._images.values()):
            return None
        # All cameras have come as far as the slowest one.
        anchor_ns = min(pictures[-1][0] for pictures in self._images.values())
        chosen = {name: _nearest(pictures, anchor_ns) for name, pictures in self._images.items()}
        newest_ns = max(stamp for stamp, _ in chosen.values())
        if self._too_soon(newest_ns):
            return None
        for name, history in self._states.items():
            if not history:
                return None
            chosen[name] = _nearest(history, newest_ns)
        stamps = {name: stamp for name, (stamp, _) in chosen.items()}
        match = Match({name: value for name, (_, value) in chosen.items()}, stamps)
        if match.skew_ns > self._max_skew_ns:
            return None
        for name, pictures in self._images.items():
            while pictures and pictures[0][0] <= stamps[name]:
                pictures.popleft()
        self._last_ns = newest_ns
        return match

    def _too_soon(self, newest_ns: int) -> bool:
        if self._last_ns is None or newest_ns <= self._last_ns:
            return False
        return newest_ns - self._last_ns < self._min_interval_ns


def _nearest(entries: deque[Stamped], stamp_ns: int) -> Stamped:
    return min(entries, key=lambda entry: abs(entry[0] - stamp_ns))
