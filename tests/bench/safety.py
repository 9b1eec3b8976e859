"""Section "safety": what the safety filter costs per control period, against clamping the reference to the limits.

Once on its own, straight after a pause, for joints that swing; and in an episode, as a part of all that arm_commander
does in a period. What the episode's row calls the filter is `SafetyFilter.step` there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.bench.results import Check, Row, Section
from tests.bench.safety_episode import Episode
from tests.bench.settings import Settings
from tests.bench.timing import Samples, compare, interleave
from world2act_core.robot.arm_model import ArmModel
from world2act_core.robot.find import find_profile
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.robot.profile import RobotProfile
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.settings import SafetyBox, SafetySettings
from world2act_core.safety.types import MotionRequest, SafetyMode, Situation

ROBOT = "fr3"
PERIOD_S = 0.01
MOST_S = 0.5e-3
BLOCK = 20
REST_S = 0.005
"""Between two periods, as on a robot: other processes then have the caches, and a tight loop would lose its turn."""
Vector = NDArray[np.float64]
Step = Callable[[Vector], Vector]


class NoDistances:
    """An arm model that leaves the distances out: what boxes and speed cost without them."""

    def __init__(self, arm: ArmModel) -> None:
        self.joint_names, self.forward, self.hand_and_elbow, self.jacobian = (
            arm.joint_names,
            arm.forward,
            arm.hand_and_elbow,
            arm.jacobian,
        )

    def clearance(self, position: Vector, limit: float) -> tuple[float, str]:
        """Nothing is near."""
        return limit, ""


def run(settings: Settings) -> Section:
    """Measure a moving arm with and without its geometry."""
    section = Section("safety")
    profile = find_profile(ROBOT)
    arm, limits, home = MujocoArm(profile), profile.limits, np.array(profile.home)
    boxes = SafetySettings(
        workspace=SafetyBox(low=profile.workspace.low, high=profile.workspace.high), max_eef_speed=1.0
    )
    variants = {
        "joint limits": SafetyFilter(limits, SafetySettings()),
        "joint limits, workspace, speed": SafetyFilter(limits, boxes, NoDistances(arm)),
        "joint limits, workspace, speed, distances": SafetyFilter(limits, boxes, arm),
    }
    for name, guarded in variants.items():
        guarded.start(home)
        section.rows.append(_row(name, filtering(guarded, home), clamping(limits, home), home, settings))
        section.checks += _p99(name, section.rows[-1])
        section.notes.append(f"filter with {name}: {_tail(section.rows[-1])}")
    section.notes.append(f"{ROBOT}, {limits.size} joints, {1 / PERIOD_S:g} Hz, joints swinging 0.15 rad at 0.3 Hz")
    _add_episode(section, profile, settings)
    return section


def _add_episode(section: Section, profile: RobotProfile, settings: Settings) -> None:
    """Rows of the filter and of a whole period in an episode, against the same episode with a clamp."""
    episodes = {"ours": Episode(profile, plain=False), "theirs": Episode(profile, plain=True)}

    def block(episode: Episode) -> Callable[[], list[float]]:
        def measure() -> list[float]:
            seconds = []
            for _ in range(BLOCK):
                time.sleep(REST_S)
                seconds.append(episode.period())
            return seconds

        return measure

    whole = interleave({name: block(episode) for name, episode in episodes.items()}, settings.pick(60, 2))
    filters = {name: _in_rounds(episode.filter.seconds) for name, episode in episodes.items()}
    for what, found, busy in (
        ("the safety filter in an episode", filters, episodes["ours"].filter.busy),
        ("all that arm_commander does in an episode", whole, episodes["ours"].busy),
    ):
        row = compare(
            f"one period of {what} (chunks, table, hold, e-stop, clear)", "the same episode with a clamp for a filter",
            found["ours"], found["theirs"], unit="ms", rate=False,
        )  # fmt: skip
        section.rows.append(replace(row, facts=_facts(found["ours"].values, busy)))
        section.notes.append(f"one period of {what}: {_tail(section.rows[-1])}")
    section.checks += _p99("the episode", section.rows[-2])
    modes = {mode.name: episodes["ours"].modes.count(mode) for mode in SafetyMode}
    section.notes.append(f"periods of the episode by mode: {modes}")


def _in_rounds(seconds: list[float]) -> Samples:
    return Samples(tuple(tuple(seconds[begin : begin + BLOCK]) for begin in range(0, len(seconds), BLOCK)))


def _facts(seconds: list[float], busy: list[float]) -> dict[str, float]:
    """busy: processor time, which leaves out when another process had the core."""
    p50, p99, most = (1e3 * float(np.percentile(seconds, share)) for share in (50, 99, 100))
    return {"p50_ms": p50, "p99_ms": p99, "max_ms": most, "busy_p99_ms": 1e3 * float(np.percentile(busy, 99))}


def _tail(row: Row) -> str:
    text = "p50 {p50_ms:.3f} ms, p99 {p99_ms:.3f} ms, max {max_ms:.3f} ms, p99 of processor time {busy_p99_ms:.3f} ms"
    return text.format(**row.facts)


def _p99(name: str, row: Row) -> list[Check]:
    most_ms = 1e3 * MOST_S
    return [
        Check(f"{what} with {name}", row.facts[fact], "ms", f"<= {most_ms:g}", row.facts[fact] <= most_ms)
        for what, fact in (("p99", "p99_ms"), ("p99 of processor time", "busy_p99_ms"))
    ]


def filtering(guarded: SafetyFilter, home: Vector) -> Step:
    """One period of the filter, for an arm that is where it was told to be."""
    position, now_s = home, 0.0

    def step(reference: Vector) -> Vector:
        nonlocal position, now_s
        now_s += PERIOD_S
        situation = Situation(now_s, position, 0.0)
        position = guarded.step(MotionRequest(reference, -1.0, 0.0, 0.0), situation, PERIOD_S).position
        return position

    return step


def clamping(limits: JointLimits, home: Vector) -> Step:
    """What a plain joint limiter does: position and velocity are clamped, nothing can brake and nothing is smooth."""
    position = home

    def step(reference: Vector) -> Vector:
        nonlocal position
        reach = limits.velocity * PERIOD_S
        wanted = np.clip(reference, limits.position_low, limits.position_high)
        position = np.clip(wanted, position - reach, position + reach)
        return position

    return step


def _row(name: str, ours: Step, theirs: Step, home: Vector, settings: Settings) -> Row:
    busy: dict[Step, list[float]] = {ours: [], theirs: []}

    def block(step: Step) -> Callable[[], list[float]]:
        period = 0

        def measure() -> list[float]:
            nonlocal period
            seconds = []
            for _ in range(BLOCK):
                period += 1
                now_s = period * PERIOD_S
                reference = home + 0.15 * min(1.0, now_s) * np.sin(2 * np.pi * 0.3 * now_s)
                time.sleep(REST_S)
                cpu_s, began = time.thread_time(), time.perf_counter()
                step(reference)
                seconds.append(time.perf_counter() - began)
                busy[step].append(time.thread_time() - cpu_s)
            return seconds

        return measure

    found = interleave({"ours": block(ours), "theirs": block(theirs)}, settings.pick(30, 2))
    row = compare(
        f"one period of the safety filter: {name}",
        "position and velocity clamped with numpy",
        found["ours"],
        found["theirs"],
        unit="ms",
        rate=False,
    )
    return replace(row, facts=_facts(found["ours"].values, busy[ours]))
