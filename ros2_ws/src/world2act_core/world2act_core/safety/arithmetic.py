"""The arithmetic of a period, compiled: what the modules beside this one work out for N joints.

All in one file, because numba keeps what it compiled until the file changes, and does not see when another one does
that is called from it. A motion is [3, N]: position (rad), velocity (rad/s) and acceleration (rad/s^2) of every joint.
Nothing is checked here; what is written in place is named last.
"""

from __future__ import annotations

import math

import numpy as np

from world2act_core.robot.compiled import compiled
from world2act_core.safety.types import Mask, Vector

APPROACH_PER_S = 20.0
"""An error that is small dies out at this rate."""
RESPONSE_PER_S = 60.0
"""The velocity comes to what is wanted at this rate, or in a period and two thirds if that takes longer."""
RESPONSE_PERIODS = 0.6
USED_SHARE = 0.99
"""Share of a limit that is used: what is wanted is wanted for the period's end, and rounding and turns come on top."""
AWAY_M_S = 0.02
"""How fast the arm comes away from what it must not come nearer to."""
LEAP = 2.0
"""A reference faster than this many times the limit has leapt: its velocity means nothing."""


@compiled("float64(float64[::1], float64[::1])")
def dot(first: Vector, second: Vector) -> float:
    """Sum of the products."""
    total = 0.0
    for n in range(first.size):
        total += first[n] * second[n]
    return total


@compiled("float64(float64[:, ::1], float64[::1])")
def eef_speed(rows: Vector, velocity: Vector) -> float:
    """Speed of the end effector [m/s] for joint velocities [N]; rows: [3, N], the linear half of the Jacobian."""
    x, y, z = dot(rows[0], velocity), dot(rows[1], velocity), dot(rows[2], velocity)
    return math.sqrt(x * x + y * y + z * z)


@compiled("float64(float64[:, ::1], float64[:, ::1])")
def fastest_eef(rows: Vector, velocities: Vector) -> float:
    """The largest of that [m/s] for some joint velocities [S, N]; NaN when one is NaN."""
    fastest = 0.0
    for sample in range(velocities.shape[0]):
        speed = eef_speed(rows, velocities[sample])
        if math.isnan(speed):
            return speed
        fastest = max(fastest, speed)
    return fastest


@compiled("float64(float64[:, ::1], float64[:, ::1], float64[::1], float64[::1])")
def fastest_braking(rows: Vector, motion: Vector, jerk: Vector, levers: Vector) -> float:
    """A bound [m/s] on the end effector's speed on the way to rest from a motion, whatever the joints do together.

    A joint has the velocity that it has, and what its acceleration adds to it. Into `levers` [N] goes how fast each
    joint alone moves the end effector, m/s per rad/s.
    """
    bound = 0.0
    for n in range(levers.size):
        x, y, z = rows[0, n], rows[1, n], rows[2, n]
        levers[n] = math.sqrt(x * x + y * y + z * z)
        bound += levers[n] * (abs(motion[1, n]) + motion[2, n] * motion[2, n] / (2 * jerk[n]))
    return bound


@compiled("UniTuple(float64, 2)(float64[::1], float64[::1], float64[:, ::1], float64)")
def share_of(velocity: Vector, most: Vector, rows: Vector, fastest: float) -> tuple[float, float]:
    """The largest share, at most 1, of joint velocities [N] that leaves every joint at `most` [N] and the end effector
    at `fastest` (m/s) or below; and how fast the latter would be with the joints' limits alone."""
    share = 1.0
    for n in range(velocity.size):
        rate = abs(velocity[n])
        if rate * share > most[n]:
            share = most[n] / rate
    speed = eef_speed(rows, velocity)
    if share * speed <= fastest:
        return share, share * speed
    return fastest / speed, share * speed


