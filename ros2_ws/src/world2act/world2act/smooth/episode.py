"""One episode in real-time order without a clock: inference takes simulated time while the arm moves on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from world2act.episode import EpisodeRequest, make_task
from world2act.schedule import InferenceSchedule, SkillRequest
from world2act.smooth.commanders import Commander
from world2act_core.policy import BundlePolicy
from world2act_core.sequencer import SkillSequencer
from world2act_core.types import ActionChunk, EefPose
from world2act_sim.judge import EpisodeJudge
from world2act_sim.perturbation import SPLITS
from world2act_sim.servo import SERVO_HZ, CartesianServo
from world2act_sim.world import TabletopWorld

NS = 1_000_000_000
RESERVE_S = 0.2
"""As vla_policy's `chunk_reserve` by default."""


@dataclass(frozen=True)
class Timing:
    """delay_s: from a picture to the chunk's arrival; jitter_s: that it may take longer, uniformly, drawn per seed."""

    delay_s: float = 0.15
    jitter_s: float = 0.05

    def delays(self, seed: int) -> np.random.Generator:
        """The generator of one episode's delays: the same for every commander."""
        return np.random.default_rng([seed, 4])


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
        contract = policy.contract
        self._task = make_task(request, world.vocabulary)
        world.reset(request.seed, self._task, SPLITS[request.split], render=False)
        self._world, self._policy, self._commander, self._timing = world, policy, commander, timing
        self._servo = CartesianServo(world)
        self._judge = EpisodeJudge(world, self._task.skills)
        self._sequencer = SkillSequencer(self._task.skills)
        step_ns = round(NS * contract.step_s)
        self._schedule = InferenceSchedule(
            False, contract.execute_steps * step_ns, step_ns, contract.chunk_length * step_ns, round(NS * RESERVE_S)
        )
        self._schedule.expect_delay(round(NS * (timing.delay_s + timing.jitter_s)))
        self._every = round(SERVO_HZ / contract.observation_hz)
        self._delays = timing.delays(request.seed)
        self._coming: tuple[int, ActionChunk] | None = None
        self._rows: list[tuple[NDArray[np.float64], ...]] = []
        self._arrivals: list[int] = []
        self._holds = 0

    def run(self) -> Trace:
        """To the end: finished, timeout, or stopped."""
        self._ask()
        status, tick = "running", 0
        while status in ("running", "advanced"):
            status = self._deliver(tick)
            if tick % self._every == 0:
                self._judge.update()
                self._infer(tick)
            measured = self._world.eef_pose()
            target, holding = self._commander.command(self._servo.time_s, measured)
            self._holds += holding and bool(self._arrivals)
            self._rows.append(_row(target.pose, measured))
            self._servo.step(target)
            tick += 1
        told, told_turned, was, was_turned = (np.stack(column) for column in zip(*self._rows))
        return Trace(
            1.0 / SERVO_HZ, told, told_turned, was, was_turned, tuple(self._arrivals), self._holds,
            self._commander.refused, self._judge.success(), status, self._commander.lookahead_s,
        )  # fmt: skip

    def _ask(self) -> None:
        prompt = self._sequencer.current.prompt_in(self._policy.contract.vocabulary)
        self._schedule.set_skill(SkillRequest(1, self._sequencer.number, prompt, True, -1))

    def _infer(self, tick: int) -> None:
        if self._coming is not None:
            return
        self._schedule.observe(tick * (NS // SERVO_HZ), None)
        job = self._schedule.due()
        if job is None:
            return
        observation = self._servo.observe().as_observation()
        chunk = self._policy.act(observation, job.skill.prompt, skill_id=job.skill.skill_id)
        late_s = self._timing.delay_s + self._timing.jitter_s * self._delays.random()
        self._coming = tick + round(late_s * SERVO_HZ), chunk
        self._schedule.ran(job, chunk.sequence)

    def _deliver(self, tick: int) -> str:
        if self._coming is None or tick < self._coming[0]:
            return "running"
        chunk, self._coming = self._coming[1], None
        self._commander.push(chunk)
        self._arrivals.append(tick)
        status = self._sequencer.update(chunk.done, chunk.start_time_s)
        self._ask()
        return status


def _row(commanded: EefPose, measured: EefPose) -> tuple[NDArray[np.float64], ...]:
    return commanded.position, commanded.quaternion, measured.position, measured.quaternion
