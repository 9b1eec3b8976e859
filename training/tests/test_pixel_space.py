"""The pixel-space baseline: inverse dynamics on packed frames, pseudo-actions, cloning."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training.common.checkpoint import checkpoints, read_info
from training.common.errors import CheckpointError, DatasetError, TrainingError
from training.data.cache import CacheConfig, FrameCache, build_cache
from training.post_training.imagined import ImaginedLatents
from training.post_training.inverse_dynamics import FramePairs, InverseDynamics, pair_loss
from training.post_training.merge import save_vla
from training.post_training.pixel_space import PixelConfig, run_pixels, train_inverse_dynamics
from training.post_training.pseudo import frames_to_label, label_window
from training.post_training.supervised import SupervisedConfig, train_supervised
from training.tests.synthetic import synthetic_dataset
from training.tests.synthetic_post_training import (
    CHUNKS,
    CONTRACT,
    TinyImagination,
    imagined_run,
    tiny_vla,
    tiny_vla_run,
)
from training.tests.synthetic_run import TEXT_ENCODER, tiny_cache
from training.vla.train import load_trained


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cache(tmp_path_factory.mktemp("dataset"))


def settings(root: Path, cache: Path, **changes: object) -> PixelConfig:
    length = SupervisedConfig(steps=4, batch=4, warmup_steps=1, save_every=2)
    values: dict[str, object] = {
        "base": root / "vla", "cache": cache, "imagined": root / "imagined", "out": root / "out", "trajectories": 2,
        "text_encoder": TEXT_ENCODER, "threads": 1, "dynamics": length, "cloning": length, **changes,
    }  # fmt: skip
    return PixelConfig(**values)  # type: ignore[arg-type]


def test_pairs_are_frames_of_one_episode_with_what_was_executed_between(cache: Path) -> None:
    frames = FrameCache(cache)
    pairs = FramePairs(frames, TinyImagination().pack, 4, batch=16, seed=0)
    assert len(pairs.first) == sum(24 + seed - 4 for seed in range(6))  # the synthetic episodes' lengths
    first, second, actions, state = pairs.batch(3)
    assert first.shape == second.shape == (16, 16, 32, 3) and actions.shape == (16, 4, 7)
    again = pairs.batch(3)
    assert all(torch.equal(a, b) for a, b in zip((first, second, actions, state), again))
    # In the synthetic episodes the state's first two entries are the sum of the actions' first two.
    index = int(np.flatnonzero((pairs.state == state[0].numpy()).all(axis=1))[0])
    moved = pairs.state[index + 4, :2] - pairs.state[index, :2]
    np.testing.assert_allclose(actions[0, :, :2].sum(dim=0) * 0.05, moved, atol=1e-5)
    with pytest.raises(DatasetError, match="no episode longer than 40 frames"):
        FramePairs(frames, TinyImagination().pack, 40, batch=1, seed=0)


def test_inverse_dynamics_learns(cache: Path, tmp_path: Path) -> None:
    length = SupervisedConfig(steps=30, batch=16, learning_rate=2e-3, warmup_steps=2)
    config = settings(tmp_path, cache, dynamics=length)
    model = train_inverse_dynamics(config, FrameCache(cache), TinyImagination())
    pairs = FramePairs(FrameCache(cache), TinyImagination().pack, 4, batch=64, seed=9)
    untrained = InverseDynamics(CONTRACT, 4)
    untrained.normalisation = model.normalisation
    assert pair_loss(model, pairs.batch(0))[0] < 0.6 * pair_loss(untrained, pairs.batch(0))[0]
    actions, states = model.label(*pairs.batch(0)[:2])
    low, high = torch.from_numpy(CONTRACT.action_low), torch.from_numpy(CONTRACT.action_high)
    assert ((actions >= low) & (actions <= high)).all()
    assert (states - pairs.batch(0)[3]).abs().mean() < 0.2  # metres and shares: the state comes in robot units


class _Reader:
    """Says which frames it was shown: action m of the pair (i, k) is [i, k, m]."""

    steps = 4

    def label(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ends = [frames[:, 0, 0, :1].float().expand(-1, 4) for frames in (first, second)]
        return torch.stack([*ends, torch.arange(4.0).expand(len(first), -1)], dim=-1), ends[0][:, :1]


def test_long_chunks_are_put_together_from_pairs() -> None:
    assert frames_to_label(13, 8, 2) == [0, 2, 4] and frames_to_label(9, 8, 1) == [0] and not frames_to_label(8, 8, 1)
    video = np.arange(13, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    actions, states = label_window(_Reader(), video, [0, 3], 8)  # type: ignore[arg-type]
    assert actions.shape == (2, 8, 3) and states[:, 0].tolist() == [0.0, 3.0]
    assert actions[1, :4].tolist() == [[3.0, 7.0, m] for m in range(4)]
    assert actions[1, 4:].tolist() == [[7.0, 11.0, m] for m in range(4)]
    short, _ = label_window(_Reader(), video, [6], 6)  # type: ignore[arg-type]
    assert short.shape == (1, 6, 3) and short[0, 5].tolist() == [10.0, 12.0, 1.0]


def test_from_video_to_a_fine_tuned_policy(cache: Path, tmp_path: Path) -> None:
    tiny_vla_run(tmp_path / "vla")
    store = imagined_run(tmp_path / "imagined")
    config = settings(tmp_path, cache, stride=2)
    folder = run_pixels(config, TinyImagination())
    model, info = load_trained(folder)
    assert info["history"][-1] == "post-train-pixels" and info["step"] == 4
    changed = [not torch.equal(a, b) for a, b in zip(model.state_dict().values(), tiny_vla().state_dict().values())]
    assert sum(changed) > 0.5 * len(changed)
    windows = sum(len(state.prompts) for state in store.states[:2])
    frames = np.load(config.out / "pseudo" / "frames.npy", mmap_mode="r")
    assert frames.shape == (windows * len(frames_to_label(1 + 4 * CHUNKS, 8, 2)), 16, 32, 3)
    again, _ = load_trained(run_pixels(config, TinyImagination()))  # nothing left to do
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), model.state_dict().values()))
    with pytest.raises(CheckpointError, match="was made otherwise"):
        run_pixels(dataclasses.replace(config, stride=1), TinyImagination())
    other = imagined_run(tmp_path / "other", seed=1).root
    with pytest.raises(CheckpointError, match=r"was made otherwise.*'imagined.seed': \(0, 1\)"):
        run_pixels(dataclasses.replace(config, imagined=other), TinyImagination())


def test_a_run_of_another_base_or_dataset_is_not_taken_for_this_one(cache: Path, tmp_path: Path) -> None:
    tiny_vla_run(tmp_path / "vla")
    imagined_run(tmp_path / "imagined")
    config = settings(tmp_path, cache)
    run_pixels(config, TinyImagination())
    other, _ = load_trained(tiny_vla_run(tmp_path / "other"))
    with torch.no_grad():
        next(other.parameters()).add_(0.1)
    save_vla(tmp_path / "other", dict(other.state_dict()), tmp_path / "other", 2, "made up")
    with pytest.raises(CheckpointError, match=r"cloning.*was trained otherwise.*'base_policy'"):
        run_pixels(dataclasses.replace(config, base=tmp_path / "other"), TinyImagination())
    fewer = synthetic_dataset(tmp_path / "fewer", episodes=3)
    CONTRACT.to_yaml(fewer / "meta" / "contract.yaml")
    fewer = build_cache(CacheConfig(dataset=fewer, image_size=32, workers=1))
    with pytest.raises(CheckpointError, match=r"inverse-dynamics.*was trained otherwise.*'dataset'"):
        run_pixels(dataclasses.replace(config, cache=fewer), TinyImagination())
    # Runs from before this was kept go on.
    for folder in (config.out / "cloning", config.out / "inverse-dynamics"):
        path = checkpoints(folder)[-1] / "checkpoint.json"
        info = {name: value for name, value in read_info(path.parent).items() if name not in ("dataset", "base_policy")}
        path.write_text(json.dumps(info))
    run_pixels(config, TinyImagination())


def test_bad_settings_and_no_trajectories(cache: Path, tmp_path: Path) -> None:
    tiny_vla_run(tmp_path / "vla")
    imagined_run(tmp_path / "imagined")
    with pytest.raises(TrainingError, match=r"imagined by world model aaaa.*bbbb"):
        run_pixels(settings(tmp_path, cache), TinyImagination("b"))
    with pytest.raises(TrainingError, match="real-share"):
        run_pixels(settings(tmp_path, cache, real_share=1.0), TinyImagination())
    with pytest.raises(TrainingError, match="holds 8; imagine more"):
        run_pixels(settings(tmp_path, cache, trajectories=9), TinyImagination())
    model, _ = load_trained(run_pixels(settings(tmp_path, cache, trajectories=0), TinyImagination()))
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), tiny_vla().state_dict().values()))
    assert len(ImaginedLatents(tmp_path / "imagined")) == 8


def test_a_supervised_run_that_stops_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    config = SupervisedConfig(steps=6, warmup_steps=1, save_every=2)

    def train(out: Path, stop_at: int | None = None) -> torch.nn.Linear:
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)

        def loss(step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            if step == stop_at:
                raise KeyboardInterrupt
            x = torch.randn((5, 3), generator=torch.Generator().manual_seed(step))
            return (model(x) - x[:, :2]).square().mean(), {}

        train_supervised("test", model, loss, config, out, {"seed": 0})
        return model

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", stop_at=5)
    assert checkpoints(tmp_path / "stopped")[-1].name == "step-00000004"
    torch.testing.assert_close(train(tmp_path / "stopped").weight, whole.weight, rtol=0, atol=0)
    with pytest.raises(CheckpointError, match="trained otherwise"):
        train_supervised("test", whole, lambda step: (whole.weight.sum(), {}), config, tmp_path / "whole", {"seed": 1})
