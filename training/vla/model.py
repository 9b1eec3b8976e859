"""NanoVla: two cameras, proprioception and a sentence embedding to an action chunk, a done flag and positions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from training.vla.config import ModelConfig
from training.vla.encoder import CameraEncoder, fold_pixels
from training.vla.flow import FlowHead
from training.vla.normalisation import Normalisation
from world2act_core.contract import Contract


@dataclass
class Predictions:
    """Everything the network says besides the actions. Legend: B batch, S skill kinds, O objects."""

    context: torch.Tensor  # [B, context]
    done: torch.Tensor  # [B] logits
    positions: torch.Tensor  # [B, 6] decimetres from the end effector, base frame axes: target, support
    kind: torch.Tensor  # [B, S] logits, from the text alone
    target: torch.Tensor  # [B, O] logits, from the text alone
    support: torch.Tensor  # [B, O + 1] logits, from the text alone; the last class is "none"
    pointing: dict[str, torch.Tensor]  # camera -> [B, K, H, W] logits: where target (0) and support (1) are seen


class NanoVla(nn.Module):
    """The policy network. Images come as uint8, state and actions in robot units; normalisation is inside."""

    def __init__(self, contract: Contract, config: ModelConfig, normalisation: Normalisation) -> None:
        super().__init__()
        self.contract = contract
        self.config = config
        self.normalisation = normalisation
        self.mixed = False  # convolve in bfloat16: set by training, never for export
        objects, kinds = len(contract.vocabulary.objects), len(contract.vocabulary.skills)
        text, state = config.text_features, config.state_features
        self.language = nn.Sequential(
            nn.Linear(contract.text_encoder.dim, 2 * text), nn.SiLU(), nn.Linear(2 * text, text), nn.SiLU()
        )
        self.language_heads = nn.Linear(text, kinds + objects + objects + 1)
        self._splits = (kinds, objects, objects + 1)
        self.proprioception = nn.Sequential(
            nn.Linear(contract.state_size, state), nn.SiLU(), nn.Linear(state, state), nn.SiLU()
        )
        encoders = {c.name: CameraEncoder(c.height, c.width, text + state, config) for c in contract.cameras}
        self.cameras = nn.ModuleDict(encoders)
        found = sum(encoder.features for encoder in encoders.values())
        pointed = sum(encoder.pointers.features for encoder in encoders.values())
        self.enter = nn.Linear(found + pointed + text + state, config.context)
        self.trunk = nn.ModuleList(
            [
                nn.Sequential(nn.Linear(config.context, config.context), nn.SiLU(), _small(config.context))
                for _ in range(config.trunk_blocks)
            ]
        )
        # Where target and support are is read from the pointers; the rest of what is seen may only correct it.
        self.pointer_head = nn.Sequential(
            nn.Linear(pointed + text + state, 256), nn.SiLU(), nn.Linear(256, 128), nn.SiLU(), nn.Linear(128, 6)
        )
        self.position_head = nn.Sequential(nn.Linear(config.context, 128), nn.SiLU(), nn.Linear(128, 6))
        self.done_head = nn.Sequential(nn.Linear(config.context + 6, 64), nn.SiLU(), nn.Linear(64, 1))
        self.flow = FlowHead(contract.chunk_length, contract.action_size, config.context + 6, config)

    def encode(
        self,
        images: dict[str, torch.Tensor],
        state: torch.Tensor,
        text: torch.Tensor,
        colour: dict[str, tuple[torch.Tensor, torch.Tensor]] | None = None,
    ) -> Predictions:
        """What is seen and asked.

        images: name -> uint8 [B, H, W, 3]; state: float32 [B, S] in robot units; text: float32 [B, D] unit vectors;
        colour: name -> (gain, offset) [B, 3] applied to pixels in [-1, 1] (augmentation; None: unchanged).
        """
        words = self.language(text)
        body = self.proprioception(self.normalisation.state(state))
        condition = torch.cat([words, body], dim=-1)
        seen = [
            encoder(self._pixels(images[name], None if colour is None else colour[name]), condition, self.mixed)
            for name, encoder in self.cameras.items()
        ]
        pointed = torch.cat([camera.pointed for camera in seen], dim=-1)
        context = self.enter(torch.cat([*(camera.seen for camera in seen), pointed, condition], dim=-1))
        for block in self.trunk:
            context = context + block(functional.silu(context))
        context = functional.silu(context)
        positions = self.pointer_head(torch.cat([pointed, condition], dim=-1)) + self.position_head(context)
        context = torch.cat([context, positions], dim=-1)
        kind, target, support = self.language_heads(words).split(self._splits, dim=-1)
        pointing = {name: camera.heat for name, camera in zip(self.cameras, seen, strict=True)}
        return Predictions(context, self.done_head(context)[:, 0], positions, kind, target, support, pointing)

    def read_text(self, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits of skill kind, target and support for sentences, float32 [B, D] unit vectors."""
        kind, target, support = self.language_heads(self.language(text)).split(self._splits, dim=-1)
        return kind, target, support

    def act(
        self, images: dict[str, torch.Tensor], state: torch.Tensor, text: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """-> actions [B, T, A] in robot units within the contract's limits, probability of done [B].

        noise: float32 [B, T, A], standard normal for candidates or zeros for the one best answer.
        """
        predictions = self.encode(images, state, text)
        chunk = self.flow.denoise(noise, predictions.context, self.config.denoising_steps)
        return self.normalisation.decode_actions(chunk), torch.sigmoid(predictions.done)

    def _pixels(self, image: torch.Tensor, colour: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        folded = fold_pixels(image, self.config.patch)
        if colour is None:
            return folded.float() * (1.0 / 127.5) - 1.0
        repeat = self.config.patch**2
        gain, offset = (part.repeat(1, repeat)[:, :, None, None] for part in colour)
        dtype = torch.bfloat16 if self.mixed else torch.float32
        scaled = folded.to(dtype)
        return torch.addcmul((offset - gain).to(dtype), scaled, (gain / 127.5).to(dtype))


def _small(size: int) -> nn.Linear:
    """A linear layer that starts near zero, so that a residual block starts as the identity."""
    layer = nn.Linear(size, size)
    nn.init.normal_(layer.weight, std=0.1 / size**0.5)
    nn.init.zeros_(layer.bias)
    return layer
