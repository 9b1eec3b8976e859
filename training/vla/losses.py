"""The loss of one batch and the numbers worth watching."""

from __future__ import annotations

import torch
from torch.nn import functional

from training.vla.batches import Batch
from training.vla.config import LossConfig
from training.vla.flow import interpolate
from training.vla.model import NanoVla, Predictions


def batch_loss(
    model: NanoVla, batch: Batch, config: LossConfig, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Scalar loss and its detached parts by name (see :func:`describe` for units)."""
    predictions = model.encode(batch.images, batch.state, batch.text, batch.colour)
    action, parts = flow_loss(model, predictions.context, batch.chunk, config, generator)
    # Frames on which the skill is complete are rare, and every one of them ends an episode.
    done = functional.binary_cross_entropy_with_logits(predictions.done.float(), batch.done)
    known = ~torch.isnan(batch.positions)
    error = (predictions.positions.float() - torch.nan_to_num(batch.positions)).abs() * known
    position = error.sum() / known.sum().clamp(min=1)
    language = _language_loss(predictions, batch)
    loss = config.action * action + config.done * done + config.target * position + config.language * language
    with torch.no_grad():
        parts |= {
            "action": action,
            "done": done,
            "language": language,
            "target_mm": _distance_mm(error[:, :3], known[:, :3]),
            "support_mm": _distance_mm(error[:, 3:], known[:, 3:]),
            "done_accuracy": ((predictions.done > 0) == (batch.done > 0.5)).float().mean(),
            "target_accuracy": (predictions.target.argmax(-1) == batch.labels[:, 1]).float().mean(),
        }
    return loss, {name: value.detach() for name, value in parts.items()}


def flow_loss(
    model: NanoVla, context: torch.Tensor, chunk: torch.Tensor, config: LossConfig, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Loss of the action head for chunks [B, T, A] in robot units given contexts [B, context], and its parts."""
    draws = config.flow_draws
    clean = model.normalisation.encode_actions(chunk).repeat(draws, 1, 1)
    noise = torch.randn(clean.shape, generator=generator)
    time = torch.rand(len(clean), generator=generator)
    # The first share of the draws starts the path, half of those at the zero noise that the robot uses by default.
    start = round(len(clean) * config.start_share)
    time[:start] = 0.0
    noise[: start // 2] = 0.0
    mixed = torch.randperm(len(clean), generator=generator)
    time, noise = time[mixed], noise[mixed]
    with torch.autocast("cpu", torch.bfloat16, enabled=model.mixed):
        guess = model.flow(interpolate(noise, clean, time), time, context.repeat(draws, 1)).float()
    error = (guess - clean).abs()
    gripper = model.contract.action_slice("gripper")
    weight = torch.ones(clean.shape[-1])
    weight[gripper] = config.gripper
    loss = (error * weight).sum(-1).mean() / weight.sum()
    with torch.no_grad():
        physical = (
            error[time == 0.0][:, : model.contract.execute_steps].mean(dim=(0, 1)) * model.normalisation.action_scale
        )
        move, turn = (model.contract.action_slice(name) for name in ("delta_position", "delta_rotation"))
        parts = {
            "move_mm": physical[move].mean() * 1000,
            "turn_mrad": physical[turn].mean() * 1000,
            "gripper_error": physical[gripper].mean(),
        }
    return loss, parts


def _language_loss(predictions: Predictions, batch: Batch) -> torch.Tensor:
    heads = (predictions.kind, predictions.target, predictions.support)
    losses = [functional.cross_entropy(head.float(), batch.labels[:, i]) for i, head in enumerate(heads)]
    return torch.stack(losses).mean()


def _distance_mm(error: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Mean Euclidean distance in millimetres of errors [B, 3] in decimetres, over samples that have a position."""
    valid = known[:, 0]
    return (error.norm(dim=-1) * valid).sum() / valid.sum().clamp(min=1) * 100.0