@compiled("boolean(float64[::1], float64, float64[::1], float64, float64[::1], float64[:, ::1], float64[:, ::1])")
def differences(
    before: Vector, before_s: float, now: Vector, after_s: float, after: Vector, most: Vector, motion: Vector
) -> bool:
    """Writes the motion of central differences at `now` [N], a time after one position and a time before another.

    most: velocity, acceleration and jerk [3, N]; returns whether no joint has more velocity or acceleration than that.
    """
    smooth = True
    for n in range(now.size):
        left, right = (now[n] - before[n]) / before_s, (after[n] - now[n]) / after_s
        acceleration = 2.0 * (right - left) / (after_s + before_s)
        velocity = left + 0.5 * acceleration * before_s
        motion[0, n], motion[1, n], motion[2, n] = now[n], velocity, acceleration
        if not (abs(velocity) <= most[0, n] and abs(acceleration) <= most[1, n]):
            smooth = False
    return smooth


@compiled("boolean(float64[::1], float64[:, ::1], float64[::1])")
def clamp(wanted: Vector, limits: Vector, inside: Vector) -> bool:
    """Writes the position [N] inside limits [2, N] that is nearest to a wanted one; whether that is the same."""
    same = True
    for n in range(wanted.size):
        inside[n] = min(max(wanted[n], limits[0, n]), limits[1, n])
        same = same and inside[n] == wanted[n]
    return same


@compiled(
    "UniTuple(Tuple((float64, int64)), 3)(float64[:, ::1], float64[::1], float64, float64[:, ::1], float64,"
    " float64[:, ::1])"
)
def worst_shares(
    motion: Vector,
    acceleration_before: Vector,
    period_s: float,
    most: Vector,
    speed_scale: float,
    rates: Vector,
) -> tuple[tuple[float, int], tuple[float, int], tuple[float, int]]:
    """Writes a motion's velocity, acceleration and jerk [3, N]; the largest shares of `most` [3, N] and whose they are.

    Of the velocity only `speed_scale` times its limit counts.
    """
    velocity, acceleration, jerk = (-1.0, 0), (-1.0, 0), (-1.0, 0)
    for n in range(motion.shape[1]):
        rates[0, n], rates[1, n] = motion[1, n], motion[2, n]
        rates[2, n] = (motion[2, n] - acceleration_before[n]) / period_s
        share = abs(rates[0, n]) / (speed_scale * most[0, n])
        velocity = (share, n) if share > velocity[0] else velocity
        share = abs(rates[1, n]) / most[1, n]
        acceleration = (share, n) if share > acceleration[0] else acceleration
        share = abs(rates[2, n]) / most[2, n]
        jerk = (share, n) if share > jerk[0] else jerk
    return velocity, acceleration, jerk


@compiled("void(float64[:, ::1], int64, float64, float64, float64[:, ::1])")
def constant_jerk(motion: Vector, joint: int, jerk: float, time_s: float, after: Vector) -> None:
    """Writes the motion of one joint `time_s` later."""
    position, velocity, acceleration = motion[0, joint], motion[1, joint], motion[2, joint]
    change = jerk * time_s
    after[0, joint] = position + time_s * (velocity + time_s * (acceleration / 2 + change / 6))
    after[1, joint] = velocity + time_s * (acceleration + change / 2)
    after[2, joint] = acceleration + change


@compiled("boolean(float64[:, ::1], float64[:, ::1], int64, float64, float64, float64, float64)")
def fits(
    before: Vector,
    after: Vector,
    joint: int,
    jerk: float,
    most_velocity: float,
    most_acceleration: float,
    most_jerk: float,
) -> bool:
    """Whether one joint's step with this jerk keeps its limits, until its acceleration is gone."""
    velocity, acceleration = after[1, joint], after[2, joint]
    # Until its acceleration is gone a joint goes on changing its speed: that must fit as well.
    coming = velocity + acceleration * abs(acceleration) / (2 * most_jerk)
    if not (abs(jerk) <= most_jerk and abs(acceleration) <= most_acceleration):
        return False
    if not (abs(velocity) <= most_velocity and abs(coming) <= most_velocity):
        return False
    if before[2, joint] * acceleration < 0:  # the speed has its peak within the period
        peak = before[1, joint] - before[2, joint] * before[2, joint] / (2 * jerk)
        return abs(peak) <= most_velocity
    return True


