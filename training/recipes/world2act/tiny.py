"""Preset ``tiny``: every step of the recipe within minutes, to see that they fit together. It learns nothing."""

from __future__ import annotations

from dataclasses import replace

from training.alignment.config import AlignConfig, ObjectiveChanges, ScheduleChanges
from training.data.cache import CacheConfig
from training.data.collect import CollectConfig, KindWeights
from training.evaluation.rollout import RolloutConfig
from training.evidence.arm import EvaluateArmConfig
from training.evidence.imagination import ImaginationConfig
from training.evidence.latency import LatencyConfig
from training.export.policy import PolicyExportConfig
from training.post_training.config import PostTrainConfig, RolloutSettings
from training.post_training.imagine import ImagineConfig
from training.post_training.pixel_space import PixelConfig
from training.post_training.supervised import SupervisedConfig
from training.recipes.world2act.sizes import Sizes
from training.vla.config import TINY_MODEL, SamplingConfig, VlaTrainConfig
from training.world_model.config import VaeTrainConfig, WorldModelTrainConfig
from training.world_model.evaluate import EvaluateConfig as CompareConfig
from training.world_model.imagine_latents import ImagineLatentsConfig
from training.world_model.latents import LatentsConfig

HOLDOUT = 3  # six demonstrations, two of them held out
SECONDS = 1.2  # of each skill: three inferences of a policy that can nothing
FEWER = SamplingConfig(max_episodes=4, paraphrases=2)
SHORT = SupervisedConfig(steps=2, batch=4, warmup_steps=1)

TINY = Sizes(
    collect=CollectConfig(
        episodes=6, workers=1, image_size=64, kinds=KindWeights(pick=0.5, place=0.5, stack=0.0, composite=0.0)
    ),
    cache=CacheConfig(image_size=32, workers=1),
    policy=VlaTrainConfig(
        steps=3,
        batch=8,
        language_steps=10,
        warmup_steps=1,
        bf16=False,
        sampling=FEWER,
        model=replace(TINY_MODEL, denoising_steps=2),
    ),
    export=PolicyExportConfig(samples=2),
    vae=VaeTrainConfig(preset="tiny", steps=2, batch=2, frames=5, holdout_every=HOLDOUT, bf16=False, warmup_steps=1),
    latents=LatentsConfig(preset="tiny", stride=16),
    world_model=WorldModelTrainConfig(
        preset="tiny", steps=2, batch=4, holdout_every=HOLDOUT, bf16=False, warmup_steps=1
    ),
    compare=CompareConfig(episodes=2, horizons=(4, 8), strips=1, holdout_every=HOLDOUT, frechet_draws=10),
    align=AlignConfig(
        size="tiny",
        objective=ObjectiveChanges(hard_share=0.0),
        schedule=ScheduleChanges(steps=2),
        holdout_every=HOLDOUT,
        eval_windows=4,
    ),
    align_imagined=ScheduleChanges(steps=2),
    imagine_clips=ImagineLatentsConfig(steps=2),
    imagination=ImaginationConfig(clips=4, steps=2, strips=1, holdout_every=HOLDOUT),
    imagine=ImagineConfig(count=8, shard_size=4, steps=2, preview=1),
    whole_windows=1,
    post_train=PostTrainConfig(
        iterations=1,
        states_per_iteration=2,
        gradient_steps=1,
        warmup_steps=1,
        workers=0,
        rollout=RolloutSettings(skill_seconds=SECONDS),
    ),
    pixels=PixelConfig(dynamics=SHORT, cloning=SHORT, sampling=FEWER),
    evaluate=EvaluateArmConfig(episodes=2, workers=0, rollout=RolloutConfig(skill_seconds=SECONDS, residual="on")),
    latency=LatencyConfig(rounds=5, warm_up=1),
    calibrate=False,
    trajectories=(2, 8),
    tasks=(10,),
    task_trajectories=2,
    checkpoints=(1,),
    checkpoint_episodes=2,
    films=1,
)
