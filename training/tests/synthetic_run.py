"""A cache and a training configuration small enough for a test: tiny pictures, a tiny network, made-up data."""

from __future__ import annotations

from pathlib import Path

from training.data.cache import CacheConfig, build_cache
from training.tests.synthetic import synthetic_dataset
from training.vla.config import TINY_MODEL, VlaTrainConfig
from world2act_core.tabletop import tabletop_contract

TEXT_ENCODER = Path(__file__).resolve().parents[2] / "models" / "text-encoder-minilm-l6-int8"


def tiny_cache(root: Path, image_size: int = 32) -> Path:
    """A built cache over six synthetic episodes."""
    synthetic_dataset(root)
    tabletop_contract(image_size=128).to_yaml(root / "meta" / "contract.yaml")
    return build_cache(CacheConfig(dataset=root, image_size=image_size, workers=1))


def tiny_config(cache: Path, out: Path, steps: int, **changes: object) -> VlaTrainConfig:
    """Train ``steps`` steps of batch 8."""
    settings: dict[str, object] = {"bf16": False, "log_every": 1, "warmup_steps": 2, "threads": 1, **changes}
    settings.setdefault("model", TINY_MODEL)
    return VlaTrainConfig(
        cache=cache, out=out, text_encoder=TEXT_ENCODER, steps=steps, batch=8, language_steps=20, **settings
    )  # type: ignore[arg-type]