@compiled("boolean(float64[:, ::1], float64[:, ::1], float64, float64)")
def is_near(motion: Vector, reference: Vector, distance: float, speed: float) -> bool:
    """Whether every joint is within `distance` (rad) and `speed` (rad/s) of its reference [3, N]."""
    for n in range(motion.shape[1]):
        if not abs(reference[0, n] - motion[0, n]) <= distance or not abs(reference[1, n] - motion[1, n]) <= speed:
            return False
    return True


@compiled(
    "boolean(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64, float64[::1], float64[:, ::1],"
    " float64[:, ::1])"
)
def servo(
    motion: Vector, reference: Vector, gains: Vector, period_s: float, velocity: Vector, most: Vector, after: Vector
) -> bool:
    """Writes the motion a period later, by the jerk that the errors lead to, if every joint can have it.

    gains: [2, 3] of the errors, and what they are divided by; velocity: the most [N] now; most: velocity, acceleration
    and jerk [3, N], of which the first is not used.
    """
    for n in range(motion.shape[1]):
        jerk = (
            gains[0, 0] * (reference[0, n] - motion[0, n]) / gains[1, 0]
            + gains[0, 1] * (reference[1, n] - motion[1, n]) / gains[1, 1]
            + gains[0, 2] * (reference[2, n] - motion[2, n]) / gains[1, 2]
        )
        constant_jerk(motion, n, jerk, period_s, after)
        if not fits(motion, after, n, jerk, velocity[n], most[1, n], most[2, n]):
            return False
    return True


@compiled("float64(float64, float64)")
def _own_velocity(velocity: float, most: float) -> float:
    """The part of a reference's velocity that its joint can go along with."""
    return min(max(velocity, -most), most) if abs(velocity) <= LEAP * most else 0.0


@compiled("float64(float64[:, ::1], float64[:, ::1], float64[:, ::1])")
def _approach_rate(motion: Vector, reference: Vector, approach: Vector) -> float:
    """Velocity per error, the same for every joint: as much as each can brake off again before it is there."""
    slowest = APPROACH_PER_S
    for n in range(motion.shape[1]):
        far = abs(reference[0, n] - motion[0, n])
        if far > 1e-9:
            linear, square = approach[0, n], approach[1, n]
            slowest = min(slowest, (math.sqrt(linear * linear + square * far) - linear) / far)
    return slowest


@compiled("void(float64[::1], float64[::1])")
def _lead_away(away: Vector, velocity: Vector) -> None:
    """Makes of a velocity [N] the nearest one that comes away at AWAY_M_S or more; away: [N] m/rad, zeros for none."""
    slope, missing = dot(away, away), AWAY_M_S - dot(away, velocity)
    if slope > 0 and missing > 0:
        for n in range(velocity.size):
            velocity[n] += missing / slope * away[n]


@compiled(
    "void(float64[:, ::1], float64[:, ::1], float64, float64[:, ::1], float64[::1], float64, float64[::1], float64,"
    " float64[::1])"
)
def _acceleration(
    motion: Vector,
    reference: Vector,
    rate: float,
    most: Vector,
    usable: Vector,
    share: float,
    wanted: Vector,
    response: float,
    acceleration: Vector,
) -> None:
    """Writes the acceleration [N] that leads to the share of the wanted velocity [N] that can be had."""
    # How the wanted velocity changes by itself. Half as fast while braking: it goes with the root of the error.
    changes = rate * (0.5 if rate < APPROACH_PER_S else 1.0)
    for n in range(wanted.size):
        if share < 1.0:
            acceleration[n] = response * (USED_SHARE * share * wanted[n] - motion[1, n])
            continue
        itself = min(max(reference[2, n], -usable[n]), usable[n]) if abs(reference[1, n]) <= most[0, n] else 0.0
        own = _own_velocity(reference[1, n], most[0, n])
        acceleration[n] = response * (wanted[n] - motion[1, n]) + itself + changes * (own - motion[1, n])


