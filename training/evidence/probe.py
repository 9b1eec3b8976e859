"""The alignment score of an episode: how well what a policy executes agrees with what was imagined for its start."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch

from training.alignment.score import chunk_scores
from training.evaluation.policy import ChunkPolicy
from training.evaluation.rollout import Episode
from training.post_training.actions import ChunkCoder
from training.post_training.frozen import module_hash
from training.post_training.imagined import ImaginedCodes, ImaginedLatents, SlotTracker
from training.post_training.interfaces import VideoAdapter
from training.post_training.parts import open_adapters
from world2act_core.contract import Contract
from world2act_core.types import ActionChunk, FloatArray, Observation

IMAGINED = "imagined"
"""The fact with all that decides the imagined latents; scores that were measured before it was kept lack it."""


class ScoredPolicy:
    """Passes a policy's chunks on unchanged and compares them with the imagined codes of the episode."""

    def __init__(self, policy: ChunkPolicy, coder: ChunkCoder, codes: ImaginedCodes) -> None:
        self.contract: Contract = policy.contract
        self._policy, self._coder, self._codes = policy, coder, codes
        self._numbers = {state.episode: number for number, state in enumerate(codes.states)}
        self._number: int | None = None
        self._tracker: SlotTracker | None = None
        self._scores: list[float] = []

    def begin(self, episode: Episode) -> None:
        """Forget the episode before."""
        self._number = self._numbers.get(episode)
        self._scores = []
        if self._number is not None:
            self._tracker = SlotTracker(self._codes, self._number, self._coder.steps * self.contract.step_s)

    @property
    def score(self) -> float | None:
        """Mean cosine in [-1, 1] over the chunks that have an imagined counterpart; None when none had one."""
        return sum(self._scores) / len(self._scores) if self._scores else None

    def act(
        self, observation: Observation, prompt: str, noise: FloatArray | None = None, skill_id: int = 0
    ) -> ActionChunk:
        """The policy's chunk."""
        chunk = self._policy.act(observation, prompt, noise, skill_id)
        if self._number is not None and self._tracker is not None:
            slot = self._tracker.slot(observation.time_s, skill_id)
            if slot is not None:
                self._scores.append(self._compare(self._number, slot, chunk))
        return chunk

    @torch.no_grad()
    def _compare(self, number: int, slot: int, chunk: ActionChunk) -> float:
        executed = self._coder.code_of(torch.from_numpy(chunk.actions)[None])[0]
        return float(chunk_scores(self._codes.codes[number].flatten(0, 1)[slot], executed))


def open_probe(policy: ChunkPolicy, adapters: Path, imagined: Path) -> ScoredPolicy:
    """A probe with the adapters of a Stage 1 run and every initial state in ``imagined``."""
    latents = ImaginedLatents(imagined)
    video, action, _ = open_adapters(adapters, None, latents.origin.vae)
    codes = latents.codes(cast(VideoAdapter, video), len(latents))
    return ScoredPolicy(policy, ChunkCoder(policy.contract, action), codes)


def probe_facts(adapters: Path, imagined: Path) -> dict[str, Any]:
    """What decides a score besides the policy: both adapters (hashes), the world model, the VAE and how it imagined."""
    origin = ImaginedLatents(imagined).origin
    video, action, _ = open_adapters(adapters, None, origin.vae)
    return {
        "video_adapter": module_hash(video),
        "action_adapter": module_hash(action),
        "world_model": origin.world_model,
        "vae": origin.vae,
        IMAGINED: vars(origin),
    }
