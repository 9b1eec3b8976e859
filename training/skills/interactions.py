"""When the robot deals with an object: holding it between the fingers, or touching it without grasping.

A hold begins where the gripper has closed by a threshold against its opening so far and ends where it has opened again
by more than the hysteresis (the paper: closing ``w0 - wt`` against 0.05 m, one segment per non-contact -> contact
cycle). Skills without grasping leave no trace in the gripper; two cues stand in for it: the hand is told to move but
does not (contact), or it stops in free space and turns back (velocity).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.skills.motion import FloatArray, Trajectory

Cue = Literal["grasp", "touch", "none"]


@dataclass(frozen=True)
class GripperConfig:
    """Holding. Lengths in metres, times in seconds."""

    closing_m: float | None = None
    """Closing against the opening so far that counts as closed (the paper: 0.05); None: ``closing_fraction`` of it."""
    closing_fraction: float = 0.12
    """The robot's equivalent: a share of the widest opening so far. Wide objects stop the fingers early."""
    hysteresis: float = 0.5
    """Open again once the closing is below this share of the threshold."""
    debounce_s: float = 0.3
    """Shorter openings and closings are no change of state."""
    empty_m: float = 0.004
    """Fingers closer than this hold nothing (a fist that pushes, a grasp that missed)."""
    regrasp_m: float = 0.06
    """Closing again this close (horizontally) to where the object was lost is the same hold: a slip, a second try."""
    regrasp_away_m: float = 0.15
    """... unless the hand went further away than this in between."""


@dataclass(frozen=True)
class TouchConfig:
    """Touching without grasping (push, press, open, close)."""

    enabled: bool = True
    contact_command: float = 0.4
    """The hand is told to move by at least this share of the largest command of the episode ..."""
    contact_progress: float = 0.2
    """... and moves by less than this share of it: something is in the way."""
    contact_s: float = 0.3
    stop_speed: float = 0.2
    """Standing still: slower than this share of the episode's 80th percentile of speed."""
    stop_s: float = 0.3
    turn_cosine: float = 0.3
    """The hand turned back: cosine of the directions before and after the stop is below this."""
    reach_m: float = 0.03
    """... having come and gone by at least this far."""
    away_s: float = 0.6
    """Touches this close in time to a hold belong to it."""


@dataclass(frozen=True)
class Interaction:
    """Frames ``[start, stop)`` in contact with an object; ``release``: where letting go begins, at most ``stop``."""

    cue: Cue
    start: int
    stop: int
    release: int


def holds(trajectory: Trajectory, config: GripperConfig) -> list[Interaction]:
    """Every hold, in order; a hold that lasts to the last frame ends at T."""
    closed = closed_frames(trajectory.width, config)
    shortest = trajectory.frames(config.debounce_s)
    found = _merge_close(runs(closed), shortest)
    found = [run for run in found if run[1] - run[0] >= shortest and not _is_empty(trajectory.width, run, config)]
    merged: list[tuple[int, int]] = []
    for run in found:
        if merged and _same_hold(trajectory.position, merged[-1][1], run[0], config):
            merged[-1] = (merged[-1][0], run[1])
        else:
            merged.append(run)
    return [Interaction("grasp", *run, _release(trajectory.width, run)) for run in merged]


def closed_frames(width: FloatArray, config: GripperConfig) -> NDArray[np.bool_]:
    """Whether the gripper is closed in each frame [T], with hysteresis, from its width [T] in metres.

    The reference is the widest opening so far: many demonstrations begin while the fingers are still opening.
    """
    widest = np.maximum.accumulate(width)
    threshold = np.full(len(width), config.closing_m) if config.closing_m else config.closing_fraction * widest
    closing = widest - width
    result = np.zeros(len(width), bool)
    closed = False
    for i in range(len(width)):
        limit = threshold[i] * (config.hysteresis if closed else 1.0)
        closed = bool(closing[i] > limit)
        result[i] = closed
    return result