@compiled(
    "float64(float64[:, ::1], float64[:, ::1], float64, float64[:, ::1], float64[::1], float64[:, ::1],"
    " float64[::1], float64[:, ::1], float64, float64[::1], float64[:, ::1], boolean[::1])"
)
def chase(
    motion: Vector,
    reference: Vector,
    period_s: float,
    most: Vector,
    usable: Vector,
    approach: Vector,
    velocity: Vector,
    rows: Vector,
    fastest: float,
    away: Vector,
    after: Vector,
    good: Mask,
) -> float:
    """Writes the motion a period later on the way to a reference, and for which joints it keeps their limits.

    most: velocity, acceleration and jerk [3, N]; usable: the acceleration [N] that is used; approach: [2, N], see
    `chase.py`; velocity, rows, fastest: of `share_of`; away: of `_lead_away`. Returns the end effector's speed without
    a cap, m/s.
    """
    wanted, acceleration = np.empty(usable.size), np.empty(usable.size)
    rate = _approach_rate(motion, reference, approach)
    for n in range(wanted.size):
        wanted[n] = _own_velocity(reference[1, n], most[0, n]) + rate * (reference[0, n] - motion[0, n])
    _lead_away(away, wanted)
    share, speed = share_of(wanted, velocity, rows, fastest)
    response = min(RESPONSE_PER_S, RESPONSE_PERIODS / period_s)
    _acceleration(motion, reference, rate, most, usable, share, wanted, response, acceleration)
    slowest = 1.0
    for n in range(wanted.size):
        slowest = min(slowest, usable[n] / max(abs(acceleration[n]), 1e-9))
    for n in range(wanted.size):
        limit = USED_SHARE * most[2, n]
        jerk = min(max((slowest * acceleration[n] - motion[2, n]) / period_s, -limit), limit)
        constant_jerk(motion, n, jerk, period_s, after)
        good[n] = fits(motion, after, n, jerk, most[0, n], most[1, n], most[2, n])
    return speed


@compiled("void(float64[:, ::1], float64[::1], float64[::1], float64[:, ::1])")
def extremes(motion: Vector, end: Vector, jerk: Vector, span: Vector) -> None:
    """Writes the lowest and highest positions [2, N] on the way from a motion to rest at `end` [N]."""
    for n in range(end.size):
        position, velocity, acceleration = motion[0, n], motion[1, n], motion[2, n]
        low, high = (position, end[n]) if position < end[n] else (end[n], position)
        if velocity * acceleration < 0:  # only a joint that brakes already can turn round
            towards = math.copysign(1.0, velocity)
            speed, slowing = abs(velocity), -towards * acceleration
            rest = slowing * slowing - 2 * jerk[n] * speed
            if rest > 0:  # its deceleration is too strong to come to rest without turning
                time_s = (slowing - math.sqrt(rest)) / jerk[n]
                turn = position + towards * time_s * (speed + time_s * (jerk[n] * time_s / 6 - slowing / 2))
                low, high = min(low, turn), max(high, turn)
        span[0, n], span[1, n] = low, high


@compiled("float64(float64[:, ::1], float64[::1], float64[::1])")
def travel(span: Vector, position: Vector, levers: Vector) -> float:
    """The largest distance [m] from a position [N] to any in a span [2, N], by `levers` [N] m per rad."""
    farthest = 0.0
    for n in range(position.size):
        farthest += levers[n] * max(position[n] - span[0, n], span[1, n] - position[n])
    return farthest


@compiled("int64(float64[:, ::1], int64, float64[::1], float64[::1], float64)")
def first_beyond(positions: Vector, begin: int, known: Vector, levers: Vector, room: float) -> int:
    """Index, from `begin` on, of the first of positions [S, N] that is not within `room` [m] of a known one; else S."""
    for index in range(begin, positions.shape[0]):
        distance = 0.0
        for n in range(known.size):
            distance += levers[n] * abs(positions[index, n] - known[n])
        if not distance <= room:
            return index
    return positions.shape[0]


@compiled("boolean(float64[:, ::1], float64[::1], float64[:, ::1], float64, boolean[::1])")
def stays_inside(span: Vector, here: Vector, limits: Vector, rounding: float, good: Mask) -> bool:
    """Writes for which joints [N] a span of positions [2, N] keeps position limits [2, N]; whether it is all.

    One that is outside `here` [N] may come back, not go further out.
    """
    everything = True
    for n in range(here.size):
        low, high = min(limits[0, n], here[n]), max(limits[1, n], here[n])
        good[n] = span[0, n] >= low - rounding and span[1, n] <= high + rounding
        everything = everything and good[n]
    return everything
