"""Frozen parts: switched off for training, and told apart by a hash of their weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import nn

from training.common.errors import TrainingError


def freeze(module: nn.Module) -> nn.Module:
    """No gradients for any weight, and eval mode; returns the module."""
    return module.requires_grad_(False).eval()


def weights_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, whatever the order of ``tensors`` or their device."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def module_hash(module: nn.Module) -> str:
    """:func:`weights_hash` of a module's parameters and saved buffers; LoRA layers inside it are looked through."""
    return weights_hash(
        {name.replace(".base_layer.", "."): value for name, value in module.state_dict().items() if "lora_" not in name}
    )


class FrozenGuard:
    """Remembers the hash of every frozen part and says when one of them has changed."""

    def __init__(self, parts: Mapping[str, Callable[[], str]]) -> None:
        """parts: name -> function that gives the part's present hash."""
        self._parts = dict(parts)
        self.hashes = {name: digest() for name, digest in self._parts.items()}

    def check(self) -> None:
        """Raise TrainingError when a frozen part is no longer what it was."""
        changed = [name for name, digest in self._parts.items() if digest() != self.hashes[name]]
        if changed:
            raise TrainingError(f"training changed frozen parts: {', '.join(changed)}; do not use this checkpoint")
