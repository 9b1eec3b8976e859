"""The parts of the Stage 1 loss, each a plain function of tensors and masks."""

from __future__ import annotations

import torch
from torch.nn import functional

from training.alignment.adapters import full_precision


def info_nce(
    anchors: torch.Tensor,
    positives: torch.Tensor,
    pool: torch.Tensor,
    index: torch.Tensor,
    mask: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """-log of the softmax share of the positive among it and the negatives, on cosine similarity; one value per anchor.

    Args:
        anchors: [P, D]. positives: [P, D]. pool: [Q, D] codes that negatives are taken from.
        index: int64 [P, K] rows of the pool. mask: bool [P, K]; a masked negative does not enter.
        temperature: above 0.
    Returns:
        [P]; 0 for an anchor without any negative.
    """
    anchors, positives, pool = (
        functional.normalize(full_precision(part), dim=-1) for part in (anchors, positives, pool)
    )
    positive = (anchors * positives).sum(-1, keepdim=True)
    negative = torch.einsum("pd,pkd->pk", anchors, pool[index]).masked_fill(~mask, float("-inf"))
    logits = torch.cat([positive, negative], dim=1) / temperature
    return torch.logsumexp(logits, dim=1) - logits[:, 0]


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of the values where the mask holds (same shape); 0 when it holds nowhere. Masked values may be anything."""
    return torch.where(mask, values, torch.zeros_like(values)).sum() / mask.sum().clamp(min=1)


def pooled(codes: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean code of every window: [B, N, D] with mask bool [B, N] -> [B, D]; zeros for a window that is all padding."""
    kept = torch.where(mask[..., None], codes, torch.zeros_like(codes))
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def chunk_errors(decoded: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Mean squared error of every chunk: [..., M, A] twice -> [...], in squared normalised units."""
    return (full_precision(decoded) - actions).square().mean(dim=(-2, -1))


def gaussian_kl(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """KL divergence in nats of N(mean, exp(log_variance)) from N(0, 1), summed over the code: [..., D] -> [...]."""
    mean, log_variance = full_precision(mean), full_precision(log_variance)
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=-1)
