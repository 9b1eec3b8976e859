"""What the executed chunks' codes are compared with: imagined codes by InfoNCE, or their decoded actions.

Legend: K trajectories (one per initial state), J slots (chunk indices), C entries of a code, M steps, A action entries.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from training.post_training.config import ObjectiveConfig

MOST_NEGATIVE = -1e9
"""Logit of a pair that does not exist; finite, so that a row without any pair has no NaN gradient."""


def info_nce(
    executed: torch.Tensor, imagined: torch.Tensor, mask: torch.Tensor, config: ObjectiveConfig, part: int = 0
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """InfoNCE on cosine similarity between executed and imagined codes [K, J, C]; mask [K, J] says which slots count.

    Positive: the same trajectory's imagined code of the slot. Negatives: the other trajectories' codes of that slot.
    With ``config.slack`` both are the most similar code of the slots up to so many chunks before and after, within the
    same part of ``part`` slots (0: all are one part): a policy may be earlier or later than was imagined.
    Mean over the trajectories of a slot, then over slots; slots with fewer than two trajectories have no negative and
    do not count. Returns the scalar loss (0 when no slot counts) and ``alignment`` (mean cosine of positives; with its
    gradient as ``attraction``), ``retrieval`` (share of executed codes whose most similar imagined one is their own)
    and ``chance``.
    """
    if config.granularity == "global":
        executed, imagined = (_mean_code(codes, mask)[:, None] for codes in (executed, imagined))
        mask = mask.any(dim=1, keepdim=True)
    similarity = _similarity(executed, imagined, config.slack, part or mask.shape[1])
    valid = mask.transpose(0, 1)  # [J, K]
    counted = valid & (valid.sum(dim=1, keepdim=True) >= 2)
    pairs = counted[:, :, None] & counted[:, None, :]
    logits = torch.where(pairs, similarity / config.temperature, MOST_NEGATIVE)
    rows = _own_entropy(logits.transpose(1, 2))  # video -> action: which action fits this imagined chunk
    if config.direction == "both":
        rows = (rows + _own_entropy(logits)) / 2
    loss = _mean_of_slots(rows, counted)
    own = similarity.diagonal(dim1=1, dim2=2)
    attraction = _masked_mean(own, valid)
    with torch.no_grad():
        best = logits.argmax(dim=2) == torch.arange(logits.shape[1], device=logits.device)
        statistics = {
            "alignment": attraction.detach(),
            "attraction": attraction,
            "retrieval": _masked_mean(best.to(loss.dtype), counted),
            "chance": _masked_mean(1.0 / counted.sum(dim=1, keepdim=True).clamp(min=1).expand_as(own), counted),
        }
    return loss, statistics


def _similarity(executed: torch.Tensor, imagined: torch.Tensor, slack: int, part: int) -> torch.Tensor:
    """Cosine [J, executed K, imagined K] of codes [K, J, C]: the largest within ``slack`` slots of the same part."""
    executed, imagined = functional.normalize(executed, dim=-1), functional.normalize(imagined, dim=-1)
    slots = torch.arange(imagined.shape[1], device=imagined.device)
    best = torch.einsum("kjc,ljc->jkl", executed, imagined)
    for shift in (s for s in range(-slack, slack + 1) if s):
        there = slots + shift
        inside = (there >= 0) & (there < len(slots)) & (there // part == slots // part)
        other = torch.einsum("kjc,ljc->jkl", executed, imagined[:, there.clamp(0, len(slots) - 1)])
        best = torch.where(inside[:, None, None], torch.maximum(best, other), best)
    return best


def imitation(executed: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of chunks [K, J, M, A] in shares of the limits, over the slots of mask [K, J]."""
    return _masked_mean((executed - target).abs().mean(dim=(2, 3)), mask)


def _own_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the diagonal, [J, K, K] -> [J, K]: the last axis holds the candidates."""
    return torch.logsumexp(logits, dim=2) - logits.diagonal(dim1=1, dim2=2)


def _mean_of_slots(values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    per_slot = (values * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)
    slots = counted.any(dim=1)
    return (per_slot * slots).sum() / slots.sum().clamp(min=1)


def _mean_code(codes: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean direction [K, C] of the valid codes [K, J, C]."""
    unit = functional.normalize(codes, dim=-1) * mask[..., None]
    return unit.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def _masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
