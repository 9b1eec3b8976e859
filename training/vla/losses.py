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
    action, parts = _flow_loss(model, predictions.context, batch, config, generator)
    # Frames on which the skill is complete are rare, and every one of them ends an episode.
    done = functional.binary_cross_entropy_with_logits(predictions.done.float(), batch.done)
    known = ~torch.isnan(batch.positions)
    error = (predictions.positions.float() - torch.nan_to_num(batch.positions)).abs() * known
    position = error.sum() / known.sum().clamp(min=1)
    language = _language_loss(predictions, batch)
    pointing = pointing_loss(predictions.pointing, batch.seen)
    loss = config.action * action + config.done * done + config.target * position + config.language * language
    loss = loss + config.pointing * pointing
    with torch.no_grad():
        parts |= {
            "action": action,
            "done": done,
            "language": language,
            "pointing": pointing,
            "target_mm": _distance_mm(error[:, :3], known[:, :3]),
            "support_mm": _distance_mm(error[:, 3:], known[:, 3:]),
            "done_accuracy": ((predictions.done > 0) == (batch.done > 0.5)).float().mean(),
            "target_accuracy": (predictions.target.argmax(-1) == batch.labels[:, 1]).float().mean(),
        }
    return loss, {name: value.detach() for name, value in parts.items()}


def _flow_loss(
    model: NanoVla, context: torch.Tensor, batch: Batch, config: LossConfig, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    draws = config.flow_draws
    clean = model.normalisation.encode_actions(batch.chunk).repeat(draws, 1, 1)
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


def pointing_loss(heat: dict[str, torch.Tensor], seen: dict[str, torch.Tensor]) -> torch.Tensor:
    """Cross-entropy of the first two pointers with the cells around where target and support are seen.

    heat: camera -> logits [B, K, H, W]; seen: camera -> (x, y) fractions [B, 2, 2], NaN is left out. A place between
    four cell centres is shared among them, so that the best heat map's centre of mass is the place itself.
    """
    losses = [torch.zeros(0)]
    for name, places in seen.items():
        height, width = heat[name].shape[2:]
        share = functional.log_softmax(heat[name][:, :2].float().flatten(2), dim=2)
        valid = ~torch.isnan(places).any(dim=2)
        size = torch.tensor([width, height])
        cell = torch.minimum((torch.nan_to_num(places) * size - 0.5).clamp(min=0.0), size - 1.0)
        corner = torch.minimum(cell.floor(), size - 2.0)
        rest = cell - corner
        loss = torch.zeros_like(rest[..., 0])
        for right in (0, 1):
            for down in (0, 1):
                weight = (rest[..., 0] if right else 1 - rest[..., 0]) * (rest[..., 1] if down else 1 - rest[..., 1])
                index = ((corner[..., 1] + down) * width + corner[..., 0] + right).long()
                loss = loss - weight * share.gather(2, index[..., None])[..., 0]
        losses.append(loss[valid])
    every = torch.cat(losses)
    return every.mean() if len(every) else every.sum()


def _language_loss(predictions: Predictions, batch: Batch) -> torch.Tensor:
    heads = (predictions.kind, predictions.target, predictions.support)
    losses = [functional.cross_entropy(head.float(), batch.labels[:, i]) for i, head in enumerate(heads)]
    return torch.stack(losses).mean()


def _distance_mm(error: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Mean Euclidean distance in millimetres of errors [B, 3] in decimetres, over samples that have a position."""
    valid = known[:, 0]
    return (error.norm(dim=-1) * valid).sum() / valid.sum().clamp(min=1) * 100.0
