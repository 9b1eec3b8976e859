"""VAE, latents and world model trained by their steps: continued runs, frozen parts, mismatches, compositions."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training.common.checkpoint import latest_checkpoint, read_info, read_tensors
from training.common.errors import CheckpointError, DatasetError, EvaluationError, TrainingError
from training.common.workers import Workers
from training.tests.synthetic import synthetic_dataset
from training.tests.synthetic_world_model import latents_config, prepare, vae_config, world_model_config
from training.world_model import trainer as trainer_module
from training.world_model.composition import generate_composition, generate_timed, joined_frames
from training.world_model.config import NoiseConfig
from training.world_model.diffusion import from_network, to_network
from training.world_model.evaluate import EvaluateConfig, evaluate, segments
from training.world_model.generate import GenerateConfig, generate
from training.world_model.latents import ClipLatents, LatentCache, build_latents
from training.world_model.model import WorldModel, load_world_model
from training.world_model.train import latent_spread, train_world_model
from training.world_model.train_vae import train_vae
from training.world_model.vae import load_vae
from training.world_model.windows import ClipReader

GROUPS = ("model", "average", "optimiser")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("world-model"))


@pytest.fixture(scope="module")
def model_folder(root: Path) -> Path:
    """A run of three steps; its weights are far from zero, so that prompts and noise matter."""
    train_world_model(world_model_config(root, root / "run", 3, learning_rate=0.05, ema=0.0))
    return root / "run"


@pytest.fixture(scope="module")
def model(model_folder: Path) -> WorldModel:
    return load_world_model(model_folder)


def test_vae_run_cut_in_two_equals_one(root: Path, tmp_path: Path) -> None:
    config = vae_config(root / "data", tmp_path / "whole", 4)
    halves = dataclasses.replace(config, out=tmp_path / "halves")
    _stop_after(2, lambda: train_vae(halves))
    _assert_same(train_vae(config), train_vae(halves), (*GROUPS, "vae"))


def test_world_model_run_cut_in_two_equals_one(root: Path, tmp_path: Path) -> None:
    config = world_model_config(root, tmp_path / "whole", 4)
    halves = dataclasses.replace(config, out=tmp_path / "halves")
    _stop_after(2, lambda: train_world_model(halves))
    assert read_info(latest_checkpoint(halves.out))["step"] == 2
    _assert_same(train_world_model(config), train_world_model(halves), GROUPS)


def test_the_world_model_learns_and_the_vae_stays(root: Path, tmp_path: Path) -> None:
    before = load_vae(root / "vae").hash
    config = world_model_config(root, tmp_path, 300, learning_rate=3e-3, bf16=True)
    losses = _noted("loss", lambda: train_world_model(config))
    folder = latest_checkpoint(tmp_path)
    assert np.mean(losses[-100:]) < 0.9 * np.mean(losses[:30])
    assert load_vae(root / "vae").hash == before == load_vae(folder).hash == read_info(folder)["vae"]["hash"]


@pytest.mark.long
def test_the_vae_learns(root: Path, tmp_path: Path) -> None:
    config = vae_config(root / "data", tmp_path, 40, learning_rate=5e-3, bf16=True, ema=0.9)
    decibels = _noted("psnr", lambda: train_vae(config))
    assert np.mean(decibels[-5:]) > np.mean(decibels[:5]) + 3.0
    assert read_info(latest_checkpoint(tmp_path))["held_out_psnr"] > np.mean(decibels[:5]) + 2.0


def test_latents_are_those_of_the_vae_and_of_the_right_frames(root: Path, model: WorldModel) -> None:
    cache, reader = LatentCache(root / "latents"), ClipReader(root / "data", model.info.layout)
    lengths = [int(row["length"]) for row in reader.rows]
    assert len(cache) == sum(len(range(0, length - 5 + 1, 4)) for length in lengths)
    for i in (0, len(cache) - 1):
        clip = cache.clip(i)
        frames, valid = reader.frames(clip.episode_index, clip.start, 9)
        expected = model.encode(torch.from_numpy(frames)[None])[0]
        torch.testing.assert_close(clip.latents, expected, rtol=0, atol=4e-3)
        assert clip.latents.shape == (16, 3, 4, 8) and clip.frames_valid.tolist() == valid.tolist()
        assert clip.prompt == reader.rows[clip.episode_index]["tasks"][0]
    spread = torch.stack([cache.clip(i).latents for i in range(len(cache))])
    assert spread.mean().abs() < 0.5 and 0.3 < spread.std() < 2.0


def test_what_the_network_sees_has_unit_spread_in_every_cell() -> None:
    """Differences to the first latent, divided by the measured spread; the second clip's last latent is padding."""
    latents = 3.0 * torch.randn(2, 16, 3, 4, 8, generator=torch.Generator().manual_seed(0))
    latents[..., 4:] *= 0.5  # one camera sees less happen than the other
    latents[..., 0, 0] *= 1e-3  # and nothing here
    latents[1, :, 2] = 1000.0
    clips = [ClipLatents(part, torch.arange(9) < valid, "", 0, 0, 0) for part, valid in zip(latents, (9, 7))]
    seen = to_network(latents, latent_spread(clips))
    whole = torch.stack([seen[0, :, 1], seen[0, :, 2], seen[1, :, 1]]).square().mean(dim=(0, 1))
    still, whole[0, 0] = float(whole[0, 0]), 1.0
    torch.testing.assert_close(whole, torch.ones_like(whole), rtol=1e-3, atol=0)
    assert still < 1e-4
    torch.testing.assert_close(from_network(seen, latent_spread(clips)), latents, rtol=1e-4, atol=1e-4)


