"""``post-train-pixels``: the pixel-space baseline (DreamGen) at the same budget of imagined trajectories.

Imagined video is decoded, an inverse dynamics model turns it into pseudo-actions, and the policy itself is fine-tuned
by cloning them, mixed with real demonstrations.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.common.errors import TrainingError
from training.common.workers import pick_device
from training.data.cache import FrameCache
from training.data.lerobot_reader import LeRobotReader
from training.post_training.frozen import module_hash
from training.post_training.imagined import ImaginedLatents
from training.post_training.interfaces import Imagination
from training.post_training.inverse_dynamics import FramePairs, InverseDynamics, pair_loss
from training.post_training.merge import save_vla
from training.post_training.pseudo import PseudoData, make_pseudo_data
from training.post_training.supervised import SupervisedConfig, train_supervised
from training.vla.batches import BatchSource
from training.vla.config import AugmentConfig, LossConfig, SamplingConfig
from training.vla.index import build_index
from training.vla.losses import batch_loss, flow_loss
from training.vla.model import NanoVla
from training.vla.normalisation import Normalisation
from training.vla.text import embed_skills
from training.vla.train import load_trained
from training.world_model.windows import dataset_hash
from world2act_core.files import sha256_file
from world2act_core.images import fit_image
from world2act_core.text_encoder import TextEncoder


@dataclass(frozen=True)
class PixelConfig:
    """Post-train through pixels. Run again with the same --out to continue."""

    base: Path = Path("runs/tabletop-nano")
    """A run of `training vla`."""
    cache: Path = Path("data/tabletop/cache-96")
    """Decoded demonstrations: the inverse dynamics model learns from them, and cloning mixes them in."""
    world_model: Path = Path("runs/world-model-skill")
    imagined: Path = Path("data/imagined")
    out: Path = Path("runs/post-training-pixels")
    """The fine-tuned policy lies in `policy` inside; `training export --checkpoint` reads it."""
    text_encoder: Path = Path("models/text-encoder-minilm-l6-int8")
    trajectories: int = 1000
    """How many imagined initial states are used; 0 leaves the base policy."""
    steps_per_pair: int = 4
    """Control steps between the two pictures of a pair."""
    stride: int = 4
    """Every how many frames of an imagined video one is cloned."""
    real_share: float = 0.5
    """Weight of real demonstrations in cloning; without them the policy forgets when it is done, for example."""
    seed: int = 0
    threads: int = 2
    device: str = "cpu"
    """Of the world model's decoder."""
    dynamics: SupervisedConfig = field(default_factory=SupervisedConfig)
    cloning: SupervisedConfig = field(
        default_factory=lambda: SupervisedConfig(steps=1000, batch=128, learning_rate=1e-4, final_learning_rate=1e-5)
    )
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)


def post_train_pixels(config: PixelConfig) -> Path:
    """Entry point of ``python -m training post-train-pixels``; returns the fine-tuned policy's checkpoint."""
    from training.post_training.parts import open_imagination

    torch.set_num_threads(config.threads)
    return run_pixels(config, open_imagination(config.world_model, pick_device(config.device)))


def run_pixels(config: PixelConfig, world_model: Imagination) -> Path:
    """All three stages with an opened world model."""
    if not 0.0 <= config.real_share < 1.0:
        raise TrainingError(f"--real-share must be at least 0 and below 1, got {config.real_share}")
    store = ImaginedLatents(config.imagined)
    if store.origin.world_model != world_model.sha256:
        raise TrainingError(
            f"{config.imagined} was imagined by world model {store.origin.world_model[:12]}, --world-model "
            f"{config.world_model} is {world_model.sha256[:12]}; give the one that imagined"
        )
    if config.trajectories > len(store):
        raise TrainingError(f"--trajectories {config.trajectories}: {config.imagined} holds {len(store)}; imagine more")
    model = load_trained(config.base)[0]
    if not config.trajectories:
        return _save(config, model, 0)
    cache = FrameCache(config.cache)
    base, encoder = module_hash(model), sha256_file(config.text_encoder / "model.onnx")
    dynamics = train_inverse_dynamics(config, cache, world_model)
    facts = {
        **_facts(config),
        "inverse_dynamics": module_hash(dynamics),
        "world_model": world_model.sha256,
        "imagined": vars(store.origin),
    }
    data = make_pseudo_data(
        config.out / "pseudo", store, config.trajectories, world_model, dynamics, config.stride, facts
    )
    learnt_from = {"dataset": dataset_hash(cache.dataset), "base_policy": base, "text_encoder_sha256": encoder}
    learnt_from |= {"inverse_dynamics": facts["inverse_dynamics"], "imagined_by": facts["imagined"]}
    finished = clone(config, model, cache, data, world_model, learnt_from)
    return _save(config, model, config.cloning.steps) if finished else config.out


