"""Cutting a demonstration into skills: one segment per interaction, cut where the hand pauses before moving on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.skills.interactions import Cue, GripperConfig, Interaction, TouchConfig, holds, runs, touches
from training.skills.motion import Trajectory


@dataclass(frozen=True)
class SegmentationConfig:
    """How demonstrations are cut. Lengths in metres, times in seconds."""

    gripper: GripperConfig = field(default_factory=GripperConfig)
    touch: TouchConfig = field(default_factory=TouchConfig)
    leave_m: float = 0.03
    """The hand has left an object once it is this far away from it horizontally; the cut lies before that."""
    pause_speed: float = 0.4
    """While holding, slower than this share of the episode's 80th percentile of speed is a pause ..."""
    pause_s: float = 0.3
    """... when it lasts this long ..."""
    pause_away_m: float = 0.06
    """... and is this far from where the object was grasped and from where it is released: lift, then carry."""


@dataclass(frozen=True)
class Segment:
    """Frames ``[start, stop)`` of one skill."""

    start: int
    stop: int
    cue: Cue
    starts_holding: bool = False
    ends_holding: bool = False

    def __len__(self) -> int:
        return self.stop - self.start


def segment(trajectory: Trajectory, config: SegmentationConfig) -> list[Segment]:
    """Cut a trajectory of T frames into segments that cover it without gaps, in order; at least one."""
    held = holds(trajectory, config.gripper)
    found = sorted([*held, *touches(trajectory, held, config.touch)], key=lambda item: item.start)
    if not found:
        return [Segment(0, len(trajectory), "none")]
    cuts = [_cut_between(trajectory, one, two, config) for one, two in zip(found, found[1:])]
    starts, stops = [0, *cuts], [*cuts, len(trajectory)]
    segments: list[Segment] = []
    for item, start, stop in zip(found, starts, stops):
        segments += _split_hold(trajectory, item, start, stop, config)
    return segments


def _cut_between(trajectory: Trajectory, one: Interaction, two: Interaction, config: SegmentationConfig) -> int:
    """The frame that begins the next skill: the last slowest one before the hand leaves the first object."""
    position = trajectory.position
    away = np.linalg.norm(position[one.stop : two.start + 1, :2] - position[one.stop, :2], axis=1) > config.leave_m
    departure = one.stop + int(np.argmax(away)) if away.any() else two.start
    speed = trajectory.speed()[one.stop : max(departure, one.stop + 1)]
    slowest = np.flatnonzero(speed <= speed.min() + 0.1 * float(np.percentile(trajectory.speed(), 80)))
    return min(one.stop + int(slowest[-1]) + 1, two.start)


def _split_hold(
    trajectory: Trajectory, item: Interaction, start: int, stop: int, config: SegmentationConfig
) -> list[Segment]:
    """One segment, or several where the hand pauses with the object far from both ends of the hold."""
    if item.cue != "grasp":
        return [Segment(start, stop, item.cue)]
    released = item.stop < len(trajectory)
    cuts = [frame for frame in _pauses(trajectory, item, released, config) if start < frame < stop]
    edges = [start, *cuts, stop]
    return [
        Segment(a, b, "grasp", starts_holding=i > 0, ends_holding=i < len(cuts) or not released)
        for i, (a, b) in enumerate(zip(edges, edges[1:]))
    ]


def _pauses(trajectory: Trajectory, hold: Interaction, released: bool, config: SegmentationConfig) -> list[int]:
    """Frames at which a hold goes on after a pause; only holds that end are split, a last pause is a finished lift."""
    if not released:
        return []
    speed = trajectory.speed(smooth_s=0.3)
    slow = speed[hold.start : hold.release] < config.pause_speed * float(np.percentile(speed, 80))
    ends = trajectory.position[hold.start], trajectory.position[hold.release - 1]
    found = []
    for begin, end in runs(slow):
        middle = trajectory.position[hold.start + (begin + end) // 2]
        far = min(float(np.linalg.norm(middle - point)) for point in ends) > config.pause_away_m
        if far and end - begin >= trajectory.frames(config.pause_s):
            found.append(hold.start + end)
    return found
