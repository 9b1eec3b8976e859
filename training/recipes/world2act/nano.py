"""Preset ``nano``: what shows something; about eight hours on two CPU cores."""

from __future__ import annotations

from training.alignment.config import AlignConfig, ScheduleChanges
from training.data.cache import CacheConfig
from training.data.collect import CollectConfig
from training.evaluation.rollout import RolloutConfig
from training.evidence.arm import EvaluateArmConfig
from training.evidence.imagination import ImaginationConfig
from training.evidence.latency import LatencyConfig
from training.export.policy import PolicyExportConfig
from training.post_training.config import PostTrainConfig, ResidualConfig, RolloutSettings
from training.post_training.imagine import ImagineConfig
from training.post_training.pixel_space import PixelConfig
from training.recipes.world2act.sizes import Sizes
from training.vla.config import SamplingConfig, VlaTrainConfig
from training.world_model.config import NoiseConfig, VaeTrainConfig, WorldModelTrainConfig
from training.world_model.evaluate import EvaluateConfig as CompareConfig
from training.world_model.imagine_latents import ImagineLatentsConfig
from training.world_model.latents import LatentsConfig

# The published policy, from three times the demonstrations and ten times the training, does 95 % of composites: this
# leaves room for a residual to be of use.
FEWER = SamplingConfig(max_episodes=600)
SECONDS = 12.0
"""Given to each skill; the expert takes five. What a policy has not done by then it hardly ever does."""

NANO = Sizes(
    collect=CollectConfig(episodes=1800),
    cache=CacheConfig(image_size=96),
    policy=VlaTrainConfig(steps=2800, sampling=FEWER),
    export=PolicyExportConfig(),
    vae=VaeTrainConfig(),
    latents=LatentsConfig(preset="nano", stride=16),
    # Half of the draws are nearly pure noise: what will happen is decided there.
    world_model=WorldModelTrainConfig(steps=1800, batch=8, noise=NoiseConfig(high_share=0.5, high_from=10.0)),
    compare=CompareConfig(episodes=60),
    align=AlignConfig(size="nano", changes=True),
    # More, and they fit what the world model remembers of demonstrations that it was trained on.
    align_imagined=ScheduleChanges(steps=400),
    imagine_clips=ImagineLatentsConfig(steps=4),
    imagination=ImaginationConfig(steps=4),
    imagine=ImagineConfig(count=1000, preview=4, steps=4),
    whole_windows=2,
    # With the usual bound of 0.2 hardly an episode succeeds any more (docs/experiments.md).
    post_train=PostTrainConfig(
        iterations=32, residual=ResidualConfig(bound=(0.05,)), rollout=RolloutSettings(skill_seconds=SECONDS)
    ),
    # The policy is fine-tuned on the demonstrations it was trained on, not on more.
    pixels=PixelConfig(sampling=FEWER),
    evaluate=EvaluateArmConfig(episodes=510, rollout=RolloutConfig(skill_seconds=SECONDS, residual="on")),
    latency=LatencyConfig(),
    calibrate=True,
    trajectories=(50, 200, 1000),
    tasks=(2, 5, 10),
    task_trajectories=60,
    checkpoints=(8, 16, 24, 32),
    checkpoint_episodes=120,
    films=6,
)
