"""Sentences to vectors without torch: an exported encoder and its tokenizer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from world2act_core.contract import TextEncoderSpec, describe_validation_error
from world2act_core.engine import EngineError, OnnxEngine
from world2act_core.types import FloatArray

TEXT_ENCODER_FILES = ("model.onnx", "tokenizer.json", "config.yaml")


class TextEncoderConfig(BaseModel):
    """config.yaml of a text encoder: its name, the length of its vectors, and how many tokens it reads at most."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    dim: int = Field(gt=0)
    max_tokens: int = Field(gt=0)


class TextEncoder:
    """An encoder folder (model.onnx, tokenizer.json, config.yaml).

    The graph takes input_ids and attention_mask (and token_type_ids when it declares it), int64 [N, L], and its first
    output is the pooled sentence vector float32 [N, dim].
    """

    def __init__(self, folder: str | Path, threads: int = 1, cache_size: int = 256) -> None:
        self.folder = Path(folder)
        self.config = _read_config(self.folder / "config.yaml")
        self._engine = OnnxEngine(self.folder / "model.onnx", threads=threads)
        self._tokenizer = _open_tokenizer(self.folder / "tokenizer.json", self.config.max_tokens)
        self._cache: OrderedDict[str, FloatArray] = OrderedDict()
        self._cache_size = cache_size

    @property
    def spec(self) -> TextEncoderSpec:
        """Name and vector length, as a contract states them."""
        return TextEncoderSpec(name=self.config.name, dim=self.config.dim)

    def encode(self, sentences: Sequence[str]) -> FloatArray:
        """Unit vectors float32 [N, dim] of N sentences; a repeated sentence costs nothing."""
        if not sentences:
            return np.zeros((0, self.config.dim), dtype=np.float32)
        return np.stack([self._encode_one(sentence) for sentence in sentences])

    def _encode_one(self, sentence: str) -> FloatArray:
        if sentence in self._cache:
            self._cache.move_to_end(sentence)
            return self._cache[sentence]
        # One sentence a run: padding and dynamic quantisation would make a vector depend on its neighbours.
        encoding = self._tokenizer.encode(sentence)
        values = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        arrays = {name: np.array([values[name]], dtype=np.int64) for name in self._engine.inputs if name in values}
        vector = np.asarray(next(iter(self._engine.infer(arrays).values())), dtype=np.float32)
        if vector.shape != (1, self.config.dim):
            raise EngineError(f"{self.folder}: expected a vector [1, {self.config.dim}], got {list(vector.shape)}")
        unit: FloatArray = vector[0] / max(float(np.linalg.norm(vector[0])), 1e-12)
        unit.setflags(write=False)
        self._cache[sentence] = unit
        if len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return unit


def _read_config(path: Path) -> TextEncoderConfig:
    try:
        return TextEncoderConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise EngineError(f"text encoder {path}: {describe_validation_error(error)}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise EngineError(f"text encoder {path}: {error}") from error


def _open_tokenizer(path: Path, max_tokens: int):  # type: ignore[no-untyped-def]  # tokenizers ships no types
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise EngineError(f"text encoder {path}: cannot read the tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=max_tokens)
    return tokenizer
