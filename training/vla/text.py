"""Sentences for every skill in the data, embedded once with the encoder that the robot will use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from world2act_core.skill import Skill
from world2act_core.text_encoder import TextEncoder


@dataclass(frozen=True)
class SkillTexts:
    """Embeddings [P, D] of all sentences; those of skill i are rows ``first[i] : first[i] + count[i]``, the canonical
    one first."""

    embeddings: NDArray[np.float32]
    first: NDArray[np.int64]
    count: NDArray[np.int64]

    def draw(
        self, skills: NDArray[np.int64], paraphrase_probability: float, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """One sentence per entry of ``skills`` [B]: the canonical one, or sometimes a paraphrase -> [B, D]."""
        free = np.maximum(self.count[skills] - 1, 1)
        other = 1 + (rng.random(len(skills)) * free).astype(np.int64)
        use = (rng.random(len(skills)) < paraphrase_probability) & (self.count[skills] > 1)
        return self.embeddings[self.first[skills] + np.where(use, other, 0)]


def embed_skills(skills: Sequence[Skill], encoder_folder: Path, paraphrases: int, seed: int) -> SkillTexts:
    """Embed the canonical prompt of each skill and up to ``paraphrases`` training wordings of it."""
    from world2act_sim.instructions import wordings

    encoder = TextEncoder(encoder_folder, threads=2)
    rows: list[NDArray[np.float32]] = []
    first, count = [], []
    for number, skill in enumerate(skills):
        options = [text for text in dict.fromkeys(wordings(skill, "train", synonyms=True)) if text != skill.prompt]
        order = np.random.default_rng([seed, number]).permutation(len(options))[:paraphrases]
        sentences = [skill.prompt, *(options[i] for i in order)]
        first.append(sum(len(row) for row in rows))
        count.append(len(sentences))
        rows.append(encoder.encode(sentences))
    return SkillTexts(np.concatenate(rows), np.array(first, np.int64), np.array(count, np.int64))
