"""InfoNCE against a plain double loop; masks against truncated inputs."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cosine_similarity

from training.post_training.config import ObjectiveConfig
from training.post_training.objectives import imitation, info_nce

K, J, C = 5, 4, 6


def codes(seed: int) -> torch.Tensor:
    return torch.randn((K, J, C), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ragged() -> torch.Tensor:
    """Trajectories of different length; the last slot has one trajectory only."""
    mask = torch.ones(K, J, dtype=torch.bool)
    mask[1, 2:] = False
    mask[3, 1] = False
    mask[:, 3] = False
    mask[2, 3] = True
    return mask


def plain(a: torch.Tensor, v: torch.Tensor, mask: torch.Tensor, temperature: float, both: bool) -> float:
    """The definition, one pair at a time."""
    slots = []
    for j in range(mask.shape[1]):
        rows = [k for k in range(len(mask)) if mask[k, j]]
        if len(rows) < 2:
            continue
        losses = []
        for k in rows:
            own = math.exp(float(cosine_similarity(a[k, j], v[k, j], dim=0)) / temperature)
            videos = sum(math.exp(float(cosine_similarity(a[k, j], v[m, j], dim=0)) / temperature) for m in rows)
            actions = sum(math.exp(float(cosine_similarity(a[m, j], v[k, j], dim=0)) / temperature) for m in rows)
            one = -math.log(own / actions)
            losses.append((one - math.log(own / videos)) / 2 if both else one)
        slots.append(sum(losses) / len(losses))
    return sum(slots) / len(slots)


@pytest.mark.parametrize("direction", ["both", "one"])
@pytest.mark.parametrize("temperature", [0.1, 0.07, 1.0])
def test_chunk_wise_loss_equals_the_definition(direction: str, temperature: float) -> None:
    a, v, mask = codes(0), codes(1), ragged()
    config = ObjectiveConfig(direction=direction, temperature=temperature)  # type: ignore[arg-type]
    loss, _ = info_nce(a, v, mask, config)
    assert float(loss) == pytest.approx(plain(a, v, mask, temperature, direction == "both"), rel=1e-9)


def test_global_loss_compares_mean_directions() -> None:
    a, v, mask = codes(0), codes(1), ragged()

    def mean(values: torch.Tensor) -> torch.Tensor:
        rows = [torch.stack([c / c.norm() for c in row[m]]).mean(dim=0) for row, m in zip(values, mask)]
        return torch.stack(rows)[:, None]

    loss, _ = info_nce(a, v, mask, ObjectiveConfig(granularity="global"))
    assert float(loss) == pytest.approx(plain(mean(a), mean(v), torch.ones(K, 1) > 0, 0.1, True), rel=1e-9)


def test_masked_slots_are_as_if_they_were_not_there() -> None:
    a, v = codes(0), codes(1)
    mask = torch.ones(K, J, dtype=torch.bool)
    mask[:, 2:] = False
    mask[4] = False
    a[~mask] = 1e6  # whatever is there must not matter, nor turn a gradient into NaN
    v[~mask] = 0.0
    a.requires_grad_(True)
    config = ObjectiveConfig()
    loss, parts = info_nce(a, v, mask, config)
    short, short_parts = info_nce(a[:4, :2], v[:4, :2], mask[:4, :2], config)
    assert loss.item() == pytest.approx(short.item(), rel=1e-12)
    assert {n: float(p) for n, p in parts.items()} == pytest.approx({n: float(p) for n, p in short_parts.items()})
    (gradient,) = torch.autograd.grad(loss, a)
    assert torch.isfinite(gradient).all() and not gradient[~mask].any() and gradient[mask].any()


def test_statistics_and_perfect_matches() -> None:
    a, mask = codes(0), ragged()
    loss, parts = info_nce(a, 3.0 * a, mask, ObjectiveConfig(temperature=0.02))
    assert float(loss) < 1e-3 and float(parts["alignment"]) == pytest.approx(1.0)
    assert float(parts["retrieval"]) == 1.0
    assert float(parts["chance"]) == pytest.approx((5 / 5 + 4 / 4 + 4 / 4) / (5 + 4 + 4))


def test_a_shift_by_one_chunk_is_worse() -> None:
    """Codes that say their own chunk index and trajectory: pairing chunk j with latent j+1 must cost."""
    a = codes(0)
    mask = torch.ones(K, J, dtype=torch.bool)
    right, _ = info_nce(a, a, mask, ObjectiveConfig())
    shifted, _ = info_nce(a, a.roll(1, dims=1), mask, ObjectiveConfig())
    assert float(shifted) > 10 * float(right)


def test_one_trajectory_has_nothing_to_contrast_with() -> None:
    a = codes(0)[:1].requires_grad_(True)
    loss, parts = info_nce(a, codes(1)[:1], torch.ones(1, J) > 0, ObjectiveConfig())
    assert loss.item() == 0.0 and math.isfinite(float(parts["alignment"]))
    loss.backward()
    assert a.grad is not None and not a.grad.any()


def test_imitation_is_the_mean_over_valid_chunks() -> None:
    executed, target = torch.zeros(2, 2, 4, 7), torch.zeros(2, 2, 4, 7)
    target[0, 0] = 0.5
    target[1, 1] = 1.0
    target[0, 1] = 99.0
    mask = torch.tensor([[True, False], [True, True]])
    assert float(imitation(executed, target, mask)) == pytest.approx((0.5 + 0.0 + 1.0) / 3)


@pytest.mark.parametrize("part", [0, 2])
def test_slack_takes_the_best_of_the_neighbouring_slots_of_the_same_part(part: int) -> None:
    a, v, mask = codes(0), codes(1), torch.ones(K, J, dtype=torch.bool)
    loss, parts = info_nce(a, v, mask, ObjectiveConfig(slack=1), part)
    total, alignment = 0.0, 0.0
    for j in range(J):
        near = [i for i in (j - 1, j, j + 1) if 0 <= i < J and (not part or i // part == j // part)]
        table = torch.zeros(K, K, dtype=torch.float64)
        for k in range(K):
            for m in range(K):
                table[k, m] = max(float(cosine_similarity(a[k, j], v[m, i], dim=0)) for i in near)
        logits = table / 0.1
        own = logits.diagonal()
        total += float((2 * own - logits.logsumexp(dim=1) - logits.logsumexp(dim=0)).mean()) / 2
        alignment += float(own.mean()) * 0.1
    assert float(loss) == pytest.approx(-total / J, rel=1e-9)
    assert float(parts["alignment"]) == pytest.approx(alignment / J, rel=1e-9)


def test_with_slack_a_policy_that_is_a_chunk_late_is_aligned() -> None:
    v = codes(1)
    late = torch.cat([codes(2)[:, :1], v[:, :-1]], dim=1)
    mask = torch.ones(K, J, dtype=torch.bool)
    mask[:, 0] = False
    _, strict = info_nce(late, v, mask, ObjectiveConfig())
    _, slack = info_nce(late, v, mask, ObjectiveConfig(slack=1))
    assert float(slack["alignment"]) == pytest.approx(1.0) and float(slack["retrieval"]) == 1.0
    assert float(strict["alignment"]) < 0.5


def test_attraction_is_the_mean_cosine_of_the_own_pairs_with_its_gradient() -> None:
    a, v, mask = codes(0).requires_grad_(True), codes(1), ragged()
    _, parts = info_nce(a, v, mask, ObjectiveConfig())
    assert float(parts["attraction"]) == pytest.approx(float(cosine_similarity(a, v, dim=-1)[mask].mean()))
    assert float(parts["alignment"]) == float(parts["attraction"]) and not parts["alignment"].requires_grad
    parts["attraction"].backward()
    assert a.grad is not None and a.grad[mask].abs().max() > 0 and a.grad[~mask].abs().max() == 0
