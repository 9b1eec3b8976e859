"""Which other examples of a batch serve as negatives.

They come from the process's own batch, also with several GPUs: a batch of B windows has B * N chunks, many times the 16
negatives that the method asks for, so gathering the other ranks' codes would cost a differentiable all-gather per step
and buy nothing. Gradients are averaged over ranks, which is what a larger batch of such examples gives.

A negative may sit at any place in the other window. Negatives at the anchor's own place only (as the released code has
them) never put two moments of one kind of motion side by side, so the adapters need not learn to tell moments apart.
"""

from __future__ import annotations

import torch


def draw_negatives(
    sources: torch.Tensor,
    tasks: torch.Tensor,
    valid: torch.Tensor,
    count: int,
    hard_share: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """For every one of P examples, ``count`` different others from other demonstrations.

    round(count * hard_share) of them have the anchor's task (hard), the rest another task. Where one kind runs short
    the other fills in; where both do, the mask says so.

    Args:
        sources, tasks: int64 [P]. valid: bool [P]; padding is never a negative.
        generator: on the CPU, so that a seed means the same on every device.
    Returns:
        index int64 [P, K] into the examples and mask bool [P, K] (False: no such negative), K = min(count, P).
    """
    total = len(sources)
    count = min(count, total)
    same_task = tasks[:, None] == tasks[None]
    allowed = (sources[:, None] != sources[None]) & valid[None]
    keys = torch.rand((total, total), generator=generator)
    hard_count = round(count * hard_share)
    order = keys + 1.0  # fillers come after the wanted ones, what is not allowed comes last
    for kind, wanted in ((allowed & same_task, hard_count), (allowed & ~same_task, count - hard_count)):
        if wanted:
            chosen = keys.masked_fill(~kind, 9.0).topk(wanted, dim=1, largest=False).indices
            # Where the kind runs short topk names others too; those stay fillers.
            preferred = torch.where(kind.gather(1, chosen), keys.gather(1, chosen), order.gather(1, chosen))
            order.scatter_(1, chosen, preferred)
    order = order.masked_fill(~allowed, 9.0)
    values, index = order.topk(count, dim=1, largest=False)
    return index, values < 9.0


def hard_fraction(index: torch.Tensor, mask: torch.Tensor, tasks: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Share of the drawn negatives of valid anchors that have the anchor's task: what ``hard_share`` came to."""
    used = mask & valid[:, None]
    hard = (tasks[index] == tasks[:, None]) & used
    return hard.sum() / used.sum().clamp(min=1)
