"""One episode in real-time order without a clock: inference takes simulated time while the arm moves on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from world2act.episode import EpisodeRequest, make_task
from world2act.smooth.commanders import Commander
from world2act.smooth.late_inference import LateInference, Timing
from world2act_core.policy import BundlePolicy
from world2act_core.types import EefPose
from world2act_sim.perturbation import SPLITS
from world2act_sim.servo import SERVO_HZ, CartesianServo
from world2act_sim.world import TabletopWorld


@dataclass(frozen=True, eq=False)
class Trace:
    """What was commanded and measured, one row per period: positions [n, 3] m, quaternions [n, 4] (x, y, z, w).

    arrivals: rows at which a chunk came; holds: periods in which nothing covered the time, after the first chunk.
    refused: chunks that were not taken; lookahead_s: at the end.
    """

    period_s: float
    commanded: NDArray[np.float64]
    commanded_quaternion: NDArray[np.float64]
    measured: NDArray[np.float64]
    measured_quaternion: NDArray[np.float64]
    arrivals: tuple[int, ...]
    holds: int
    refused: int
    success: bool
    ending: str
    lookahead_s: float


class EmulatedEpisode:
    """Runs an episode: 100 Hz commands, observations at the contract's rate, chunks that arrive late."""

    def __init__(
        self, world: TabletopWorld, policy: BundlePolicy, request: EpisodeRequest, commander: Commander, timing: Timing
    ) -> None:
        task = make_task(request, world.vocabulary)
        world.reset(request.seed, task, SPLITS[request.split], render=False)
        self._world, self._commander = world, commander
        self._servo = CartesianServo(world)
        self._inference = LateInference(world, policy, task, timing, request.seed)
        self._rows: list[tuple[NDArray[np.float64], ...]] = []
        self._arrivals: list[int] = []
        self._holds = 0

    def run(self) -> Trace:
        """To the end: finished, timeout, or stopped."""
        status, tick = "running", 0
        while status in ("running", "advanced"):
            chunk, status = self._inference.deliver(tick)
            if chunk is not None:
                self._commander.push(chunk)
                self._arrivals.append(tick)
            self._inference.look(tick, lambda: self._servo.observe().as_observation())
            measured = self._world.eef_pose()
            target, holding = self._commander.command(self._servo.time_s, measured)
            self._holds += holding and bool(self._arrivals)
            self._rows.append(_row(target.pose, measured))
            self._servo.step(target)
            tick += 1
        told, told_turned, was, was_turned = (np.stack(column) for column in zip(*self._rows))
        return Trace(
            1.0 / SERVO_HZ, told, told_turned, was, was_turned, tuple(self._arrivals), self._holds,
            self._commander.refused, self._inference.judge.success(), status, self._commander.lookahead_s,
        )  # fmt: skip


def _row(commanded: EefPose, measured: EefPose) -> tuple[NDArray[np.float64], ...]:
    return commanded.position, commanded.quaternion, measured.position, measured.quaternion
