"""What a rollout needs of a policy."""

from __future__ import annotations

from typing import Protocol

from world2act_core.contract import Contract
from world2act_core.types import ActionChunk, FloatArray, Observation


class ChunkPolicy(Protocol):
    """Observation and prompt in, action chunk out: a bundle, a checkpoint, or a policy served elsewhere."""

    @property
    def contract(self) -> Contract:
        """What the policy sees and does."""
        ...

    def act(
        self, observation: Observation, prompt: str, noise: FloatArray | None = None, skill_id: int = 0
    ) -> ActionChunk:
        """The chunk [T, A] that starts at the observation's time, in robot units."""
        ...
