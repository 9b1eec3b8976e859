"""A run of ``post-train`` that nobody trained: a residual with random weights, its adapters beside it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch

from training.alignment.adapters import Aligner
from training.alignment.config import AdapterConfig
from training.common.checkpoint import save_checkpoint
from training.post_training.config import PostTrainConfig, ResidualConfig
from training.post_training.frozen import module_hash
from training.post_training.load import ADAPTERS
from training.post_training.residual import ResidualHead
from training.post_training.trainer import as_json
from training.tests.synthetic_post_training import CONTRACT, stir
from world2act_core.contract import Contract

VAE = "0" * 64


def adapters_run(root: Path, contract: Contract = CONTRACT, seed: int = 0) -> Aligner:
    """A run of ``training align`` with random adapters in ``root``."""
    torch.manual_seed(seed)
    config = AdapterConfig()
    aligner = Aligner(config, contract.action_size)
    info = {
        "contract": contract.to_text(), "vae": VAE, "adapters": dataclasses.asdict(config), "objective": {}
    }  # fmt: skip
    save_checkpoint(root, 1, {"adapters": dict(aligner.state_dict())}, json.loads(json.dumps(info)))
    return aligner


def residual_run(
    root: Path, base_hash: str, contract: Contract = CONTRACT, stirred: float = 0.1, seed: int = 0, **changes: object
) -> ResidualHead:
    """A residual in ``root`` for the policy with ``base_hash``. stirred: size of its weights; 0: as before training."""
    aligner = adapters_run(root / ADAPTERS, contract, seed)
    config = PostTrainConfig(residual=ResidualConfig(**changes))  # type: ignore[arg-type]
    torch.manual_seed(seed)
    head = ResidualHead(contract, aligner.action, config.residual)
    if stirred:
        stir(head.network, stirred, seed)
    generator = torch.Generator().manual_seed(seed)
    head.normalisation.state_mean.copy_(torch.randn(contract.state_size, generator=generator))
    head.normalisation.state_scale.fill_(0.5)
    info = {
        "method": "residual", "contract": contract.to_text(), "config": as_json(config), "world_model": "a" * 64,
        "vae": VAE, "frozen": {"base": base_hash, "action_adapter": module_hash(aligner.action)},
    }  # fmt: skip
    save_checkpoint(root, 3, {"student": head.own_tensors()}, info)
    return head.eval()
