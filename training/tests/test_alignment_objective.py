"""The alignment's arithmetic against independent means: plain loops, closed forms, truncated inputs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from training.alignment.adapters import ActionAdapter, VideoAdapter
from training.alignment.config import PRESETS, AlignConfig, Objective, ObjectiveChanges, objective_of
from training.alignment.losses import gaussian_kl, info_nce, masked_mean
from training.alignment.negatives import draw_negatives, hard_fraction
from training.alignment.objective import Codes, alignment_loss
from training.alignment.pairs import Pairs
from training.alignment.retrieval import retrieval, shift_profile
from training.common.errors import TrainingError
from world2act_core.statistics import wilson_interval

EVERYTHING = 10_000  # negatives: all there are, so that chance has no say


def cosine_of(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def slow_info_nce(anchors, positives, pool, negatives, temperature):  # type: ignore[no-untyped-def]
    """``negatives[i]``: rows of the pool for anchor i. Mean over anchors."""
    total = 0.0
    for i in range(len(anchors)):
        wanted = math.exp(cosine_of(anchors[i], positives[i]) / temperature)
        others = 0.0
        for row in negatives[i]:
            others += math.exp(cosine_of(anchors[i], pool[row]) / temperature)
        total -= math.log(wanted / (wanted + others))
    return total / len(anchors)


def test_info_nce_is_the_double_loop() -> None:
    torch.manual_seed(0)
    anchors, positives, pool = torch.randn(5, 8), torch.randn(5, 8), torch.randn(9, 8)
    index = torch.stack([torch.randperm(9)[:4] for _ in range(5)])
    mask = torch.rand(5, 4) > 0.3
    mask[2] = False
    losses = info_nce(anchors, positives, pool, index, mask, 0.1)
    kept = [[int(row) for row, used in zip(index[i], mask[i]) if used] for i in range(5)]
    expected = slow_info_nce(anchors.numpy(), positives.numpy(), pool.numpy(), kept, 0.1)
    assert float(losses.mean()) == pytest.approx(expected, rel=1e-5)
    assert float(losses[2]) == 0.0


def test_info_nce_gradient_is_the_finite_difference() -> None:
    torch.manual_seed(1)
    inputs = [torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    index = torch.tensor([[1, 2], [0, 2], [0, 1]])
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    assert torch.autograd.gradcheck(lambda a, p, q: info_nce(a, p, q, index, mask, 0.2), inputs)


def test_kl_is_that_of_torch() -> None:
    torch.manual_seed(2)
    mean, log_variance = torch.randn(6, 32), torch.randn(6, 32)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(gaussian_kl(mean, log_variance), expected)


def test_negatives_are_other_demonstrations_and_hard_ones_as_many_as_asked_for() -> None:
    sources = torch.arange(12).repeat_interleave(5)
    tasks = sources % 3
    valid = torch.rand(60, generator=torch.Generator().manual_seed(0)) > 0.2
    for share, hard in ((0.25, 4), (0.75, 12), (0.0, 0), (1.0, 16)):
        index, mask = draw_negatives(sources, tasks, valid, 16, share, torch.Generator().manual_seed(1))
        # 16 of the 15 - 3 padded candidates of a task: with share 1 other tasks fill in.
        available = min(16, *(int((valid & (tasks == t) & (sources != s)).sum()) for s, t in zip(sources, tasks)))
        assert mask.all() and valid[index].all() and (sources[index] != sources[:, None]).all()
        assert all(len(set(row.tolist())) == 16 for row in index)
        assert ((tasks[index] == tasks[:, None]).sum(1) >= min(hard, available)).all()
        if hard <= available:
            assert ((tasks[index] == tasks[:, None]).sum(1) == hard).all()
            assert float(hard_fraction(index, mask, tasks, valid)) == pytest.approx(hard / 16)


def test_too_few_negatives_are_masked_not_invented() -> None:
    sources, tasks = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 0, 0, 1])
    valid = torch.tensor([True, True, True, False])
    index, mask = draw_negatives(sources, tasks, valid, 16, 0.25, torch.Generator().manual_seed(0))
    drawn = [set(index[i][mask[i]].tolist()) for i in range(4)]
    assert drawn == [{2}, {2}, {0, 1}, {0, 1, 2}]


def test_negatives_of_each_kind_come_up_equally_often() -> None:
    sources, tasks = torch.arange(40), torch.arange(40) % 2
    counts = torch.zeros(40)
    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        index, _ = draw_negatives(sources, tasks, torch.ones(40, dtype=torch.bool), 8, 0.25, generator)
        counts += torch.bincount(index[0], minlength=40)
    hard, easy = counts[2::2], counts[1::2]  # of anchor 0: even numbers share its task
    assert counts[0] == 0
    assert hard.sum() == 200 * 2 and easy.sum() == 200 * 6
    assert hard.min() > 5 and easy.min() > 35  # expected 21 and 60 each


def batch(seed: int = 0, windows: int = 6, chunks: int = 4, valid: int | None = None) -> tuple[Codes, Pairs]:
    """Random codes and pairs: window i is of demonstration i and task i // 2, with ``valid`` chunks of ``chunks``."""
    generator = torch.Generator().manual_seed(seed)
    count = chunks if valid is None else valid
    video = torch.randn(windows, chunks, 32, generator=generator)
    action = torch.randn(windows, chunks, 32, generator=generator)
    spread = torch.randn(windows, chunks, 32, generator=generator)
    decoded, actions = (torch.randn(windows, chunks, 4, 7, generator=generator) for _ in range(2))
    mask = (torch.arange(chunks) < count).expand(windows, chunks)
    sources = torch.arange(windows)
    pairs = Pairs(torch.zeros(windows, 16, 1 + chunks, 2, 2), actions, mask, mask, sources, sources // 2)
    return Codes(video, action, spread, decoded), pairs


def loss_of(codes: Codes, pairs: Pairs, **changes: object) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    objective = Objective(**{"negatives": EVERYTHING, **changes})  # type: ignore[arg-type]
    return alignment_loss(codes, pairs, objective, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("granularity", ["chunk", "global"])
def test_every_direction_and_granularity_is_the_double_loop(granularity: str) -> None:
    codes, pairs = batch()
    if granularity == "chunk":
        video, action = codes.video.flatten(0, 1).numpy(), codes.action.flatten(0, 1).numpy()
        source = pairs.sources.repeat_interleave(4)
    else:
        video, action, source = codes.video.mean(1).numpy(), codes.action.mean(1).numpy(), pairs.sources
    others = [[j for j in range(len(source)) if source[j] != source[i]] for i in range(len(source))]
    forth = slow_info_nce(video, action, action, others, 0.1)
    back = slow_info_nce(action, video, video, others, 0.1)
    expected = {"video-to-action": forth, "action-to-video": back, "both": (forth + back) / 2}
    for direction, value in expected.items():
        contrast = loss_of(codes, pairs, direction=direction, granularity=granularity)[1]["contrast"]
        assert float(contrast) == pytest.approx(value, rel=1e-4), direction


@pytest.mark.parametrize("granularity", ["chunk", "global"])
def test_padding_equals_truncation(granularity: str) -> None:
    codes, pairs = batch(chunks=6, valid=3)
    short_codes = Codes(*(part[:, :3] for part in (codes.video, codes.action, codes.log_variance, codes.decoded)))
    cut = {name: getattr(pairs, name)[:, :3] for name in ("actions", "paired", "present")}
    short_pairs = dataclasses.replace(pairs, latents=pairs.latents[:, :, :4], **cut)
    padded = loss_of(codes, pairs, granularity=granularity, kl=0.1)
    truncated = loss_of(short_codes, short_pairs, granularity=granularity, kl=0.1)
    torch.testing.assert_close(padded[0], truncated[0])
    for name in ("contrast", "reconstruction", "negative_reconstruction", "kl", "cosine", "hard_share"):
        torch.testing.assert_close(padded[1][name], truncated[1][name], msg=name)
    assert float(padded[1]["valid_share"]) == 0.5


def test_no_gradient_reaches_padding() -> None:
    codes, pairs = batch(chunks=5, valid=2)
    for part in (codes.video, codes.action, codes.log_variance, codes.decoded):
        assert part is not None
        part.requires_grad_()
    loss_of(codes, pairs, kl=0.1)[0].backward()  # type: ignore[no-untyped-call]
    for part in (codes.video, codes.action, codes.log_variance, codes.decoded):
        assert part is not None and part.grad is not None
        assert part.grad[:, :2].abs().min() > 0 and not part.grad[:, 2:].any()


def test_chunks_without_a_latent_are_reconstructed_and_nothing_else() -> None:
    codes, pairs = batch(chunks=6)
    codes = dataclasses.replace(codes, video=codes.video[:, :4])
    pairs = dataclasses.replace(pairs, paired=pairs.paired[:, :4])
    more = loss_of(codes, pairs)[1]
    fewer_codes = Codes(codes.video, *(part[:, :4] for part in (codes.action, codes.log_variance, codes.decoded)))
    fewer = loss_of(
        fewer_codes, dataclasses.replace(pairs, actions=pairs.actions[:, :4], present=pairs.present[:, :4])
    )[1]
    assert float(more["contrast"]) == float(fewer["contrast"])
    expected = (codes.decoded - pairs.actions).square().mean()
    torch.testing.assert_close(more["reconstruction"], expected)
    assert float(more["reconstruction"]) != float(fewer["reconstruction"])


def test_the_loss_is_the_weighted_sum_of_its_parts() -> None:
    codes, pairs = batch()
    loss, parts = loss_of(codes, pairs, contrastive=0.1, reconstruction=2.0, kl=1e-4)
    expected = 0.1 * parts["contrast"] + 2.0 * (parts["reconstruction"] + parts["negative_reconstruction"])
    torch.testing.assert_close(loss, expected + 1e-4 * parts["kl"])
    assert masked_mean(torch.tensor([math.nan]), torch.tensor([False])) == 0.0


def test_presets_are_the_documented_ones() -> None:
    paper, released = PRESETS["paper"], PRESETS["released-code"]
    assert (paper.direction, paper.temperature, paper.hard_share, paper.kl, paper.contrastive) == (
        "both", 0.1, 0.25, 0.0, 1.0,
    )  # fmt: skip
    assert (released.direction, released.temperature, released.hard_share, released.kl, released.contrastive) == (
        "video-to-action", 0.07, 0.75, 1e-4, 0.1,
    )  # fmt: skip
    assert paper.negatives == released.negatives == 16
    changed = objective_of(AlignConfig(preset="released-code", objective=ObjectiveChanges(temperature=0.2)))
    assert changed == dataclasses.replace(released, temperature=0.2)
    with pytest.raises(TrainingError, match="hard-share.*1.5"):
        objective_of(AlignConfig(objective=ObjectiveChanges(hard_share=1.5)))


def test_retrieval_is_counted_as_by_hand() -> None:
    torch.manual_seed(3)
    video, action = torch.randn(4, 5, 8), torch.randn(4, 5, 8)
    action = action + 0.7 * video
    mask = torch.arange(5) < torch.tensor([5, 3, 0, 4])[:, None]
    places = [(i, j) for i in range(4) for j in range(5) if mask[i, j]]
    ranks, inside = [], []
    for i, j in places:
        own = cosine_of(video[i, j], action[i, j])
        better = [place for place in places if place != (i, j) and cosine_of(video[i, j], action[place]) >= own]
        ranks.append(len(better))
        inside.append(sum(place[0] == i for place in better))
    result = retrieval(video, action, mask)
    assert (result.top1.n, result.top1.chance, result.top5.chance) == (12, 1 / 12, 5 / 12)
    assert result.top1.hits == sum(rank < 1 for rank in ranks) > 0
    assert result.top5.hits == sum(rank < 5 for rank in ranks)
    assert result.within_top1.hits == sum(rank < 1 for rank in inside)
    assert result.within_top1.chance == pytest.approx(3 / 12)
    assert result.top1.interval == wilson_interval(result.top1.hits, 12)
    hits = [sum(rank < 1 for rank, place in zip(ranks, places) if place[0] == window) for window in (0, 1, 3)]
    assert result.by_window == tuple(zip(hits, (5, 3, 4)))  # the window without queries is not there


def test_collapsed_codes_retrieve_nothing() -> None:
    same = torch.ones(3, 4, 8)
    result = retrieval(same, same, torch.ones(3, 4, dtype=torch.bool))
    assert result.top1.hits == result.top5.hits == result.within_top1.hits == 0


def test_the_shift_profile_finds_the_shift() -> None:
    torch.manual_seed(4)
    codes = torch.randn(3, 12, 16)
    mask = torch.arange(8) < torch.tensor([8, 6, 1])[:, None]
    for shift in (-1, 0, 1, 2):
        profile = shift_profile(codes[:, 2 + shift : 10 + shift], codes[:, 2:10], mask)
        assert profile.best == shift and profile.cosines[shift] == pytest.approx(1.0, abs=1e-6)
        assert profile.n == 4 + 2


def test_a_shift_that_no_window_is_long_enough_for_is_not_reported() -> None:
    """Two chunks per window, as the tiny preset has: a best shift of -2 would read as data out of time."""
    codes = torch.randn(3, 2, 16)
    profile = shift_profile(codes, codes, torch.ones(3, 2, dtype=torch.bool))
    assert profile.best is None and profile.to_json() == {"best_shift": None, "cosines": {}, "n": 0}


def test_latent_zero_is_not_paired_and_frames_do_not_mix() -> None:
    torch.manual_seed(5)
    adapter = VideoAdapter()
    latents = torch.randn(2, 16, 5, 8, 16)
    codes = adapter(latents)
    assert codes.shape == (2, 4, 32)
    other = latents.clone()
    other[:, :, 0] = 0.0
    other[:, :, 3] += 1.0  # latent 3 belongs to chunk 2
    changed = (adapter(other) - codes).abs().amax(-1) > 1e-6
    assert changed.tolist() == [[False, False, True, False]] * 2


def test_action_adapter_shapes_and_order_within_a_chunk() -> None:
    torch.manual_seed(6)
    adapter = ActionAdapter(variational=True)
    actions = torch.randn(2, 3, 4, 7)
    mean, spread = adapter.distribution(actions)
    assert mean.shape == (2, 3, 32) and spread is not None and spread.shape == (2, 3, 32)
    torch.testing.assert_close(adapter.encode(actions), mean)
    assert adapter.decode(mean).shape == (2, 3, 4, 7)
    assert not torch.allclose(adapter.encode(actions.flip(2)), mean, atol=1e-3)
    torch.testing.assert_close(adapter.encode(actions[:, 1]), mean[:, 1])
