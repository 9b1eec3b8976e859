"""Judges each picture of one camera as it comes in, and the camera by its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from world2act_core.cameras.faults import BLACK, CLOCK, FROZEN, LATE, SATURATED, WRONG_SIZE, FaultLatch, Finding
from world2act_core.cameras.hand import Positions, distance_between
from world2act_core.cameras.looks import is_black, is_saturated, same_pixels, sample
from world2act_core.types import ImageArray

JUMP_NS = 500_000_000
AHEAD_NS = 200_000_000
NEW_STREAM_NS = 1_000_000_000
NS = 1_000_000_000


@dataclass(frozen=True)
class HealthLimits:
    """What is still good.

    size: (width, height) that pictures must have; None: whatever the first one has. smallest: (width, height) below
    which a picture has too little detail. late_ns: a picture older than this when it comes in is late. frozen_motion_m:
    how far the hand moves before the picture must change; inf: never. frozen_ns: how long a picture may stay the same
    with the arm at rest; 0: for ever. enter, leave: pictures in a row until a fault begins and is over.
    """

    size: tuple[int, int] | None = None
    smallest: tuple[int, int] = (1, 1)
    late_ns: int = 400_000_000
    frozen_motion_m: float = 0.02
    frozen_ns: int = 0
    enter: int = 3
    leave: int = 5


class CameraHealth:
    """Finds what is wrong with each picture; `fault` is what is wrong with the camera, with hysteresis.

    A picture with a finding is not to be used, whether or not the camera has a fault: the finding may be the first
    sight of it.

    Frozen: a picture that is the same pixel for pixel although the hand is somewhere else than when these pixels were
    first seen. A resting arm before a resting scene may look the same for ever: in simulation, where there is no noise,
    and through video codecs, which throw the noise away. A hand that moved is seen by the camera at the hand, because
    everything moves past it, and by one that looks at the scene, because the arm does. After a silence of NEW_STREAM_NS
    the camera has been restarted, as was asked for, and its first picture may be the last one of before: the arm rests.
    """

    def __init__(self, limits: HealthLimits) -> None:
        self.limits = limits
        self._size = limits.size
        self._latch = FaultLatch(limits.enter, limits.leave)
        self._stamp_ns: int | None = None
        self._jumped = False
        self._content: _Content | None = None
        self._came_ns = 0

    @property
    def fault(self) -> Finding | None:
        """What is wrong with the camera at present."""
        return self._latch.fault

    def check(self, image: ImageArray, stamp_ns: int, now_ns: int, hand: Positions) -> bool:
        """Judge a picture uint8 [H, W, 3] that came in at `now_ns`; True when it may be used.

        hand: where the end effector was when the picture was taken, [n, 3] (m): several positions when the time is not
        known exactly, none when they are not known.
        """
        if now_ns - self._came_ns > NEW_STREAM_NS:
            self._content = None
        self._came_ns = now_ns
        jumped_ns = 0 if self._stamp_ns is None else self._stamp_ns - stamp_ns
        finding = self._clock_finding(stamp_ns, now_ns) or self._picture_finding(image, stamp_ns, hand)
        self._latch.update(finding, at_once=jumped_ns > JUMP_NS)
        if finding is None:
            self._jumped = False
        return finding is None and self.fault is None

    def report(self, finding: Finding) -> None:
        """Take a finding made elsewhere, in place of a picture that could not even be decoded."""
        self._latch.update(finding)

    def _clock_finding(self, stamp_ns: int, now_ns: int) -> Finding | None:
        before_ns, age_ns = self._stamp_ns, now_ns - stamp_ns
        remedy = "synchronise its clock, or give its source stamp=arrival"
        if stamp_ns <= 0:
            return Finding(CLOCK, "its pictures carry no stamp: give its source stamp=arrival")
        if before_ns is not None and stamp_ns <= before_ns:
            back_ns = before_ns - stamp_ns
            if back_ns > JUMP_NS:
                self._stamp_ns, self._jumped = stamp_ns, True
                return Finding(CLOCK, f"its stamps jumped back by {back_ns / NS:.2f} s: {remedy}")
            return Finding(CLOCK, f"its stamps stand still or go back: {remedy}")
        self._stamp_ns = stamp_ns
        if age_ns < -AHEAD_NS:
            return Finding(CLOCK, f"its stamps are {-age_ns / NS:.2f} s ahead of this machine's clock: {remedy}")
        if age_ns > self.limits.late_ns:
            allowed = f"{self.limits.late_ns / NS:g} s are allowed"
            text = f"its pictures are {age_ns / NS:.2f} s old when they come in, {allowed}"
            return Finding(CLOCK if self._jumped else LATE, f"{text}: look for a slow link, or {remedy}")
        return None

    def _picture_finding(self, image: ImageArray, stamp_ns: int, hand: Positions) -> Finding | None:
        size = image.shape[1], image.shape[0]
        if self._size is None and size[0] >= self.limits.smallest[0] and size[1] >= self.limits.smallest[1]:
            self._size = size
        if size != self._size:
            wanted = self._size or self.limits.smallest
            least = "" if self._size else " or more"
            text = f"its pictures are {size[0]} x {size[1]}, expected were {wanted[0]} x {wanted[1]}{least}"
            return Finding(WRONG_SIZE, f"{text}: check the driver's resolution")
        frozen = self._frozen_finding(image, stamp_ns, hand)
        return _light_finding(image) or frozen

    def _frozen_finding(self, image: ImageArray, stamp_ns: int, hand: Positions) -> Finding | None:
        content = self._content
        if content is None or not same_pixels(content.image, image):
            self._content = _Content(image, stamp_ns, hand)
            return None
        if not len(content.hand):
            content.hand = hand
        elif len(hand) and distance_between(hand, content.hand) >= self.limits.frozen_motion_m:
            return Finding(FROZEN, "its picture stays the same while the hand moves: restart the camera or its driver")
        if 0 < self.limits.frozen_ns <= stamp_ns - content.stamp_ns:
            return Finding(FROZEN, f"its picture was the same for {self.limits.frozen_ns / NS:g} s: restart its driver")
        return None


@dataclass
class _Content:
    """Pixels, when they were first seen, and where the hand was then."""

    image: ImageArray
    stamp_ns: int
    hand: Positions


def _light_finding(image: ImageArray) -> Finding | None:
    pixels = sample(image)
    if is_black(pixels):
        return Finding(BLACK, "its picture is black: look for a lens cap, the light and the exposure")
    if is_saturated(pixels):
        return Finding(SATURATED, "its picture is white all over: check the exposure, and lights into the lens")
    return None
