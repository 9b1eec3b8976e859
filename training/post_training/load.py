"""Trained residual heads for whoever uses them: evaluation, export, the robot's monitor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from training.common.checkpoint import latest_checkpoint, read_info, read_tensors
from training.common.errors import CheckpointError
from training.evaluation.policy import ChunkPolicy
from training.post_training.config import ResidualConfig
from training.post_training.frozen import module_hash
from training.post_training.policies import BaseSource, ResidualPolicy
from training.post_training.residual import ResidualHead
from world2act_core.contract import Contract

ADAPTERS = "adapters"
"""Folder inside a run with a copy of the Stage 1 adapters: what was frozen travels with what was trained on it."""


@dataclass(frozen=True)
class TrainedResidual:
    """A residual head in eval mode and what its checkpoint says."""

    head: ResidualHead
    info: dict[str, Any]
    folder: Path


def load_residual(folder: Path, adapter: nn.Module | None = None, strength: float = 1.0) -> TrainedResidual:
    """The residual head of a run's newest checkpoint, or of one checkpoint.

    Args:
        folder: run or checkpoint. adapter: the frozen action adapter (None: the copy in the run's folder).
        strength: factor on the residual's bound; 0 gives the base policy, bit for bit.
    Raises:
        CheckpointError: nothing there, damaged, of another method, or the adapter is not the one it was trained with.
    """  # fmt: skip
    checkpoint = latest_checkpoint(folder)
    info = read_info(checkpoint)
    if info.get("method") != "residual":
        raise CheckpointError(f"{checkpoint} holds no residual head but {info.get('method', 'something else')!r}")
    contract = Contract.from_text(info["contract"], source=str(checkpoint))
    adapter = adapter if adapter is not None else _copied_adapter(checkpoint)
    if module_hash(adapter) != info["frozen"]["action_adapter"]:
        raise CheckpointError(
            f"{checkpoint} was trained with action adapter {info['frozen']['action_adapter'][:12]}, the one given is "
            f"{module_hash(adapter)[:12]}; give the adapters of that run"
        )
    head = ResidualHead(contract, adapter, residual_config(info["config"]["residual"]))
    try:
        head.load_own(read_tensors(checkpoint, "student"))
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint}: the weights do not fit its own description: {error}") from error
    head.bound.mul_(strength)
    return TrainedResidual(head.eval().requires_grad_(False), info, checkpoint)


def open_policy(base: BaseSource, residual: Path | None, strength: float = 1.0) -> ChunkPolicy:
    """The base policy, with a trained residual on top when one is given: what an in-process evaluation runs."""
    policy = base.open()
    return policy if residual is None else ResidualPolicy(policy, load_residual(residual, strength=strength).head)


def residual_config(values: dict[str, Any]) -> ResidualConfig:
    """The configuration as it comes back from JSON."""
    return ResidualConfig(**{**values, "bound": tuple(values["bound"])})


def _copied_adapter(checkpoint: Path) -> nn.Module:
    from training.post_training.parts import open_adapters

    # The last one is the run of a checkpoint in its folder `kept`.
    for place in (checkpoint, checkpoint.parent, checkpoint.parent.parent):
        if (place / ADAPTERS).exists():
            return open_adapters(place / ADAPTERS)[1]
    raise CheckpointError(f"{checkpoint.parent / ADAPTERS} is missing; give the Stage 1 adapters it was trained with")
