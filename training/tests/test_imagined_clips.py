"""A dataset's windows as a world model imagines them: the right windows, continued, never mixed, fit for alignment."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from training.alignment.adapters import VideoAdapter
from training.alignment.cached import CachedClips
from training.common.errors import DatasetError
from training.tests.synthetic_world_model import prepare, world_model_config
from training.world_model.imagine_latents import ImagineLatentsConfig, imagine_latents
from training.world_model.latents import LatentCache
from training.world_model.model import load_world_model
from training.world_model.train import train_world_model


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = prepare(tmp_path_factory.mktemp("imagined-clips"))
    train_world_model(world_model_config(root, root / "model", 2))
    return root


def _config(root: Path, out: Path) -> ImagineLatentsConfig:
    return ImagineLatentsConfig(
        latents=root / "latents", world_model=root / "model", out=out, steps=3, batch=2, threads=1
    )


def test_windows_that_begin_a_clip_are_imagined_from_their_recorded_first_latent(root: Path, tmp_path: Path) -> None:
    out = imagine_latents(_config(root, tmp_path / "out"))
    recorded, imagined = LatentCache(root / "latents"), CachedClips(out, root / "data")
    wanted = [i for i, window in enumerate(recorded.windows) if window.start == 0]
    assert 0 < len(imagined) == len(wanted) < len(recorded)
    model = load_world_model(root / "model")
    assert imagined.holdout_every == recorded.holdout_every == model.holdout_every == 2
    assert imagined.origin != recorded.origin
    for number, source in enumerate(wanted):
        clip = recorded.clip(source)
        assert imagined.info(number).episode == clip.episode_index and imagined.info(number).source == clip.seed
        torch.testing.assert_close(imagined.latents(number)[:, :1], clip.latents[:, :1], rtol=0, atol=2e-3)
    first = torch.stack([recorded.clip(i).latents[:, :1] for i in wanted[:2]])
    prompts = [recorded.windows[i].prompt for i in wanted[:2]]
    made = model.generate(first, prompts, 3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(imagined.latents(1), made[1], rtol=0, atol=1e-2)


def test_it_continues_where_it_stopped_and_refuses_what_was_imagined_otherwise(root: Path, tmp_path: Path) -> None:
    config = _config(root, tmp_path / "out")
    imagine_latents(config)
    shards = sorted(config.out.glob("shard-*"))
    whole = [shard.read_bytes() for shard in shards]
    shards[-1].unlink()
    imagine_latents(config)
    assert [shard.read_bytes() for shard in shards] == whole
    with pytest.raises(DatasetError, match=r"holds other latents.*imagined_steps': \('3', '4'\)"):
        imagine_latents(dataclasses.replace(config, steps=4))


def test_an_adapter_that_sees_changes_tells_a_shift_of_everything_from_standing_still() -> None:
    torch.manual_seed(0)
    still = torch.randn(1, 16, 1, 8, 16).expand(-1, -1, 4, -1, -1)
    other = still.clone()
    other[:, :, 0] += 1.0  # the same pictures but for the first, which has no code of its own
    plain, changes = VideoAdapter(), VideoAdapter(changes=True)
    assert torch.equal(plain(still), plain(other))
    before, after = changes(still), changes(other)
    assert before.shape == (1, 3, 32) and not torch.allclose(before[:, 0], after[:, 0])
    torch.testing.assert_close(before[:, 1:], after[:, 1:])
