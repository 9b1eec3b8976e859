"""A trained policy begins each skill and the expert takes over: demonstrations from where a policy gets itself to.

Cloning sees the expert's states only; what follows from the policy's own small mistakes (a cube held by its corners, an
object dropped beside the bin) is in no demonstration. As in DAgger (Ross et al. 2011), and its form in which the expert
intervenes (HG-DAgger, Kelly et al. 2019), the policy acts first, for a random time. Its frames stay in the episode's
video; the skill's segment, which is what gets cloned, begins where the expert takes over.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.common.errors import DatasetError
from world2act_core.chunks import ChunkSampler
from world2act_core.limits import ActionLimits
from world2act_core.types import FloatArray

if TYPE_CHECKING:
    from training.evaluation.policy import ChunkPolicy
    from world2act_sim.world import WorldObservation


@dataclass(frozen=True)
class TakeoverConfig:
    """Who begins the skills."""

    policy: Path | None = None
    """Bundle of the policy that acts first; None: the expert does everything."""
    probability: float = 0.75
    """Share of skills that the policy begins."""
    seconds: float = 8.0
    """The expert takes over after a uniformly drawn time up to this one, or when the skill is done."""

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1 or not self.seconds > 0:
            raise DatasetError(
                f"takeover: probability must be in [0, 1] and seconds positive, got {self.probability}, {self.seconds}"
            )


class PolicyDriver:
    """Acts with a policy, chunk by chunk, until the time drawn for the present skill is up."""

    def __init__(self, policy: ChunkPolicy, config: TakeoverConfig, rng: np.random.Generator) -> None:
        self._policy = policy
        self._config = config
        self._rng = rng
        self._limits = ActionLimits.from_contract(policy.contract)
        self._sampler = ChunkSampler(policy.contract)
        self._prompt = ""
        self._index = self._tick = self._until = 0

    def begin(self, prompt: str, index: int) -> None:
        """Draw for how long the policy acts on skill number ``index``, asked for as ``prompt``."""
        period = 1.0 / self._policy.contract.control_hz
        drives = self._rng.random() < self._config.probability
        seconds = self._rng.uniform(0.0, self._config.seconds)
        self._until = round(seconds / period) if drives else 0
        self._prompt, self._index, self._tick = prompt, index, 0
        self._sampler.clear()

    def act(self, observation: WorldObservation) -> FloatArray | None:
        """The policy's action float32 [7] within the contract's limits; None once its time is up."""
        if self._tick >= self._until:
            return None
        seen = observation.as_observation()
        if self._tick % self._policy.contract.execute_steps == 0:
            self._sampler.push(self._policy.act(seen, self._prompt, skill_id=self._index))
        self._tick += 1
        sample = self._sampler.sample(seen.time_s)
        return None if sample is None else self._limits.apply(observation.eef_pose, sample.action)[0]