def test_caching_continues_where_it_stopped(root: Path, tmp_path: Path) -> None:
    config = latents_config(root, out=tmp_path)
    build_latents(config)
    shards = sorted(tmp_path.glob("shard-*"))
    whole = [shard.read_bytes() for shard in shards]
    shards[1].unlink()
    untouched = shards[0].stat().st_mtime_ns
    with pytest.raises(DatasetError, match=r"lacks 1 shards .*shard-00001"):
        LatentCache(tmp_path)
    build_latents(config)
    assert [shard.read_bytes() for shard in shards] == whole and shards[0].stat().st_mtime_ns == untouched
    with pytest.raises(DatasetError, match=r"stride.*\(4, 2\)|stride.*'4', '2'"):
        build_latents(dataclasses.replace(config, stride=2))


def test_latents_of_another_vae_are_refused(root: Path, tmp_path: Path) -> None:
    other = vae_config(root / "data", tmp_path / "vae", 1, seed=5)
    train_vae(other)
    mine, theirs = load_vae(root / "vae").hash[:12], load_vae(other.out).hash[:12]
    with pytest.raises(DatasetError, match=rf"another VAE \({mine}\).*{theirs}"):
        train_world_model(world_model_config(root, tmp_path / "run", 1, vae=other.out))


def test_a_run_with_other_settings_is_not_continued(root: Path, model_folder: Path, tmp_path: Path) -> None:
    synthetic_dataset(tmp_path / "data", episodes=3, length=14)
    build_latents(latents_config(root, dataset=tmp_path / "data", out=tmp_path / "latents"))
    with pytest.raises(CheckpointError, match=r"another run.*dataset"):
        train_world_model(world_model_config(root, model_folder, 9, latents=tmp_path / "latents"))
    noise = NoiseConfig(log_std=1.0)
    for name, value, said in (
        ("batch", 2, r"'batch': \(4, 2\)"),
        ("seed", 1, r"'seed': \(0, 1\)"),
        ("noise", noise, r"'noise.log_std': \(1.4, 1.0\)"),
        ("holdout_every", 0, r"'holdout_every': \(2, 0\)"),
    ):
        with pytest.raises(CheckpointError, match=rf"another run.*{said}"):
            train_world_model(world_model_config(root, model_folder, 9, **{name: value}))
    with pytest.raises(TrainingError, match=r"--holdout-every 3, but the VAE in .*vae was .* 2:.*-every 2, or"):
        train_world_model(world_model_config(root, tmp_path / "new", 1, holdout_every=3))


