"""``world-model-vae``: train the causal video VAE on packed frames; the same --out continues."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.common.checkpoint import checkpoints, latest_checkpoint, read_info, save_checkpoint
from training.common.errors import DatasetError, TrainingError
from training.common.sameness import changes, refuse
from training.common.workers import Workers, joined
from training.world_model.config import CHUNK, CONVOLUTIONAL, PRESETS, Preset, VaeKind, VaeShape, VaeTrainConfig
from training.world_model.linear_vae import PLAIN, Emphasis, LinearVae, fit_linear_vae
from training.world_model.metrics import psnr
from training.world_model.picture_error import moving, visible_error
from training.world_model.progress import RunProgress
from training.world_model.trainer import FREE_FIELDS, Losses, Trainer, jsonable, run_loop
from training.world_model.vae import VideoVae, build_vae, describe_vae, to_pixels
from training.world_model.views import ViewLayout
from training.world_model.windows import ClipReader, clip_seed, dataset_hash, held_out

STATISTICS_CLIPS = 48  # training clips that the latents' mean and spread are taken from


@dataclass
class ClipBatch:
    """frames: uint8 [B, T, H, W, 3]; valid: bool [B, T], false for padding."""

    frames: torch.Tensor
    valid: torch.Tensor


class ClipSource:
    """Random clips of T packed frames; batch n of a process is a function of seed, n and rank."""

    def __init__(self, reader: ClipReader, config: VaeTrainConfig, workers: Workers) -> None:
        self._reader, self._config, self._workers = reader, config, workers
        rows = reader.rows
        self._clips = [i for i, row in enumerate(rows) if not held_out(clip_seed(row), config.holdout_every)]
        if not self._clips:
            raise DatasetError(f"{config.dataset}: every clip is held out (--holdout-every {config.holdout_every})")
        lengths = np.array([int(rows[i]["length"]) for i in self._clips])
        self._lengths, self._chance = lengths, lengths / lengths.sum()

    def batch(self, number: int) -> ClipBatch:
        """This process's part of batch ``number``."""
        return self.clips(number, self._config.batch, self._workers.share(self._config.batch))

    def clips(self, number: int, count: int, part: slice) -> ClipBatch:
        """``part`` of ``count`` clips, drawn by length, each from a random frame on."""
        rng = np.random.default_rng([self._config.seed, number])
        size = self._config.frames
        chosen = rng.choice(len(self._clips), count, p=self._chance)
        starts = (rng.random(count) * np.maximum(1, self._lengths[chosen] - size + 1)).astype(int)
        pairs = [
            self._reader.frames(self._clips[clip], int(start), size) for clip, start in zip(chosen[part], starts[part])
        ]
        return ClipBatch(
            torch.from_numpy(np.stack([frames for frames, _ in pairs])),
            torch.from_numpy(np.stack([valid for _, valid in pairs])),
        )


def train_vae(config: VaeTrainConfig) -> Path:
    """Entry point of ``python -m training world-model-vae``; returns the folder of the last checkpoint."""
    preset = PRESETS[config.preset]
    if preset.vae is None:
        raise TrainingError(f"preset {config.preset!r} takes its VAE from the Cosmos-Predict2 folder; nothing to train")
    if config.frames % CHUNK != 1 or config.frames < 1 + CHUNK:
        raise TrainingError(f"--frames must be 1 + {CHUNK} n, got {config.frames}")
    torch.set_num_threads(config.threads)
    shape = _shape(config.kind, preset.vae)
    with joined() as workers:
        return (_fit if shape.linear else _train)(config, preset, shape, workers)


def _shape(kind: VaeKind, usual: VaeShape) -> VaeShape:
    if kind == "preset" or (kind == "linear") == usual.linear:
        return usual
    return CONVOLUTIONAL if kind == "convolutional" else VaeShape(latent_channels=usual.latent_channels)