def touches(trajectory: Trajectory, held: list[Interaction], config: TouchConfig) -> list[Interaction]:
    """Contacts without grasping, outside and not next to the ``held`` stretches."""
    if not config.enabled or len(trajectory) < 3:
        return []
    cue = _resisted(trajectory, config)
    for start, stop in _turning_stops(trajectory, config):
        cue[start:stop] = True
    margin, shortest = trajectory.frames(config.away_s), trajectory.frames(config.contact_s)
    found = [run for run in _merge_close(runs(cue), margin) if run[1] - run[0] >= shortest]
    free = [run for run in found if not any(run[0] < h.stop + margin and run[1] > h.start - margin for h in held)]
    return [Interaction("touch", *run, run[1]) for run in free if _arrived(trajectory.position, run[0], config)]


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches ``[start, stop)`` in which ``mask`` [T] is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2])]


def _merge_close(found: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Join stretches separated by fewer than ``gap`` frames."""
    merged: list[tuple[int, int]] = []
    for start, stop in found:
        if merged and start - merged[-1][1] < gap:
            merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((start, stop))
    return merged


def _arrived(position: FloatArray, start: int, config: TouchConfig) -> bool:
    """The hand came from somewhere: at the very beginning an arm that gathers speed also lags behind its command."""
    return float(np.linalg.norm(position[: start + 1] - position[0], axis=1).max()) > config.reach_m


def _is_empty(width: FloatArray, run: tuple[int, int], config: GripperConfig) -> bool:
    """Nothing between the fingers: at its narrowest the hold was a fist."""
    return bool(np.min(width[run[0] : run[1]]) < config.empty_m)


def _release(width: FloatArray, run: tuple[int, int]) -> int:
    """The frame at which the fingers begin to open for good: they are slow, and the hand leaves while they open."""
    if run[1] == len(width):
        return run[1]
    held = float(np.median(width[run[0] : run[1]]))
    opened = held + 0.2 * (float(width[run[1]]) - held)
    return run[0] + int(np.flatnonzero(width[run[0] : run[1]] <= opened)[-1]) + 1


def _same_hold(position: FloatArray, released: int, grasped: int, config: GripperConfig) -> bool:
    """The second grasp takes up again what the first one lost."""
    lost = position[released]
    back = float(np.linalg.norm(position[grasped, :2] - lost[:2])) < config.regrasp_m
    away = float(np.linalg.norm(position[released : grasped + 1] - lost, axis=1).max())
    return back and away < config.regrasp_away_m


def _resisted(trajectory: Trajectory, config: TouchConfig) -> NDArray[np.bool_]:
    """Frames [T] of contact: the sensor's, or where the commanded motion does not happen."""
    if trajectory.contact is not None:
        return trajectory.contact.copy()
    cue = np.zeros(len(trajectory), bool)
    if trajectory.command is None:
        return cue
    wanted = np.linalg.norm(trajectory.command, axis=1)
    moved = np.diff(trajectory.position, axis=0, append=trajectory.position[-1:])
    along = np.einsum("ti,ti->t", moved, trajectory.command) / np.maximum(wanted, 1e-9)
    resisted = (wanted > config.contact_command * max(float(wanted.max()), 1e-6)) & (
        along < config.contact_progress * wanted
    )
    resisted[-1] = False  # nobody knows what the last command did
    for start, stop in runs(resisted):
        cue[start:stop] = stop - start >= trajectory.frames(config.contact_s)
    return cue


def _turning_stops(trajectory: Trajectory, config: TouchConfig) -> list[tuple[int, int]]:
    """Stretches in which the hand stands still between coming and going back."""
    speed = trajectory.speed(smooth_s=0.2)
    still = speed < config.stop_speed * float(np.percentile(speed, 80))
    reach = trajectory.frames(1.0)
    found = []
    for start, stop in runs(still):
        came = trajectory.position[start] - trajectory.position[max(0, start - reach)]
        went = trajectory.position[min(stop + reach, len(trajectory) - 1)] - trajectory.position[stop - 1]
        lengths = float(np.linalg.norm(came)), float(np.linalg.norm(went))
        if stop - start < trajectory.frames(config.stop_s) or min(lengths) < config.reach_m:
            continue
        if float(came @ went) / (lengths[0] * lengths[1]) < config.turn_cosine:
            found.append((start, stop))
    return found
