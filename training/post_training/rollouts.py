"""Rollouts of the present policy from initial states, cut where nothing was imagined any more.

Only what the residual sees is kept: pictures, state, the base policy's chunk, and which imagined code it belongs to.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_bytes
from safetensors.torch import save as save_bytes

from training.evaluation.policy import ChunkPolicy
from training.evaluation.rollout import Episode, RolloutConfig, run_episode
from training.post_training.config import RolloutSettings
from training.post_training.imagined import ImaginedCodes, SlotTracker
from training.post_training.initial_states import InitialState
from training.post_training.policies import fitted
from world2act_core.types import ActionChunk, FloatArray, Observation
from world2act_core.worker_process import begin_worker

if TYPE_CHECKING:
    import torch

    from world2act_sim.world import TabletopWorld


@dataclass(frozen=True)
class Trajectory:
    """What one rollout leaves. Legend: n queries of the policy that have an imagined counterpart.

    success: None unless the episode ran to its end; for the log, never for the loss.
    """

    state_number: int
    images: dict[str, NDArray[np.uint8]]  # [n, H, W, 3] by camera, as the contract wants them
    state: NDArray[np.float32]  # [n, S] robot units
    base: NDArray[np.float32]  # [n, T, A] the base policy's chunks, robot units
    slots: NDArray[np.int64]  # [n] which imagined code of this initial state
    prompts: tuple[str, ...]  # [n] what the policy was asked
    success: bool | None = None

    def __len__(self) -> int:
        return len(self.slots)


class Collector(Protocol):
    """Runs the policy with given trained weights from initial states."""

    def collect(self, states: Sequence[int], weights: Mapping[str, torch.Tensor]) -> list[Trajectory]:
        """One trajectory per number of ``states``, in their order."""
        ...

    def close(self) -> None:
        """Free what the collector holds."""
        ...


class CorrectedPolicy(Protocol):
    """A policy in two parts, so that a rollout can record what the base policy wanted."""

    @property
    def base(self) -> ChunkPolicy:
        """The policy underneath."""
        ...

    def correct(self, observation: Observation, chunk: ActionChunk) -> ActionChunk:
        """The base policy's chunk as it is to be executed."""
        ...


class Student(Protocol):
    """What is post-trained, as a rollout sees it."""

    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take over trained weights."""
        ...

    def policy(self) -> CorrectedPolicy:
        """The policy with the present weights."""
        ...


class StopRolloutError(Exception):
    """Nothing that follows has an imagined counterpart."""


class RecordingPolicy:
    """Runs a policy and remembers each query that has a slot."""

    def __init__(
        self, policy: CorrectedPolicy, codes: ImaginedCodes, number: int, steps: int, to_the_end: bool
    ) -> None:
        """number: of the initial state; steps: actions executed per chunk; to_the_end: never stop the rollout."""
        self.contract = policy.base.contract
        self._policy = policy
        self._codes = codes
        self._number = number
        self._slots = SlotTracker(codes, number, steps * self.contract.step_s)
        self._to_the_end = to_the_end
        self._rows: list[tuple[dict[str, NDArray[np.uint8]], FloatArray, FloatArray, int, str]] = []

    def act(
        self, observation: Observation, prompt: str, noise: FloatArray | None = None, skill_id: int = 0
    ) -> ActionChunk:
        """As the policy; raises :class:`StopRolloutError` once no later query can have a slot."""
        slot = self._slots.slot(observation.time_s, skill_id)
        if slot is None and not self._to_the_end and self._is_last(skill_id):
            raise StopRolloutError
        chunk = self._policy.base.act(observation, prompt, noise, skill_id)
        if slot is not None:
            images = fitted(observation, self.contract)
            self._rows.append((images, np.asarray(observation.state), np.asarray(chunk.actions), slot, prompt))
        return self._policy.correct(observation, chunk)

    def trajectory(self, success: bool | None) -> Trajectory:
        """Everything remembered so far."""
        contract = self.contract
        images = {
            camera.name: np.stack([row[0][camera.name] for row in self._rows])
            if self._rows
            else np.zeros((0, camera.height, camera.width, 3), np.uint8)
            for camera in contract.cameras
        }
        return Trajectory(
            self._number,
            images,
            np.array([row[1] for row in self._rows], np.float32).reshape(-1, contract.state_size),
            np.array([row[2] for row in self._rows], np.float32).reshape(
                -1, contract.chunk_length, contract.action_size
            ),
            np.array([row[3] for row in self._rows], np.int64),
            tuple(row[4] for row in self._rows),
            success,
        )

    def _is_last(self, skill_id: int) -> bool:
        return self._codes.whole_episode or skill_id + 1 >= len(self._codes.states[self._number].prompts)


def roll_out(
    world: TabletopWorld,
    policy: CorrectedPolicy,
    codes: ImaginedCodes,
    number: int,
    steps: int,
    settings: RolloutSettings,
) -> Trajectory:
    """Run the policy from initial state ``number``; each chunk's first ``steps`` actions are executed open loop."""
    config = RolloutConfig(
        done_threshold=settings.done_threshold,
        consecutive=settings.consecutive,
        skill_seconds=settings.skill_seconds,
        execute_steps=steps,
        wording="train",
        # The skills in the order in which they were imagined, whatever a planner would make of the sentence.
        prompts="paraphrase",
    )
    recording = RecordingPolicy(policy, codes, number, steps, settings.whole_episodes)
    episode: Episode = codes.states[number].episode
    try:
        success = run_episode(world, recording, episode, config).success
    except StopRolloutError:
        return recording.trajectory(None)
    return recording.trajectory(success if settings.whole_episodes else None)


