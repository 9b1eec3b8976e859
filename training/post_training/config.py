"""Sizes of the residual policy and settings of post-training (World2Act, Stage 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class ResidualConfig:
    """Three 32-d tokens, two layers of four heads, an MLP head; how far it may move the base policy's actions."""

    variant: Literal["action", "latent"] = "action"
    """action (v1): a = a_base + a_res. latent (v2): z = z_base + dz, decoded by the frozen action decoder."""
    bound: tuple[float, ...] = (0.2,)
    """Largest change of an action: one number for all, one per named action dimension, or one per entry. 0: the base
    policy, bit for bit."""
    bound_unit: Literal["limits", "contract"] = "limits"
    """limits: shares of half the contract's range. contract: the action's own unit (m, rad, 1)."""
    latent_bound: float = 1.0
    """Variant latent: largest change of a code entry."""
    latent_decode: Literal["difference", "direct"] = "difference"
    """Variant latent. difference: a = a_base + D(z_base + dz) - D(z_base), so that what the decoder loses is not lost
    from the base action. direct: a = D(z_base + dz) wherever dz is not zero, as the paper writes it."""
    token: int = 32
    heads: int = 4
    layers: int = 2
    feed_forward: int = 128
    head: int = 128


@dataclass(frozen=True)
class ObjectiveConfig:
    """What the executed chunk's code is compared with, and how."""

    target: Literal["contrastive", "cosine", "bc"] = "contrastive"
    """contrastive: InfoNCE. cosine: be like the own imagined code, without being unlike the others'. bc: regress to the
    actions that the frozen decoder reads from the imagined codes."""
    direction: Literal["both", "one"] = "both"
    """both: InfoNCE action -> video and video -> action. one: video -> action only."""
    granularity: Literal["chunk", "global"] = "chunk"
    """chunk: codes of the same chunk index are compared. global: one mean code per trajectory."""
    temperature: float = 0.1
    slack: int = 0
    """Chunks that an executed chunk may come before or after the imagined one (the paper: none)."""
    size_penalty: float = 0.0
    """Weight of the mean square change of the actions, as shares of the contract's half range."""


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters in the policy itself instead of a residual on top of it (the paper's ablation: rank 16)."""

    rank: int = 16
    alpha: int = 16


@dataclass(frozen=True)
class RolloutSettings:
    """How the present policy is run to collect states."""

    robot: str = "Panda"
    skill_seconds: float = 20.0
    done_threshold: float = 0.5
    consecutive: int = 2
    whole_episodes: bool = False
    """Run every episode to its end instead of stopping after the last chunk that has an imagined counterpart; only
    then is it known whether it succeeded (a diagnostic: training uses no reward)."""


@dataclass(frozen=True)
class PostTrainConfig:
    """Post-train a frozen policy against imagined latents. Run again with the same --out to continue."""

    base: Path = Path("models/tabletop-nano")
    """The policy: a bundle's folder, or a run of `training vla` (required for --method lora)."""
    adapters: Path = Path("runs/alignment")
    """Stage 1: a run of `training align`."""
    imagined: Path = Path("data/imagined")
    """Imagined latents, made by `training imagine`."""
    out: Path = Path("runs/post-training")
    text_encoder: Path = Path("models/text-encoder-minilm-l6-int8")
    """Used when --base is a checkpoint; a bundle names its own."""
    method: Literal["residual", "lora"] = "residual"
    trajectories: int = 1000
    """How many of the imagined initial states are used, the first ones; 0 leaves the base policy."""
    tasks: tuple[str, ...] = ()
    """Use only initial states of these tasks, as "place red cube": a kind and its target (none given: all)."""
    iterations: int = 60
    """Times of collecting rollouts and then training on them."""
    states_per_iteration: int = 32
    """Initial states that are run in one iteration; each is a negative for the others."""
    gradient_steps: int = 16
    """Optimiser steps on each iteration's rollouts."""
    batch_states: int = 0
    """Trajectories of one optimiser step (0: all of the iteration's)."""
    learning_rate: float = 3e-4
    final_learning_rate: float = 3e-5
    warmup_steps: int = 20
    weight_decay: float = 1e-4
    clip: float = 1.0
    seed: int = 0
    keep_every: int = 0
    """Also keep the weights after every so many iterations, in `kept` (0: only the newest two checkpoints)."""
    workers: int = 2
    """Processes that run the simulator; 0: this one."""
    threads: int = 2
    device: str = "auto"
    residual: ResidualConfig = field(default_factory=ResidualConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    lora: LoraSettings = field(default_factory=LoraSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
