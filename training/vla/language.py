"""Teaching the language adapter what a sentence asks for, before any picture is shown.

The sentence encoder is frozen and the sentences are few, so this takes seconds; without it the pictures' gradients have
to find out which object is meant while they also learn what objects look like.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.vla.model import NanoVla
from training.vla.text import SkillTexts

NOISE = 0.01
"""Standard deviation per entry added to the unit embeddings, so that neighbours of a sentence mean the same."""


def pretrain_language(
    model: NanoVla,
    texts: SkillTexts,
    labels: NDArray[np.int64],
    steps: int,
    seed: int,
    batch: int = 256,
    heads_only: bool = False,
) -> float:
    """Train the adapter and its classification heads; returns the share of sentences read right in the end.

    Args:
        model: its language layers are changed in place. texts: sentences by skill.
        labels: int64 [skills, 3] kind, target and support class per skill (-100: not scored).
        steps: optimiser steps (0: do nothing). seed: of the draws.
        heads_only: leave the adapter, which the rest of a trained policy relies on, as it is.
    """
    embeddings = torch.from_numpy(texts.embeddings)
    classes = torch.from_numpy(np.repeat(labels, texts.count, axis=0))
    parameters = [*model.language_heads.parameters(), *([] if heads_only else model.language.parameters())]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(embeddings), (batch,), generator=generator)
        noisy = embeddings[rows] + NOISE * torch.randn(batch, embeddings.shape[1], generator=generator)
        logits = model.read_text(functional.normalize(noisy, dim=-1))
        losses = [functional.cross_entropy(part, classes[rows, i]) for i, part in enumerate(logits)]
        optimiser.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        guesses = torch.stack([part.argmax(-1) for part in model.read_text(embeddings)], dim=1)
    return float(((guesses == classes) | (classes < 0)).all(dim=1).float().mean())