def train_inverse_dynamics(config: PixelConfig, cache: FrameCache, world_model: Imagination) -> InverseDynamics:
    """The inverse dynamics model of the dataset, trained or read from ``out/inverse-dynamics``."""
    pairs = FramePairs(cache, world_model.pack, config.steps_per_pair, config.dynamics.batch, config.seed)
    torch.manual_seed(config.seed)
    model = InverseDynamics(cache.contract, config.steps_per_pair)
    model.normalisation = Normalisation.fitted(cache.contract, pairs.state, pairs.action)
    facts = {"seed": config.seed, "dynamics": dataclasses.asdict(config.dynamics), "steps": config.steps_per_pair}
    facts["dataset"] = dataset_hash(cache.dataset)
    out = config.out / "inverse-dynamics"
    done = train_supervised(
        "inverse dynamics", model, lambda step: pair_loss(model, pairs.batch(step)), config.dynamics, out, facts
    )
    if not done:
        raise TrainingError("interrupted; run the same command again to continue")
    return model.eval().requires_grad_(False)


def clone(
    config: PixelConfig,
    model: NanoVla,
    cache: FrameCache,
    data: PseudoData,
    world_model: Imagination,
    learnt_from: dict[str, Any],
) -> bool:
    """Fine-tune ``model`` in place on pseudo-actions and real demonstrations; False when interrupted.

    learnt_from: hashes of what decides the result besides the settings; a run begun with others is not continued.
    """
    prompts = torch.from_numpy(TextEncoder(config.text_encoder, threads=1).encode(data.prompts))
    source = _real_batches(config, cache) if config.real_share else None
    pseudo = _PseudoBatches(data, prompts, world_model, model, config)

    def loss(step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        total, parts = pseudo.loss(step, generator)
        total = (1.0 - config.real_share) * total
        if source is not None:
            real, _ = batch_loss(model, source.batch(step), config.loss, generator)
            total = total + config.real_share * real
            parts["real"] = real.detach()
        return total, parts

    facts = {**_facts(config), **learnt_from}
    return train_supervised("cloning", model, loss, config.cloning, config.out / "cloning", facts)


class _PseudoBatches:
    """Draws pseudo-demonstrations; batch n is a function of the seed and n."""

    def __init__(
        self, data: PseudoData, prompts: torch.Tensor, world_model: Imagination, model: NanoVla, config: PixelConfig
    ) -> None:
        self._data, self._prompts, self._world_model = data, prompts, world_model
        self._model, self._config = model, config

    def loss(self, step: int, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Flow loss of batch ``step``."""
        config, model, data = self._config, self._model, self._data
        rows = np.random.default_rng([config.seed, 5, step]).integers(len(data), size=config.cloning.batch)
        views = self._world_model.unpack(np.asarray(data.frames[rows]))
        images = {
            camera.name: torch.from_numpy(np.stack([fit_image(view, camera) for view in views[camera.name]]))
            for camera in model.contract.cameras
        }
        state, chunk = torch.from_numpy(data.state[rows]), torch.from_numpy(data.chunk[rows])
        predictions = model.encode(images, state, self._prompts[torch.from_numpy(data.prompt[rows])])
        loss, parts = flow_loss(model, predictions.context, chunk, config.loss, generator)
        return loss, {"pseudo": loss.detach(), **{name: value.detach() for name, value in parts.items()}}


def _real_batches(config: PixelConfig, cache: FrameCache) -> BatchSource:
    index = build_index(LeRobotReader(cache.dataset), len(cache), cache.contract, config.sampling)
    texts = embed_skills(index.skills, config.text_encoder, config.sampling.paraphrases, config.seed)
    return BatchSource(cache, index, texts, config.sampling, config.augment, config.cloning.batch, config.seed)


def _facts(config: PixelConfig) -> dict[str, Any]:
    """Settings that must be equal when a run continues, as they come back from JSON."""
    free = {"out", "threads", "device", "base", "cache", "world_model", "imagined", "text_encoder", "dynamics"}
    values = {key: value for key, value in dataclasses.asdict(config).items() if key not in free}
    result: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return result


def _save(config: PixelConfig, model: NanoVla, step: int) -> Path:
    weights = {name: value.detach() for name, value in model.state_dict().items()}
    return save_vla(config.base, weights, config.out / "policy", step, "post-train-pixels")
