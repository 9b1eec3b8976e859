"""How well the codes find their partners: retrieval accuracy with its interval, and where in time they agree best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.nn import functional

from world2act_core.statistics import wilson_interval


@dataclass(frozen=True)
class Accuracy:
    """Hits among n queries, with the 95 % Wilson interval and what guessing gets.

    Chunks of one window resemble each other, so the interval (which takes queries as independent) is a lower bound on
    the uncertainty.
    """

    hits: int
    n: int
    interval: tuple[float, float]
    chance: float

    @property
    def rate(self) -> float:
        """Share of hits, 0 when nothing was asked."""
        return self.hits / self.n if self.n else 0.0

    def to_json(self) -> dict[str, Any]:
        """All of it with the rate."""
        return {"rate": self.rate, **asdict(self)}


@dataclass(frozen=True)
class Retrieval:
    """Video code -> action code: among all chunks of the set, and among the chunks of the query's own window."""

    top1: Accuracy
    top5: Accuracy
    within_top1: Accuracy
    by_window: tuple[tuple[int, int], ...] = ()
    """(top-1 hits, queries) of every window that has some: what an interval by window needs."""

    def to_json(self) -> dict[str, Any]:
        """Each accuracy under its name."""
        accuracies = {name: getattr(self, name).to_json() for name in ("top1", "top5", "within_top1")}
        return {**accuracies, "by_window": [list(pair) for pair in self.by_window]}


def retrieval(video: torch.Tensor, action: torch.Tensor, mask: torch.Tensor) -> Retrieval:
    """Rank every valid chunk's own action code among all valid ones, by cosine similarity with its video code.

    A tie counts as a miss: collapsed codes retrieve nothing.

    Args:
        video, action: [B, N, D]. mask: bool [B, N].
    """
    queries = functional.normalize(video.float()[mask], dim=-1)
    answers = functional.normalize(action.float()[mask], dim=-1)
    window = torch.arange(len(mask), device=mask.device)[:, None].expand(mask.shape)[mask]
    similar = queries @ answers.T
    own = similar.diagonal()[:, None]
    # Not better means: scored at least as high as the own partner, by something that is not the own partner.
    ahead = (similar >= own) & ~torch.eye(len(own), dtype=torch.bool, device=own.device)
    rank = ahead.sum(1)
    rank_within = (ahead & (window[:, None] == window[None])).sum(1)
    n = len(rank)
    found = torch.zeros(mask.shape, dtype=torch.long, device=mask.device)
    found[mask] = (rank < 1).long()
    sizes = mask.sum(1).float()
    windows = int((sizes > 0).sum())  # each valid window's queries hit by chance once in all
    return Retrieval(
        _accuracy(int((rank < 1).sum()), n, min(1.0, 1 / max(1, n))),
        _accuracy(int((rank < 5).sum()), n, min(1.0, 5 / max(1, n))),
        _accuracy(int((rank_within < 1).sum()), n, windows / max(1, n)),
        tuple((hits, count) for hits, count in zip(found.sum(1).tolist(), mask.sum(1).tolist()) if count),
    )


def _accuracy(hits: int, n: int, chance: float) -> Accuracy:
    return Accuracy(hits, n, wilson_interval(hits, n), chance)


@dataclass(frozen=True)
class ShiftProfile:
    """Mean cosine of video chunk j with action chunk j + shift, over the same ``n`` chunks for every shift.

    A chunk counts when its window has chunks as far before and after it as the largest shift; ``cosines`` is empty when
    none has, as in windows of four chunks or fewer.
    """

    cosines: dict[int, float]
    n: int

    @property
    def best(self) -> int | None:
        """The shift at which the two agree best: 0 when they are aligned; None when it was not measured."""
        if not self.cosines:
            return None
        return max(self.cosines, key=lambda shift: (self.cosines[shift], -abs(shift)))

    def to_json(self) -> dict[str, Any]:
        """Profile, best shift and number of chunks."""
        return {"best_shift": self.best, "cosines": {str(k): v for k, v in self.cosines.items()}, "n": self.n}


def shift_profile(
    video: torch.Tensor, action: torch.Tensor, mask: torch.Tensor, shifts: Sequence[int] = (-2, -1, 0, 1, 2)
) -> ShiftProfile:
    """Where in time video and actions agree best; an error of one chunk in the data moves the peak off 0.

    Args:
        video, action: [B, N, D]. mask: bool [B, N], its True entries first. shifts: must include 0.
    """
    reach = max(abs(shift) for shift in shifts)
    similar = torch.einsum(
        "bnd,bmd->bnm", functional.normalize(video.float(), dim=-1), functional.normalize(action.float(), dim=-1)
    )
    place = torch.arange(mask.shape[1], device=mask.device)
    inner = mask & (place >= reach) & (place + reach < mask.sum(1, keepdim=True))
    window, chunk = inner.nonzero(as_tuple=True)
    measured = shifts if len(chunk) else ()
    cosines = {shift: float(similar[window, chunk, chunk + shift].mean()) for shift in measured}
    return ShiftProfile(cosines, len(chunk))