def _fit(config: VaeTrainConfig, preset: Preset, shape: VaeShape, workers: Workers) -> Path:
    """Fit the linear VAE, or again the one that is there; one process does it. CheckpointError for another's folder."""
    layout = preset.layout.changed(config.layout, config.cell_height, config.cell_width)
    identity = _identity(config, shape, layout)
    _check_same(config, identity)
    reader = ClipReader(config.dataset, layout)
    clips = ClipSource(reader, config, workers).clips(0, config.fit_clips, slice(None)).frames
    emphasis = Emphasis(config.fine_weight, config.colour_weight, config.within_weight)
    model = fit_linear_vae(to_pixels(clips), shape.latent_channels, emphasis)
    vae = normalised(model, clips)
    info = {
        "config": jsonable(asdict(config)),
        "identity": identity,
        "vae": describe_vae(vae, shape, None),
        "layout": asdict(layout),
        "held_out_psnr": held_out_psnr(vae, reader, config),
    }
    if workers.main:
        save_checkpoint(config.out, 1, {"vae": dict(model.state_dict())}, info)
        print(
            f"{config.out}: {shape.latent_channels} components, PSNR of held-out clips {info['held_out_psnr']:.2f} dB"
        )
    workers.wait()
    return config.out / "step-00000001"


def _train(config: VaeTrainConfig, preset: Preset, shape: VaeShape, workers: Workers) -> Path:
    if workers.world > 1 and config.parallel != "ddp":
        raise TrainingError("the VAE is small: train it with --parallel ddp")
    layout = preset.layout.changed(config.layout, config.cell_height, config.cell_width)
    reader = ClipReader(config.dataset, layout)
    source = ClipSource(reader, config, workers)
    torch.manual_seed(config.seed)
    trainer = Trainer(build_vae(shape), config, config.out, workers, _identity(config, shape, layout))
    trainer.restore_if_any()
    linear = fit_linear_vae(to_pixels(_some_clips(source)), shape.latent_channels, PLAIN)

    def loss(batch: ClipBatch) -> Losses:
        guide = linear if trainer.step < config.linear_steps else None
        return vae_loss(trainer.call, batch, config, trainer.generator(), workers, guide)

    def save() -> Path:
        vae = _averaged(trainer, shape, source)
        info = {
            "vae": describe_vae(vae, shape, None),
            "layout": asdict(layout),
            "held_out_psnr": held_out_psnr(vae, reader, config),
        }
        return trainer.save({"vae": dict(vae.model.state_dict())}, info)

    with RunProgress(config.out, config.log_every, workers.main) as progress:
        size = sum(p.numel() for p in trainer.parameters.values()) / 1e6
        progress.say(f"{size:.2f} M parameters, {len(reader.rows)} clips, step {trainer.step}")
        return run_loop(trainer, source.batch, loss, save, progress)


def _identity(config: VaeTrainConfig, shape: VaeShape, layout: ViewLayout) -> dict[str, Any]:
    """What a checkpoint must agree on to be continued or replaced, as it comes back from JSON."""
    facts = {"step": "world-model-vae", "vae": asdict(shape), "layout": asdict(layout)}
    return {**jsonable(facts), "dataset": dataset_hash(config.dataset)}


def _check_same(config: VaeTrainConfig, identity: dict[str, Any]) -> None:
    """Raise CheckpointError when ``--out`` holds another VAE: latents and world models were made with that one."""
    if not checkpoints(config.out):
        return
    folder = latest_checkpoint(config.out)
    info = read_info(folder)
    # A linear VAE from before it was kept what it was fitted to says its shape and layout.
    there = info.get("identity") or {"vae": info.get("vae", {}).get("shape"), "layout": info.get("layout")}
    settings = {name: value for name, value in info.get("config", {}).items() if name not in FREE_FIELDS}
    refuse(f"{folder} is of another run", changes(there, identity) | changes(settings, jsonable(asdict(config))))


