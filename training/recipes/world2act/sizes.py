"""What a preset of the recipe consists of: the configuration of every command but for its folders."""

from __future__ import annotations

from dataclasses import dataclass

from training.alignment.config import AlignConfig, ScheduleChanges
from training.data.cache import CacheConfig
from training.data.collect import CollectConfig
from training.evidence.arm import EvaluateArmConfig
from training.evidence.imagination import ImaginationConfig
from training.evidence.latency import LatencyConfig
from training.export.policy import PolicyExportConfig
from training.post_training.config import PostTrainConfig
from training.post_training.imagine import ImagineConfig
from training.post_training.pixel_space import PixelConfig
from training.vla.config import VlaTrainConfig
from training.world_model.config import VaeTrainConfig, WorldModelTrainConfig
from training.world_model.evaluate import EvaluateConfig as CompareConfig
from training.world_model.imagine_latents import ImagineLatentsConfig
from training.world_model.latents import LatentsConfig


@dataclass(frozen=True)
class Sizes:
    """One configuration per command, used by every step that runs it: equal budgets are one value here."""

    collect: CollectConfig
    cache: CacheConfig
    policy: VlaTrainConfig
    """The base policy; ``sampling.max_episodes`` says how few demonstrations it sees."""
    export: PolicyExportConfig
    vae: VaeTrainConfig
    latents: LatentsConfig
    world_model: WorldModelTrainConfig
    """Base-WM and Skill-WM: needs ``steps``, because equal minutes are not equal budgets."""
    compare: CompareConfig
    align: AlignConfig
    align_imagined: ScheduleChanges
    """Of adapters that learn from imagined clips, of which there are fewer than of recorded windows."""
    imagine_clips: ImagineLatentsConfig
    imagination: ImaginationConfig
    imagine: ImagineConfig
    """Of Skill-WM; its ``count`` is the largest number of trajectories."""
    whole_windows: int
    """Windows that Base-WM imagines per episode."""
    post_train: PostTrainConfig
    pixels: PixelConfig
    evaluate: EvaluateArmConfig
    latency: LatencyConfig
    calibrate: bool
    """Whether there are episodes enough to calibrate the monitor on, which refuses to be calibrated on few."""
    trajectories: tuple[int, ...]
    """Numbers of post-training trajectories that are compared; the last one is the main arms'."""
    tasks: tuple[int, ...]
    """Numbers of tasks seen in post-training that are compared."""
    task_trajectories: int
    """Trajectories of each of these arms."""
    checkpoints: tuple[int, ...]
    """Iterations after which the weights of the main arms are kept and measured."""
    checkpoint_episodes: int
    films: int
    """Filmed episodes of the base policy and of World2Act v1."""
