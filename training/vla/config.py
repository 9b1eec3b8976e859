"""Sizes of the nano VLA and settings of its training. Size is configuration: the same classes make larger models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network; what it sees and does comes from the contract."""

    patch: int = 4
    """Pixels per cell and side: the pictures are folded before the first convolution."""
    channels: tuple[int, int, int] = (32, 48, 96)
    """Channels of the fine convolutions, of the second one, and of the coarse ones."""
    coarse_layers: int = 3
    fine_keypoints: int = 32
    coarse_keypoints: int = 64
    pointers: int = 4
    """Places per camera that the sentence points at, two or more: the first is the target, the second the support."""
    text_features: int = 128
    state_features: int = 64
    context: int = 320
    trunk_blocks: int = 2
    flow_width: int = 256
    flow_blocks: int = 3
    denoising_steps: int = 4


TINY_MODEL = ModelConfig(
    channels=(8, 8, 16),
    coarse_layers=2,
    fine_keypoints=4,
    coarse_keypoints=8,
    text_features=16,
    state_features=8,
    context=32,
    trunk_blocks=1,
    flow_width=32,
    flow_blocks=1,
)
"""Every part of the network, too small to learn a task: for trying out what stands around it."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the parts of the loss and how the flow's time is drawn."""

    action: float = 1.0
    gripper: float = 1.0
    """Extra weight of the gripper entry relative to one other action entry."""
    done: float = 0.1
    target: float = 3.0
    """Weight of the distance (in decimetres) to the target's and support's true positions."""
    pointing: float = 0.1
    """Weight of pointing at the cells in which target and support are seen (data with camera calibrations only)."""
    language: float = 0.05
    flow_draws: int = 4
    """Noise and time draws per sample; the pictures are encoded once for all."""
    start_share: float = 0.3
    """Share of draws at time 0, where a few denoising steps begin."""


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of the pictures of one training sample."""

    shift: int = 1
    """Largest shift in pixels; the camera stands still, so a pixel is a position."""
    brightness: float = 0.15
    contrast: float = 0.15
    colour: float = 0.06
    state_noise: float = 0.0


@dataclass(frozen=True)
class SamplingConfig:
    """Which frames are drawn how often."""

    pick: float = 1.0
    place: float = 1.0
    stack: float = 2.5
    near_gripper: float = 2.0
    """Factor for frames within ``near_frames`` of an opening or closing of the gripper."""
    near_frames: int = 4
    done: float = 2.0
    composite: float = 1.2
    occupied: float = 5.0
    """Factor for placing something where an earlier skill has put something already: rare, and easily got wrong."""
    paraphrase_probability: float = 0.6
    """How often a prompt is one of the training wordings instead of the canonical text."""
    paraphrases: int = 48
    max_episodes: int = 0
    """Use only the first episodes (0: all)."""


@dataclass(frozen=True)
class VlaTrainConfig:
    """Train the nano VLA by cloning successful skill segments. Run again with the same --out to continue."""

    cache: Path = Path("data/tabletop/cache-96")
    out: Path = Path("runs/tabletop-nano")
    text_encoder: Path = Path("models/text-encoder-minilm-l6-int8")
    minutes: float = 74.0
    """Training time after which the schedule ends; ignored when ``steps`` is set."""
    steps: int = 0
    batch: int = 256
    learning_rate: float = 8e-4
    final_learning_rate: float = 2e-5
    language_steps: int = 4000
    """Steps in which the language adapter alone learns what the sentences ask for, before the training proper."""
    warmup_steps: int = 150
    cosine_tail: float = 0.4
    """Share of the schedule, at its end, in which the learning rate falls."""
    weight_decay: float = 0.02
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 0
    threads: int = 2
    bf16: bool = True
    """Convolve in bfloat16; a processor without it computes in float32 and says so."""
    log_every: int = 20
    checkpoint_minutes: float = 3.0
    init: Path | None = None
    """What to start from (fine-tuning): a run or checkpoint (its averaged weights) or an exported bundle. The schedule
    starts anew."""
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