@dataclass(frozen=True)
class StudentRecipe:
    """How a worker process makes its own student; picklable."""

    function: str
    """"module:name" of a function that takes ``arguments`` and returns a :class:`Student`."""
    arguments: tuple[Any, ...]

    def make(self) -> Student:
        """Build it."""
        import importlib

        module, name = self.function.split(":")
        student: Student = getattr(importlib.import_module(module), name)(*self.arguments)
        return student


class LocalCollector:
    """Runs rollouts in this process."""

    def __init__(self, student: Student, codes: ImaginedCodes, steps: int, settings: RolloutSettings) -> None:
        from world2act_sim.world import TabletopWorld, WorldConfig

        self._world = TabletopWorld(WorldConfig(robot=settings.robot))
        self._student, self._codes, self._steps, self._settings = student, codes, steps, settings

    def collect(self, states: Sequence[int], weights: Mapping[str, torch.Tensor]) -> list[Trajectory]:
        """One trajectory per state, one after the other."""
        self._student.load(weights)
        policy = self._student.policy()
        return [roll_out(self._world, policy, self._codes, n, self._steps, self._settings) for n in states]

    def close(self) -> None:
        """Free the renderer."""
        self._world.close()


class ParallelCollector:
    """Runs rollouts in worker processes, each with its own world and policy; the results do not depend on how many."""

    def __init__(
        self, recipe: StudentRecipe, codes: ImaginedCodes, steps: int, settings: RolloutSettings, workers: int
    ) -> None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        # Workers need to know which chunks have a code, not the codes.
        shapes = tuple(rows[..., :0].numpy() for rows in codes.codes)
        arguments = (recipe, codes.states, shapes, codes.whole_episode, steps, settings)
        self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, arguments)

    def collect(self, states: Sequence[int], weights: Mapping[str, torch.Tensor]) -> list[Trajectory]:
        """One trajectory per state, in their order."""
        packed = save_bytes({name: value.detach().cpu().contiguous() for name, value in weights.items()})
        return list(self._pool.map(_roll_out_one, [(number, packed) for number in states]))

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown(wait=True, cancel_futures=True)


_worker: dict[str, Any] = {}


def _start_worker(
    recipe: StudentRecipe,
    states: tuple[InitialState, ...],
    shapes: tuple[NDArray[np.float32], ...],
    whole_episode: bool,
    steps: int,
    settings: RolloutSettings,
) -> None:
    begin_worker()  # the parent ends the run after the iteration
    import torch

    torch.set_num_threads(1)
    codes = ImaginedCodes(states, tuple(torch.from_numpy(rows) for rows in shapes), whole_episode)
    _worker.update(student=recipe.make(), codes=codes, steps=steps, settings=settings, weights=b"")


def _roll_out_one(job: tuple[int, bytes]) -> Trajectory:
    import torch

    number, packed = job
    if _worker["weights"] != packed:
        _worker["student"].load({name: torch.from_numpy(value) for name, value in load_bytes(packed).items()})
        _worker.update(weights=packed, policy=_worker["student"].policy())
    if "world" not in _worker:
        from world2act_sim.world import TabletopWorld, WorldConfig

        _worker["world"] = TabletopWorld(WorldConfig(robot=_worker["settings"].robot))
    arguments = (_worker["policy"], _worker["codes"], number, _worker["steps"], _worker["settings"])
    return roll_out(_worker["world"], *arguments)
