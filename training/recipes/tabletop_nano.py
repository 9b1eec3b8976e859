"""``recipe``: everything behind ``models/tabletop-nano``, from an empty folder to a measured bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from training.data.cache import CacheConfig, build_cache
from training.data.collect import CollectConfig, KindWeights, collect
from training.data.takeover import TakeoverConfig
from training.evaluation.evaluate import EvaluateConfig, evaluate
from training.export.policy import PolicyExportConfig, export_policy
from training.export.text_encoder import TextEncoderExportConfig, export_text_encoder
from training.vla.config import VlaTrainConfig
from training.vla.train import train

TAKEOVER_SEED = 300_000


@dataclass(frozen=True)
class RecipeConfig:
    """Make the bundle again. Every step continues where it stopped, so the command can be repeated."""

    episodes: int = 1839
    minutes: float = 74.0
    takeover_episodes: int = 1000
    """Episodes in which the policy of the first round begins the skills."""
    takeover_minutes: float = 45.0
    evaluation_episodes: int = 100
    workers: int = 2
    dataset: Path = Path("data/tabletop")
    run: Path = Path("runs/tabletop-nano")
    bundle: Path = Path("models/tabletop-nano")


@dataclass(frozen=True)
class Recipe:
    """One configuration per step."""

    collect: CollectConfig
    cache: CacheConfig
    text_encoder: TextEncoderExportConfig
    train: VlaTrainConfig
    export: PolicyExportConfig
    takeover: CollectConfig
    fine_tune: VlaTrainConfig
    export_final: PolicyExportConfig
    evaluate: EvaluateConfig


def tabletop_nano(config: RecipeConfig) -> Recipe:
    """The complete configuration of the published bundle."""
    text_encoder = TextEncoderExportConfig()
    first = config.run / "bundle"
    train_config = VlaTrainConfig(
        cache=config.dataset / "cache-96", out=config.run, text_encoder=text_encoder.out, minutes=config.minutes
    )
    fine_tuned = config.run.with_name(f"{config.run.name}-takeover")
    return Recipe(
        collect=CollectConfig(out=config.dataset, episodes=config.episodes, workers=config.workers),
        cache=CacheConfig(dataset=config.dataset, workers=config.workers),
        text_encoder=text_encoder,
        train=train_config,
        export=PolicyExportConfig(
            checkpoint=config.run, out=first, name=config.bundle.name, text_encoder=text_encoder.out
        ),
        takeover=CollectConfig(
            out=config.dataset,
            episodes=config.takeover_episodes,
            workers=config.workers,
            first_seed=TAKEOVER_SEED,
            kinds=KindWeights(pick=0.05, place=0.2, stack=0.3, composite=0.45),
            takeover=TakeoverConfig(policy=first),
        ),
        fine_tune=replace(
            train_config, out=fine_tuned, init=first, minutes=config.takeover_minutes, learning_rate=4e-4
        ),
        export_final=PolicyExportConfig(
            checkpoint=fine_tuned, out=config.bundle, name=config.bundle.name, text_encoder=text_encoder.out
        ),
        evaluate=EvaluateConfig(
            bundle=config.bundle, episodes=config.evaluation_episodes, workers=config.workers, update_bundle=True
        ),
    )


def run(config: RecipeConfig) -> None:
    """Entry point of ``python -m training recipe``."""
    recipe = tabletop_nano(config)
    if not (recipe.text_encoder.out / "model.onnx").exists():
        export_text_encoder(recipe.text_encoder)
    collect(recipe.collect)
    build_cache(recipe.cache)
    train(recipe.train)
    export_policy(recipe.export)
    collect(recipe.takeover)
    build_cache(recipe.cache)
    train(recipe.fine_tune)
    export_policy(recipe.export_final)
    evaluate(recipe.evaluate)
    perturbed = ("light", "camera", "texture", "distractors", "unseen_instance", "unseen_category")
    evaluate(replace(recipe.evaluate, splits=perturbed, videos=0))
