"""Numbers of ``measure-imagination``: errors of chunks, retrieval and cosines, overall and by place in the clip.

Legend: K clips, N chunks of a window, M steps, A action entries, C entries of a code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from training.evidence.clusters import cluster_count, number_clusters
from training.evidence.trend import paired_trend
from world2act_core.statistics import wilson_interval


@dataclass(frozen=True)
class Told:
    """What the expert did and what others say of it."""

    expert: torch.Tensor  # [K, N, M, A] shares of the limits
    expert_codes: torch.Tensor  # [K, N, C]
    mask: torch.Tensor  # bool [K, N] the chunk is whole
    codes: Mapping[str, torch.Tensor]  # by source, [K, N, C]
    chunks: Mapping[str, torch.Tensor]  # by source, [K, N, M, A]
    dims: Mapping[str, slice]  # entries of an action by name
    seeds: tuple[int, ...]


def read_out(codes: torch.Tensor, expert: torch.Tensor, mask: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
    """Chunks [K, N, M, A] by the linear map from a code and its chunk's place that is best for these codes [K, N, C].

    The contrast aligns directions only, so that a video code's length means nothing to the action decoder. The map of
    each half of the demonstrations (``seeds`` of the clips, K) is fitted on the other half, where mask [K, N] is true.
    Codes without entries (C = 0) give the mean chunk of the other half at that place.
    """
    places = torch.eye(codes.shape[1]).expand(len(codes), -1, -1)
    features, wanted = torch.cat([codes, places], dim=-1).double(), expert.flatten(2).double()
    result = torch.zeros_like(wanted)
    half = _halves(seeds)
    for mine in (half, ~half):
        rows = mask & ~mine[:, None]
        # gelsd: a place that no clip of the other half reaches gets 0 instead of an error.
        result[mine] = features[mine] @ torch.linalg.lstsq(features[rows], wanted[rows], driver="gelsd").solution
    return result.to(expert.dtype).unflatten(2, expert.shape[2:])


def _halves(seeds: Sequence[int]) -> torch.Tensor:
    """bool [K]: every other demonstration, so that clips of one table stay together."""
    number = {seed: place for place, seed in enumerate(dict.fromkeys(seeds))}
    return torch.tensor([number[seed] % 2 == 0 for seed in seeds])


def summary(told: Told) -> dict[str, Any]:
    """Errors (mean absolute, shares of half the contract's range), cosines and retrieval by source."""
    errors = {name: (chunk - told.expert).abs() for name, chunk in _all_chunks(told).items()}
    return {
        "error": {name: _errors(error, told) for name, error in errors.items()},
        "cosine": {name: _cosines(code, told) for name, code in told.codes.items()},
        "retrieval": {name: _retrieval(code, told) for name, code in told.codes.items()},
        "nearer_than": {
            other: _nearer(errors[other], errors["imagined"], told) for other in errors if other != "imagined"
        },
    }


def _all_chunks(told: Told) -> dict[str, torch.Tensor]:
    """With the average chunk: what is left of the read-out when there is no code, only the place."""
    nothing = told.expert.new_zeros(*told.mask.shape, 0)
    return {**told.chunks, "average": read_out(nothing, told.expert, told.mask, told.seeds)}


def _errors(error: torch.Tensor, told: Told) -> dict[str, Any]:
    by_chunk = error.mean(dim=(2, 3))
    return {
        "mean": float(by_chunk[told.mask].mean()),
        "by_place": _by_place(by_chunk, told.mask),
        "by_dimension": {name: float(error[told.mask][..., part].mean()) for name, part in told.dims.items()},
    }


def _cosines(codes: torch.Tensor, told: Told) -> dict[str, Any]:
    values = functional.cosine_similarity(codes, told.expert_codes, dim=-1)
    return {"mean": float(values[told.mask].mean()), "by_place": _by_place(values, told.mask)}


def _retrieval(codes: torch.Tensor, told: Told) -> dict[str, Any]:
    """Of all clips' expert chunks at a place, how often the own one is most alike."""
    similarity = torch.einsum(
        "knc,lnc->nkl", functional.normalize(codes, dim=-1), functional.normalize(told.expert_codes, dim=-1)
    )
    valid = told.mask.T  # [N, K]
    similarity = similarity.masked_fill(~valid[:, None, :], -2.0)
    hits = (similarity.argmax(dim=2) == torch.arange(len(told.mask))).T & told.mask
    chance = (1.0 / valid.sum(dim=1).clamp(min=1)).expand(len(told.mask), -1)
    found, n = int(hits.sum()), int(told.mask.sum())
    return {
        "rate": found / n,
        "n": n,
        "interval": list(wilson_interval(found, n)),
        "chance": float(chance[told.mask].mean()),
        "by_place": _by_place(hits.float(), told.mask),
    }


def _nearer(other: torch.Tensor, imagined: torch.Tensor, told: Told) -> dict[str, Any]:
    """How much nearer to the expert the imagined chunk is than another one: clip by clip, a paired t interval.

    Clips of one demonstration (seed) show one table: spread and degrees of freedom are those of the demonstrations.
    """
    whole = told.mask.any(dim=1)
    means = [_clip_means(error, told.mask)[whole].double().tolist() for error in (imagined, other)]
    clusters = number_clusters([seed for seed, there in zip(told.seeds, whole.tolist()) if there])
    result = paired_trend(means, clusters=clusters)
    return {
        "by": result.rise,
        "interval": list(result.interval),
        "p": result.p_value,
        "n": result.n,
        "demonstrations": cluster_count(clusters),
    }


def _clip_means(error: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    by_chunk = error.mean(dim=(2, 3)) * mask
    return by_chunk.sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def _by_place(values: torch.Tensor, mask: torch.Tensor) -> list[float | None]:
    return [float(values[mask[:, n], n].mean()) if mask[:, n].any() else None for n in range(mask.shape[1])]