def test_clips_are_counted_as_they_are_used(root: Path, tmp_path: Path) -> None:
    folder = train_world_model(world_model_config(root, tmp_path, 2))
    assert read_info(folder)["clips_seen"] == 8
    # As it was written before a run's batch had to stay: eight clips of which not all came in batches of four.
    info = read_info(folder)
    info["clips_seen"] = 5
    del info["identity"]["latents"]
    (folder / "checkpoint.json").write_text(json.dumps(info))
    assert read_info(train_world_model(world_model_config(root, tmp_path, 3)))["clips_seen"] == 9


def test_a_fitted_vae_does_not_take_the_place_of_another(root: Path, tmp_path: Path) -> None:
    """Latents and world models know their VAE by its hash: one that is replaced leaves them all without theirs."""
    config = dataclasses.replace(vae_config(root / "data", tmp_path / "linear", 1), kind="linear")
    assert train_vae(config) == train_vae(config)
    fitted = load_vae(config.out).hash
    synthetic_dataset(tmp_path / "data", episodes=3, length=14)
    for changed, said in (
        ({"dataset": tmp_path / "data"}, "'dataset'"),
        ({"fit_clips": 5}, r"'fit_clips': \(192, 5\)"),
        ({"cell_height": 64}, r"'layout.cell_height': \(32, 64\)"),
    ):
        with pytest.raises(CheckpointError, match=f"another run.*{said}"):
            train_vae(dataclasses.replace(config, **changed))  # type: ignore[arg-type]
    # As linear VAEs were written before it was kept what they were fitted to.
    path = latest_checkpoint(config.out) / "checkpoint.json"
    info = json.loads(path.read_text())
    del info["identity"]
    path.write_text(json.dumps(info))
    with pytest.raises(CheckpointError, match=r"'fit_clips': \(192, 5\)"):
        train_vae(dataclasses.replace(config, fit_clips=5))
    train_vae(config)
    assert load_vae(config.out).hash == fitted
    trained = vae_config(root / "data", tmp_path / "trained", 2)
    train_vae(trained)
    with pytest.raises(CheckpointError, match=r"step-00000002 is of another run.*encoder_channels"):
        train_vae(dataclasses.replace(trained, kind="linear"))


def test_windows_and_batches_that_cannot_be_are_refused(root: Path, tmp_path: Path) -> None:
    for changed, said in (
        ({"frames": 10}, r"--frames must be 1 \+ 4 n .* got 10"),
        ({"minimum": 4}, "--minimum must be at least 5"),
        ({"stride": 0, "shard": 0}, "--stride 0, --shard 0: must be at least 1"),
        ({"cell_height": 20}, "picture of 64x20; both must be multiples of 16"),
    ):
        with pytest.raises(TrainingError, match=said):
            build_latents(latents_config(root, out=tmp_path / "latents", **changed))  # type: ignore[arg-type]
    assert not (tmp_path / "latents").exists()
    with pytest.raises(TrainingError, match="a batch of 0 clips cannot be split"):
        train_world_model(world_model_config(root, tmp_path / "run", 1, batch=0))
    with pytest.raises(TrainingError, match="a batch of 5 clips cannot be split over 2 processes; change --batch"):
        Workers(0, 2, torch.device("cpu")).share(5)