def vae_loss(
    autoencoder: Any,
    batch: ClipBatch,
    config: VaeTrainConfig,
    generator: torch.Generator,
    workers: Workers,
    guide: LinearVae | None = None,
) -> Losses:
    """Mean visible error over the frames that are not padding, plus the penalty on the code's size.

    autoencoder: the model or its DDP wrapper, called once (encode, then decode with noise added to the code).
    guide: a code for the encoder to imitate and for the decoder to decode, instead of the encoder's own.
    """
    pixels = to_pixels(batch.frames.to(workers.device))
    valid = batch.valid.to(workers.device).float()[:, None, :, None, None]
    weight = valid * (1.0 + config.motion_weight * moving(pixels))
    target = None if guide is None else guide.encode(pixels).latent_dist.mode()
    code, decoded = _through(autoencoder, pixels, config, generator, workers, target)
    error = visible_error(decoded.float() - pixels, config.fine_weight, config.colour_weight)
    total = workers.total(weight.sum())
    reconstruction = (error * weight).sum() / total * workers.world
    penalty = code.float().square().mean()
    imitation = torch.zeros(()) if target is None else (code.float() - target).square().mean()
    square = ((decoded.detach().float() - pixels).square() * valid).sum() / (valid.sum() * pixels[0, :, 0].numel())
    return {
        "loss": reconstruction + imitation + config.latent_penalty * penalty,
        "psnr": 10.0 * torch.log10(4.0 / square.clamp(min=1e-9)),
        "code": penalty.detach().sqrt(),
    }


def held_out_psnr(vae: VideoVae, reader: ClipReader, config: VaeTrainConfig, clips: int = 8) -> float | None:
    """Mean PSNR in dB of the first whole clips that training never saw, there and back; None without any."""
    numbers = [i for i, row in enumerate(reader.rows) if held_out(clip_seed(row), config.holdout_every)][:clips]
    values = []
    for number in numbers:
        frames = torch.from_numpy(reader.frames(number, 0, config.frames)[0])
        values.append(float(psnr(vae.decode(vae.encode(frames[None]))[0], frames).mean()))
    return float(np.mean(values)) if values else None


def _through(
    autoencoder: Any,
    pixels: torch.Tensor,
    config: VaeTrainConfig,
    generator: torch.Generator,
    workers: Workers,
    target: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Code [B, C, L, h, w], and what it (or ``target``) decodes to after a little noise (this process's part)."""
    seen: list[torch.Tensor] = []

    def disturb(module: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        code = arguments[0]
        seen.append(code)
        shape = (config.batch, *code.shape[1:])
        noise = torch.randn(shape, generator=generator)[workers.share(config.batch)]
        decoded = code if target is None else target.to(code)
        return (decoded + config.latent_noise * noise.to(code), *arguments[1:])

    # A hook before the decoder's first layer, so that forward stays one call, which is what DDP needs.
    model = getattr(autoencoder, "module", autoencoder)
    handle = model.post_quant_conv.register_forward_pre_hook(disturb)
    try:
        decoded = autoencoder(pixels, return_dict=False)[0]
    finally:
        handle.remove()
    return seen[0], decoded


def _some_clips(source: ClipSource) -> torch.Tensor:
    """Training clips uint8 [B, T, H, W, 3] to take statistics of."""
    return torch.cat([source.clips(2**31 + n, 4, slice(0, 4)).frames for n in range(0, STATISTICS_CLIPS, 4)])


def _averaged(trainer: Trainer, shape: VaeShape, source: ClipSource) -> VideoVae:
    """The averaged weights, normalised on training clips."""
    model: Any = build_vae(shape)
    model.load_state_dict({**model.state_dict(), **trainer.whole_average()})
    return normalised(model, _some_clips(source))


def normalised(model: Any, clips: torch.Tensor) -> VideoVae:
    """With mean and spread of its codes on clips uint8 [B, T, H, W, 3]; latent 0 counts as any other."""
    vae = VideoVae(model)
    code = torch.cat([vae.encode(part).transpose(0, 1).flatten(1) for part in clips.split(4)], dim=1)
    model.register_to_config(latents_mean=code.mean(dim=1).tolist(), latents_std=code.std(dim=1).clamp(1e-3).tolist())
    return VideoVae(model)
