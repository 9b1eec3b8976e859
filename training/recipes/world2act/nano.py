"""Preset ``nano``: what shows something; about fourteen hours on two CPU cores."""

from __future__ import annotations

from training.alignment.config import AlignConfig
from training.data.cache import CacheConfig
from training.data.collect import CollectConfig
from training.evidence.arm import EvaluateArmConfig
from training.evidence.latency import LatencyConfig
from training.export.policy import PolicyExportConfig
from training.post_training.config import PostTrainConfig
from training.post_training.imagine import ImagineConfig
from training.post_training.pixel_space import PixelConfig
from training.recipes.world2act.sizes import Sizes
from training.vla.config import SamplingConfig, VlaTrainConfig
from training.world_model.config import VaeTrainConfig, WorldModelTrainConfig
from training.world_model.evaluate import EvaluateConfig as CompareConfig
from training.world_model.latents import LatentsConfig

# The published policy, from 1,839 demonstrations in 74 minutes, does 67 to 80 % of the composites. Half of both leaves
# room for a residual to be of use.
FEWER = SamplingConfig(max_episodes=900)

NANO = Sizes(
    collect=CollectConfig(episodes=1500),
    cache=CacheConfig(image_size=96),
    policy=VlaTrainConfig(minutes=40.0, sampling=FEWER),
    export=PolicyExportConfig(),
    vae=VaeTrainConfig(minutes=15.0),
    latents=LatentsConfig(preset="nano"),
    world_model=WorldModelTrainConfig(steps=3000, batch=8),
    compare=CompareConfig(episodes=60),
    align=AlignConfig(size="nano"),
    imagine=ImagineConfig(count=1000, preview=4),
    whole_windows=2,
    post_train=PostTrainConfig(iterations=40),
    # The policy is fine-tuned on the demonstrations it was trained on, not on more.
    pixels=PixelConfig(sampling=FEWER),
    evaluate=EvaluateArmConfig(episodes=510),
    latency=LatencyConfig(),
    calibrate=True,
    trajectories=(50, 200, 1000),
    tasks=(2, 5, 10),
    task_trajectories=60,
    checkpoints=(8, 16, 24, 32, 40),
    checkpoint_episodes=120,
    films=6,
)