def test_presets_that_need_a_folder_say_so(root: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--cosmos"):
        train_world_model(world_model_config(root, tmp_path, 1, preset="cosmos-predict2-2b"))
    with pytest.raises(TrainingError, match="Cosmos-Predict2 folder"):
        train_vae(vae_config(root / "data", tmp_path, 1, preset="cosmos-predict2-2b"))
    with pytest.raises(CheckpointError, match="neither a checkpoint"):
        load_world_model(tmp_path)


def test_generation_is_decided_by_the_generator(root: Path, model: WorldModel) -> None:
    first = _first(root, model)
    made = [_generate(model, first, "grab the red cube", seed) for seed in (1, 1, 2)]
    assert made[0].shape == (1, 16, 3, 4, 8)
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
    assert torch.equal(made[0][:, :, :1], model.encode(first[:, None]))
    assert not torch.equal(made[0], _generate(model, first, "grab the blue cube", 1)), "the prompt must matter"
    assert torch.equal(made[0], _generate(model, model.encode(first[:, None]), "grab the red cube", 1))


def test_a_composition_is_a_chain_of_any_length(root: Path, model: WorldModel) -> None:
    first = _first(root, model)
    prompts = ["grab the red cube", "grab the blue cube", "grab the green cube"]
    parts = generate_composition(
        model, first[0], prompts, generator=torch.Generator().manual_seed(0), steps=2, chunks=[2, 1, 5]
    )
    assert [part.shape[2] for part in parts] == [3, 2, 6]
    for before, after in zip(parts, parts[1:]):
        last = model.decode(before)[:, -1]
        assert torch.equal(after[:, :, :1], model.encode(last[:, None]))
    video = joined_frames(model, parts)
    assert video.shape == (1, 1 + 4 * (2 + 1 + 5), 32, 64, 3)
    assert torch.equal(video[:, 8], model.decode(parts[0])[:, -1])
    passed_on = generate_composition(model, first, prompts[:2], steps=2, handover="latent")
    assert torch.equal(passed_on[1][:, :, 0], passed_on[0][:, :, -1])


def test_timed_generation_keeps_each_prompts_share(root: Path, model: WorldModel) -> None:
    video = generate_timed(model, _first(root, model)[0], [("a", 3), ("b", 11)], torch.Generator().manual_seed(0), 2)
    assert video.shape == (1 + 3 + 11, 32, 64, 3)


def test_generate_writes_video_and_latents(root: Path, model_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from training.data.video import decode_frames

    config = GenerateConfig(
        model=model_folder, prompts=("grab the red cube", "grab the blue cube"), out=tmp_path, dataset=root / "data",
        steps=2, threads=1,
    )  # fmt: skip
    generate(config)
    latents = load_file(tmp_path / "latents.safetensors")
    assert {name: tuple(part.shape) for name, part in latents.items()} == dict.fromkeys(
        ("part-00", "part-01"), (1, 16, 3, 4, 8)
    )
    assert (
        len(list(decode_frames(tmp_path / "video.mp4"))) == json.loads((tmp_path / "video.json").read_text())["frames"]
    )
    with pytest.raises(DatasetError, match="no number 7"):
        generate(dataclasses.replace(config, episode=7))
    with pytest.raises(DatasetError, match=r"episode 1 of .*data has 15 frames, there is no number 15"):
        generate(dataclasses.replace(config, episode=1, frame=15))
    for chunks in ((1,), (0, 1), (2, -1)):
        with pytest.raises(
            TrainingError, match=r"--chunks .*: give one number of at least 1 for each of the 2 prompts"
        ):
            generate(dataclasses.replace(config, chunks=chunks))
    with pytest.raises(TrainingError, match="at least two denoising steps .* got 1"):
        generate(dataclasses.replace(config, steps=1))


def test_segments_cover_the_episode() -> None:
    row = {"tasks": ["both"], "skills": ["first", "second"], "skill_from": [0, 5], "skill_to": [5, 9]}
    assert segments(row, 12) == [("first", 5), ("second", 7)]
    assert segments(row, 4) == [("first", 4)]
    assert segments({"tasks": ["all of it"]}, 6) == [("all of it", 6)]


def test_evaluation_pairs_the_models_and_knows_its_references(root: Path, model_folder: Path, tmp_path: Path) -> None:
    config = EvaluateConfig(
        base=model_folder, skill=model_folder, dataset=root / "data", out=tmp_path, horizons=(4, 8, 400), steps=2,
        holdout_every=2, strips=1, frechet_draws=5, threads=1,
    )  # fmt: skip
    report = evaluate(config)
    assert report["seeds"] == [1, 3] and report["budget_clips"] == {"base": 12, "skill": 12, "equal": True}
    assert [entry["to"] for entry in report["horizons"]] == [4, 8, 400]
    for entry in report["horizons"]:
        assert entry["n"] == 2
        low, high = entry["psnr_skill_minus_base"]["interval"]
        assert low <= entry["psnr_skill_minus_base"]["estimate"] <= high
        assert entry["frechet"]["base"] >= 0
    assert {path.name for path in tmp_path.glob("*.png")} == {"evaluation.png", "strip-1.png"}
    assert json.loads((tmp_path / "evaluation.json").read_text())["feature_space"].startswith("vae-")
    with pytest.raises(TrainingError, match=r"--holdout-every 50, but the world model in .*run was .* 2:.*give"):
        evaluate(dataclasses.replace(config, holdout_every=50))
    few = synthetic_dataset(tmp_path / "few", episodes=1, length=14)
    with pytest.raises(EvaluationError, match="no episode is held out"):
        evaluate(dataclasses.replace(config, dataset=few))


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "training"]


@pytest.mark.long
@pytest.mark.parametrize("parallel", ["ddp", "fsdp2"])
def test_two_processes_train_as_one(root: Path, tmp_path: Path, parallel: str) -> None:
    alone = train_world_model(world_model_config(root, tmp_path / "alone", 2))
    arguments = ["--latents", root / "latents", "--vae", root / "vae", "--out", tmp_path / "two", "--preset", "tiny"]
    arguments += ["--steps", 2, "--batch", 4, "--holdout-every", 2, "--no-bf16", "--threads", 1, "--warmup-steps", 2]
    command = [*TORCHRUN, "world-model", *map(str, arguments), "--parallel", parallel]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    together = latest_checkpoint(tmp_path / "two")
    for group in ("model", "average"):
        first, second = read_tensors(alone, group), read_tensors(together, group)
        assert first.keys() == second.keys()
        for name in first:
            torch.testing.assert_close(second[name], first[name], rtol=1e-3, atol=2e-5, msg=f"{group} {name}")
    # A run of two processes goes on in one: the checkpoint does not know how many wrote it.
    assert train_world_model(world_model_config(root, tmp_path / "two", 3)).name == "step-00000003"


def _first(root: Path, model: WorldModel) -> torch.Tensor:
    frames, _ = ClipReader(root / "data", model.info.layout).frames(0, 0, 1)
    return torch.from_numpy(frames)


def _generate(model: WorldModel, first: torch.Tensor, prompt: str, seed: int) -> torch.Tensor:
    return model.generate(first, [prompt], 3, torch.Generator().manual_seed(seed))


def _stop_after(steps: int, run: Callable[[], Path]) -> None:
    """Run and stop after ``steps`` steps, with the checkpoint that an interruption leaves."""
    advance = trainer_module.Trainer.advance

    def stopping(self: trainer_module.Trainer, loss: Any) -> Any:
        result = advance(self, loss)
        if self.step == steps:
            signal.raise_signal(signal.SIGTERM)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module.Trainer, "advance", stopping)
        run()


def _noted(name: str, run: Callable[[], Path]) -> list[float]:
    """Run and return what each step reported under ``name``."""
    values: list[float] = []
    advance = trainer_module.Trainer.advance

    def noting(self: trainer_module.Trainer, loss: Any) -> Any:
        result = advance(self, loss)
        values.append(float(result[name]))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module.Trainer, "advance", noting)
        run()
    return values


def _assert_same(first: Path, second: Path, groups: tuple[str, ...]) -> None:
    assert first.name == second.name
    for group in groups:
        a, b = read_tensors(first, group), read_tensors(second, group)
        assert a.keys() == b.keys()
        for name in a:
            torch.testing.assert_close(b[name], a[name], rtol=0, atol=0, msg=f"{group} {name}")
