"""The loss of one batch and the numbers worth watching."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from training.alignment.adapters import cosine
from training.alignment.config import Objective
from training.alignment.losses import chunk_errors, gaussian_kl, info_nce, masked_mean, pooled
from training.alignment.negatives import draw_negatives, hard_fraction
from training.alignment.pairs import Pairs


@dataclass(frozen=True)
class Codes:
    """What the adapters made of a batch."""

    video: torch.Tensor  # [B, N, 32]
    action: torch.Tensor  # [B, C, 32] means
    log_variance: torch.Tensor | None  # [B, C, 32]
    decoded: torch.Tensor  # [B, C, M, A]


def alignment_loss(
    codes: Codes, pairs: Pairs, objective: Objective, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Scalar loss and its detached parts by name.

    ``generator`` (on the CPU) draws the negatives. Reconstruction is the mean error of the chunks plus the mean error
    of the negatives drawn for them, the same ones for both granularities; means run over chunks that are not padding.
    """
    batch, count = pairs.paired.shape
    # What has no latent partner is reconstructed but is neither an anchor nor a negative of the contrast.
    valid = pairs.paired.flatten()
    index, mask, tasks = _negatives(pairs, objective, generator)
    errors = chunk_errors(codes.decoded, pairs.actions)
    positive = masked_mean(errors, pairs.present)
    negative = masked_mean(errors[:, :count].flatten()[index], mask & valid[:, None])
    if objective.granularity == "chunk":
        contrast = _contrast(
            codes.video.flatten(0, 1), codes.action[:, :count].flatten(0, 1), index, mask, valid, objective
        )
    else:
        contrast = _global_contrast(codes, pairs, objective, generator)
    reconstruction = positive + negative
    loss = objective.contrastive * contrast + objective.reconstruction * reconstruction
    parts = {"contrast": contrast, "reconstruction": positive, "negative_reconstruction": negative}
    if codes.log_variance is not None:
        parts["kl"] = masked_mean(gaussian_kl(codes.action, codes.log_variance), pairs.present)
        loss = loss + objective.kl * parts["kl"]
    with torch.no_grad():
        similar = cosine(codes.video, codes.action[:, :count])
        parts |= {
            "cosine": masked_mean(similar, pairs.paired),
            "negatives": (mask.sum(1) * valid).sum() / valid.sum().clamp(min=1),
            "hard_share": hard_fraction(index, mask, tasks, valid),
            "valid_share": valid.float().mean(),
        }
    return loss, {name: value.detach() for name, value in parts.items()}


def _negatives(
    pairs: Pairs, objective: Objective, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Negatives of every chunk [B * N, K], their mask and every chunk's task, on the pairs' device."""
    count = pairs.paired.shape[1]
    sources, tasks = (part.repeat_interleave(count) for part in (pairs.sources, pairs.tasks))
    device = pairs.paired.device
    index, mask = draw_negatives(
        sources, tasks, pairs.paired.flatten().cpu(), objective.negatives, objective.hard_share, generator
    )
    return index.to(device), mask.to(device), tasks.to(device)


def _contrast(
    video: torch.Tensor,
    action: torch.Tensor,
    index: torch.Tensor,
    mask: torch.Tensor,
    valid: torch.Tensor,
    objective: Objective,
) -> torch.Tensor:
    """Mean over valid anchors of InfoNCE in the objective's direction; both: the mean of the two."""
    losses = []
    if objective.direction != "action-to-video":
        losses.append(info_nce(video, action, action, index, mask, objective.temperature))
    if objective.direction != "video-to-action":
        losses.append(info_nce(action, video, video, index, mask, objective.temperature))
    return masked_mean(torch.stack(losses).mean(dim=0), valid)


def _global_contrast(codes: Codes, pairs: Pairs, objective: Objective, generator: torch.Generator) -> torch.Tensor:
    """As :func:`_contrast` between windows' mean codes; a batch of B windows has at most B - 1 negatives."""
    count = pairs.paired.shape[1]
    valid = pairs.paired.any(dim=1)
    index, mask = draw_negatives(
        pairs.sources, pairs.tasks, valid.cpu(), objective.negatives, objective.hard_share, generator
    )
    video, action = pooled(codes.video, pairs.paired), pooled(codes.action[:, :count], pairs.paired)
    return _contrast(video, action, index.to(valid.device), mask.to(valid.device), valid, objective)
