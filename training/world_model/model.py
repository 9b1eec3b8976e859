"""The whole world model: VAE, text, transformer; from a training run's checkpoint or from a Cosmos-Predict2 folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import torch
from torch import nn

from training.common.checkpoint import INFO, checkpoints, latest_checkpoint, read_info, read_tensors
from training.common.errors import CheckpointError
from training.common.holdout import holdout_of
from training.world_model.config import CHUNK, COSMOS_PREDICT2_2B, PRESETS, LoraConfig, Preset, TransformerShape
from training.world_model.diffusion import Spread, from_network, predict_velocity, sample
from training.world_model.scratch import ScratchTransformer
from training.world_model.text import RememberedText
from training.world_model.vae import VideoVae, is_cosmos_folder, load_vae
from training.world_model.views import ViewLayout


@dataclass(frozen=True)
class WorldModelInfo:
    """What a world model was made for; kept in its checkpoint."""

    preset: str
    layout: ViewLayout
    frames: int
    fps: int
    text: Literal["minilm", "t5"]
    text_tokens: int
    steps: int
    guidance: float
    spread: Spread = 0.0
    """See :func:`training.world_model.diffusion.to_network`."""
    cosmos: str | None = None
    lora: LoraConfig | None = None

    @property
    def chunks(self) -> int:
        """Latents after the first one in a window, N."""
        return (self.frames - 1) // CHUNK

    @classmethod
    def of(
        cls, preset: Preset, layout: ViewLayout, frames: int, fps: int, cosmos: Path | None, lora: LoraConfig
    ) -> WorldModelInfo:
        """Description of a new model of ``preset`` for data of ``layout``, ``frames`` and ``fps``."""
        return cls(
            preset=preset.name,
            layout=layout,
            frames=frames,
            fps=fps,
            text=preset.text,
            text_tokens=preset.text_tokens,
            steps=preset.steps,
            guidance=preset.guidance,
            cosmos=None if cosmos is None else str(cosmos),
            lora=lora if lora.rank > 0 else None,
        )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> WorldModelInfo:
        """The inverse of dataclasses.asdict through JSON."""
        values = dict(values)
        values["layout"] = ViewLayout(**values["layout"])
        if not isinstance(values["spread"], float):
            values["spread"] = tuple(tuple(row) for row in values["spread"])
        if values["lora"] is not None:
            values["lora"] = LoraConfig(**{**values["lora"], "targets": tuple(values["lora"]["targets"])})
        return cls(**values)


class WorldModel:
    """First frame and sentence -> video latents. Frozen; all methods run without gradients."""

    def __init__(self, vae: VideoVae, transformer: nn.Module, info: WorldModelInfo) -> None:
        self.vae = vae
        self.transformer = transformer.eval().requires_grad_(False)
        self.info = info
        self.holdout_every: int | None = None
        """As it was trained with; None where that is not known (an untouched Cosmos-Predict2)."""
        self.text = RememberedText(info.text, info.text_tokens, None if info.cosmos is None else Path(info.cosmos))

    @property
    def device(self) -> torch.device:
        """Where the transformer is."""
        return next(self.transformer.parameters()).device

    def to(self, device: torch.device) -> WorldModel:
        """Move VAE and transformer; returns itself."""
        self.vae.to(device)
        self.transformer.to(device)
        return self

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Packed frames uint8 [B, 1 + 4 N, H, W, 3] -> latents float32 [B, 16, 1 + N, H/8, W/8]."""
        expected = (self.info.layout.height, self.info.layout.width, 3)
        if tuple(frames.shape[2:]) != expected:
            raise ValueError(f"packed frames are {tuple(frames.shape[2:])}, this world model's are {expected}")
        return self.vae.encode(frames)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents float32 [B, 16, 1 + N, h, w] -> packed frames uint8 [B, 1 + 4 N, H, W, 3]."""
        return self.vae.decode(latents)

    @torch.no_grad()
    def generate(
        self,
        first: torch.Tensor,
        prompts: Sequence[str],
        steps: int | None = None,
        generator: torch.Generator | None = None,
        *,
        chunks: int | None = None,
        guidance: float | None = None,
    ) -> torch.Tensor:
        """Imagine one window per prompt -> latents float32 [B, 16, 1 + N, h, w]; latent 0 is exactly the given one.

        first: latents [B, 16, 1, h, w] or packed frames uint8 [B, H, W, 3]; steps: denoising steps (default: the
        preset's); generator: on the CPU, decides the noise; chunks: N (default: the window it was trained on);
        guidance: see :class:`Preset`.
        """
        if len(prompts) != len(first):
            raise ValueError(f"{len(first)} first frames but {len(prompts)} prompts")
        given = self.encode(first[:, None]) if first.dtype == torch.uint8 else first.to(self.device)
        given = given.to(self.device)
        shape = (*given.shape[:2], 1 + (chunks or self.info.chunks), *given.shape[3:])
        noise = torch.randn(shape, generator=generator).to(self.device)
        text = self.text.embed(prompts).to(self.device)
        weight = self.info.guidance if guidance is None else guidance
        nothing = self.text.embed([""] * len(prompts)).to(self.device) if weight > 0 else None

        def velocity(scaled: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
            predicted = predict_velocity(self.transformer, scaled, given, time, text, self.info.fps)
            if nothing is None:
                return predicted
            without = predict_velocity(self.transformer, scaled, given, time, nothing, self.info.fps)
            return predicted + weight * (predicted - without)

        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            values = sample(velocity, given, noise, steps or self.info.steps)
        return from_network(values, self.info.spread)


def build_transformer(shape: TransformerShape, channels: int) -> nn.Module:
    """An untrained CosmosTransformer3DModel for ``channels`` latent channels and the condition mask."""
    from diffusers import CosmosTransformer3DModel

    model: Any = CosmosTransformer3DModel(
        in_channels=(2 * channels if shape.scratch else channels) + 1,
        out_channels=channels,
        num_attention_heads=shape.heads,
        attention_head_dim=shape.head_dim,
        num_layers=shape.layers,
        mlp_ratio=shape.mlp_ratio,
        text_embed_dim=shape.text_dim,
        adaln_lora_dim=shape.adaln_dim,
        max_size=shape.max_size,
        patch_size=shape.patch,
        rope_scale=(1.0, 1.0, 1.0),
        concat_padding_mask=False,
        extra_pos_embed_type=None,
    )
    # As in DiT: every block starts as the identity and the output at zero, or the first thousand steps undo noise.
    nn.init.zeros_(model.time_embed.t_embedder.linear_2.weight)
    for block in model.transformer_blocks:
        for norm in (block.norm1, block.norm2, block.norm3):
            nn.init.zeros_(norm.linear_2.weight)
    nn.init.zeros_(model.proj_out.weight)
    return ScratchTransformer(model) if shape.scratch else model


def load_cosmos_transformer(cosmos: Path) -> nn.Module:
    """The transformer of a Cosmos-Predict2 Video2World folder, float32."""
    if not is_cosmos_folder(cosmos):
        raise CheckpointError(f"{cosmos} is no Cosmos-Predict2 folder (model_index.json is missing); download it first")
    from diffusers import CosmosTransformer3DModel

    model: Any = CosmosTransformer3DModel.from_pretrained(cosmos, subfolder="transformer", torch_dtype=torch.float32)
    if model.config.in_channels != model.config.out_channels + 1:
        raise CheckpointError(
            f"{cosmos}: the transformer has {model.config.in_channels} input channels for {model.config.out_channels} "
            "latent channels; Video2World has one more, the condition mask (is this Text2Image?)"
        )
    if model.config.concat_padding_mask:
        _resize_without_torchvision()
    return model


def add_lora(transformer: nn.Module, lora: LoraConfig, seed: int) -> None:
    """Put trainable low-rank matrices beside the frozen weights of the named layers."""
    from peft import LoraConfig as PeftLoraConfig

    model: Any = transformer
    model.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.add_adapter(PeftLoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=list(lora.targets)))


def load_world_model(folder: Path) -> WorldModel:
    """The averaged model of a ``world-model`` run (or one checkpoint of it), or an untouched Cosmos-Predict2 folder."""
    if is_cosmos_folder(folder):
        preset = PRESETS[COSMOS_PREDICT2_2B.name]
        info = WorldModelInfo.of(preset, preset.layout, preset.frames, 16, folder, LoraConfig())
        return WorldModel(load_vae(folder), load_cosmos_transformer(folder), info)
    if not (folder / INFO).exists() and not checkpoints(folder):
        raise CheckpointError(f"{folder} holds neither a checkpoint of `world-model` nor a Cosmos-Predict2 folder")
    checkpoint = latest_checkpoint(folder)
    content = read_info(checkpoint)
    if "world_model" not in content:
        raise CheckpointError(f"{checkpoint} is no checkpoint of `python -m training world-model`")
    info = WorldModelInfo.from_json(content["world_model"])
    vae = load_vae(checkpoint)
    if vae.hash != content["vae"]["hash"]:
        raise CheckpointError(
            f"{checkpoint} was trained with VAE {content['vae']['hash'][:12]}, the one loaded is {vae.hash[:12]}"
        )
    transformer = new_transformer(info, content["transformer"], int(content["config"]["seed"]))
    average = read_tensors(checkpoint, "average")
    with torch.no_grad():
        for name, parameter in transformer.named_parameters():
            if name in average:
                parameter.copy_(average[name])
            elif parameter.requires_grad:
                raise CheckpointError(f"{checkpoint} lacks the weight {name}; it is of another version of the model")
    model = WorldModel(vae, transformer, info)
    model.holdout_every = holdout_of(content)
    return model


def new_transformer(info: WorldModelInfo, shape: dict[str, Any] | None, seed: int) -> nn.Module:
    """The transformer a run starts from: of ``shape``, or the Cosmos folder's, with low-rank matrices if asked for."""
    if shape is None:
        assert info.cosmos is not None
        transformer = load_cosmos_transformer(Path(info.cosmos))
    else:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in shape.items()
        }
        channels = int(values.pop("channels"))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            transformer = build_transformer(TransformerShape(**values), channels)
    if info.lora is not None:
        add_lora(transformer, info.lora, seed)
    return transformer


def describe_transformer(preset: Preset) -> dict[str, Any] | None:
    """What a checkpoint says about its transformer's shape; None when it comes from a Cosmos folder."""
    if preset.transformer is None:
        return None
    channels = 16 if preset.vae is None else preset.vae.latent_channels
    return {**asdict(preset.transformer), "channels": channels}


def _resize_without_torchvision() -> None:
    """Give diffusers' transformer the one function of torchvision that it calls, where torchvision is not installed.

    It resizes the padding mask, which is zero everywhere here.
    """
    from diffusers.models.transformers import transformer_cosmos

    if hasattr(transformer_cosmos, "transforms"):
        return

    def resize(mask: torch.Tensor, size: list[int], interpolation: str) -> torch.Tensor:
        return nn.functional.interpolate(mask, size=size, mode=interpolation)

    transformer_cosmos.transforms = SimpleNamespace(
        functional=SimpleNamespace(resize=resize), InterpolationMode=SimpleNamespace(NEAREST="nearest")
    )
